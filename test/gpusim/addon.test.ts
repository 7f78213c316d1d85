/** The simulator as the CUDA runtime of a Node addon, in processes of their own. */
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { build, buildSimulator, compile, execute, here, MINUTE, skip } from './toolchain.js';

describe.skipIf(skip !== '')(`an addon on the GPU simulator${skip}`, () => {
  beforeAll(async () => {
    await buildSimulator();
    await compile('addon.node');
  }, 10 * MINUTE);

  const node = (scenario: string, environment: Record<string, string> = {}) =>
    execute(process.execPath, [join(here, 'programs/addon.mjs'), join(build, 'programs/addon.node'), scenario], {
      LD_LIBRARY_PATH: build,
      NODE_OPTIONS: '',
      ...environment,
    });

  it.each([
    ['properties, occupancy and memory', 'device', 'gpusim A100, 8.0, 85899345920, 85899345920, 2'],
    ['jobs on libuv workers and on the event loop at once', 'workers', 'all fine'],
    ['worker threads', 'threads', 'all fine'],
    ['the event loop turns while a kernel runs', 'loop', 'turns'],
    ['a limit of memory that tests lower', 'memory', 'cudaSuccess cudaErrorMemoryAllocation cudaSuccess 1000000 cudaSuccess'],
    ['a fault, and a reset', 'fault', 'cudaErrorIllegalAddress, then fine'],
    ['a process that ends while a kernel runs', 'exit', 'leaving'],
  ])('%s', { timeout: MINUTE }, async (_, scenario, expected) => {
    const outcome = await node(scenario);
    expect(outcome.stdout.trim(), outcome.stderr).toBe(expected);
    expect(outcome.code, outcome.stderr).toBe(0);
  });

  it('waits for each launch where CUDA_LAUNCH_BLOCKING says so', async () => {
    expect((await node('loop', { CUDA_LAUNCH_BLOCKING: '1' })).stdout).toMatch(/turns, asking took \d/);
  });
});
