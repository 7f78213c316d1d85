/** Builds the GPU simulator, compiles CUDA programs as nvcc gives them to anybody, and runs them on it. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { buildSimulator, compile, execute, here, MINUTE, run as runOn, simulators, skip } from './toolchain.js';

const suites = [
  'library',
  'tensor',
  'forms',
  'wmma',
  'hopper',
  'basics',
  'language',
  'warps',
  'host',
  'integers',
  'floats',
  'halves',
  'memory',
];

describe.skipIf(skip !== '').each(simulators)(`$name${skip}`, (simulator) => {
  const run = (name: string, args: string[] = [], environment: Record<string, string> = {}) => runOn(simulator, name, args, environment);

  beforeAll(async () => {
    await buildSimulator(simulator);
    await compile(...suites, 'bugs');
  }, 20 * MINUTE);

  it.each(suites)('%s', { timeout: 2 * MINUTE }, async (name) => {
    const outcome = await run(name, [], name === 'hopper' ? { GPUSIM_DEVICE: 'h100' } : {});
    const text = outcome.stdout + outcome.stderr;
    expect(outcome.code, text).toBe(0);
    expect(text).not.toMatch(/^FAIL/m);
    const declared = [...readFileSync(join(here, 'programs', `${name}.cu`), 'utf8').matchAll(/^PROGRAM\((\w+)\)/gm)].map(
      (match) => match[1],
    );
    expect([...outcome.stdout.matchAll(/^ok (\w+)$/gm)].map((match) => match[1])).toEqual(declared.sort());
  });

  // What the program sees, and what the simulator says.
  const bugs: Record<string, [error: string, message: RegExp, environment?: Record<string, string>]> = {
    out_of_bounds_store: [
      'cudaErrorIllegalAddress',
      /bounds: global store of 4 bytes at .*: 0 bytes after the end of allocation #1 .*512 bytes/,
    ],
    out_of_bounds_load: ['cudaErrorIllegalAddress', /bounds: global load of 4 bytes/],
    null_pointer: ['cudaErrorIllegalAddress', /a null pointer/],
    misaligned_store: ['cudaErrorMisalignedAddress', /misaligned global store of 4 bytes/],
    misaligned_vector_store: ['cudaErrorMisalignedAddress', /misaligned global store of 16 bytes/],
    shared_out_of_bounds: ['cudaErrorIllegalAddress', /shared store of 4 bytes at 0xc8: the block has 200 bytes .*thread \(50,0,0\)/s],
    uninitialised_global: [
      'cudaErrorLaunchFailure',
      /uninit: read of 4 uninitialised bytes of global memory .*byte 100 of allocation #2.*thread \(25,0,0\)/s,
    ],
    uninitialised_shared: ['cudaErrorLaunchFailure', /uninit: read of uninitialised shared memory at shared offset 36.*thread \(54,0,0\)/s],
    race_without_barrier: [
      'cudaErrorLaunchFailure',
      /race: .* without a barrier after the (read|write) by thread/,
      { GPUSIM_CHECK: 'race' },
    ],
    race_across_iterations: ['cudaErrorLaunchFailure', /race: .* without a barrier after the (read|write) by thread/],
    race_inside_a_warp: [
      'cudaErrorLaunchFailure',
      /race: .*read at shared offset 32 without a barrier after the write by thread \(8,0,0\)/,
    ],
    race_of_writes: ['cudaErrorLaunchFailure', /race: .*write at shared offset 0 without a barrier after the write/],
    divergent_barrier: ['cudaErrorLaunchFailure', /divergent barrier: .*lanes 0000ffff of warp 0 wait at bar.sync \(line \d+\)/],
    barrier_that_nobody_completes: ['cudaErrorLaunchFailure', /threads wait for others that never come/],
    shuffle_of_absent_lanes: ['cudaErrorLaunchFailure', /lanes 000000ff of warp 0 wait at shfl/],
    lane_not_in_its_mask: ['cudaErrorLaunchFailure', /member mask does not name it.*thread \(16,0,0\)/s],
    async_copy_read_before_wait: ['cudaErrorLaunchFailure', /async: read of cp.async data before its wait/],
    async_copy_of_a_later_group: ['cudaErrorLaunchFailure', /async: read of cp.async data before its wait, at shared offset 256/],
    async_copy_without_barrier: ['cudaErrorLaunchFailure', /race: .* without a barrier/, { GPUSIM_CHECK: 'race' }],
    illegal_sparse_metadata: ['cudaErrorLaunchFailure', /metadata: illegal mma.sp metadata 0x5 in the register of lane 5/],
    unordered_sparse_metadata: ['cudaErrorLaunchFailure', /metadata: illegal mma.sp metadata 0x1 .*not in order/],
    illegal_sparse_selector: ['cudaErrorNotSupported', /metadata: .*illegal selector 2/],
    mma_without_all_lanes: ['cudaErrorLaunchFailure', /lanes 7fffffff of warp 0 wait at mma.sync/],
    use_after_free: ['cudaErrorIllegalAddress', /byte 0 of freed allocation #2/],
    double_free: ['cudaErrorInvalidValue', /cudaFree: freed twice: .*allocation #2/],
    copy_out_of_range: ['cudaErrorInvalidValue', /cudaMemcpy of 513 bytes: .*allocation #1 .*the range ends after it/],
    host_pointer_in_kernel: ['cudaErrorIllegalAddress', /no device memory \(a host pointer\?\)/],
    trap: ['cudaErrorLaunchFailure', /trap: trap/],
    stack_overflow: ['cudaErrorIllegalAddress', /stack overflow/],
    endless_loop: ['cudaErrorLaunchTimeout', /ran longer than GPUSIM_LIMIT/, { GPUSIM_LIMIT: '100000' }],
    streams_read_before_write: [
      'cudaErrorLaunchFailure',
      /race: kernel copy_kernel\(.*\) on stream 4 reads what kernel write_past_end\(.*\) on stream 3 wrote, and nothing orders the two: byte 0/,
    ],
    streams_write_before_read: ['cudaErrorLaunchFailure', /race: a fill on stream 4 writes what kernel copy_kernel\(.*\) on stream 3 read/],
    streams_event_too_early: ['cudaErrorLaunchFailure', /race: kernel copy_kernel\(.*\) on stream 4 reads what kernel write_past_end/],
    streams_free_before_read: [
      'cudaErrorLaunchFailure',
      /race: cudaFreeAsync on stream 4 writes what kernel copy_kernel\(.*\) on stream 3 read/,
    ],
    streams_use_before_allocation: ['cudaErrorLaunchFailure', /race: a fill on stream 4 writes what cudaMallocAsync on stream 3 wrote/],
  };

  it('every planted bug has an expectation', async () => {
    expect((await run('bugs')).stdout.trim().split('\n').sort()).toEqual(Object.keys(bugs).sort());
  });

  it.each(Object.entries(bugs))('catches %s', async (name, [error, message, environment]) => {
    const outcome = await run('bugs', [name], environment);
    expect(outcome.stdout, outcome.stderr).toContain(error);
    expect(outcome.stderr).toMatch(message);
    if (/GPUSIM|cudaErrorInvalid|NotSupported|streams/.test(name + error + Object.keys(environment ?? {}))) return;
    expect(outcome.stderr).toMatch(/in kernel \w+\(.*\), block \(0,0,0\)/);
  });

  it('lets bugs pass that a device would not notice when their check is off', async () => {
    for (const name of ['uninitialised_shared', 'race_of_writes', 'async_copy_of_a_later_group', 'streams_read_before_write'])
      expect((await run('bugs', [name], { GPUSIM_CHECK: 'none' })).stdout).toBe(`${name}: cudaSuccess\n`);
    expect((await run('bugs', ['trap'], { GPUSIM_CHECK: 'wrong' })).stderr).toMatch(/GPUSIM_CHECK: expected .* but received 'wrong'/);
  });

  it('survives changed PTX', { timeout: 2 * MINUTE }, async () => {
    const outcome = await execute(join(simulator.folder, 'gpusim_fuzz'), ['2000']);
    expect(outcome.stdout, outcome.stderr).toContain('2000 mutations survived');
  });

  it('has the devices that GPUSIM_DEVICE names', async () => {
    for (const device of ['a100', 'rtx3090', 'h100'])
      expect((await run('host', ['limits_and_attributes'], { GPUSIM_DEVICE: device })).stdout, device).toContain(
        'ok limits_and_attributes',
      );
    expect((await run('basics', ['saxpy'], { GPUSIM_DEVICE: 'tpu' })).stderr).toMatch(
      /expected a100, rtx3090, h100 or v100 but received 'tpu'/,
    );
  });
});
