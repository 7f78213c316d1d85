/** The simulator as the CUDA runtime of a Node addon, in processes of their own. */
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { buildSimulator, compile, here, MINUTE, program, simulate, simulators, skip } from './toolchain.js';

describe.skipIf(skip !== '').each(simulators)(`an addon on $name${skip}`, (simulator) => {
  beforeAll(async () => {
    await buildSimulator(simulator);
    await compile('addon.node');
  }, 20 * MINUTE);

  const node = (scenario: string, environment: Record<string, string> = {}) =>
    simulate(simulator, process.execPath, [join(here, 'programs/addon.mjs'), program('addon.node'), scenario], {
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
