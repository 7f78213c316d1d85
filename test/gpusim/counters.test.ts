/** The counters of the GPU simulator on kernels whose numbers are known. */
import { beforeAll, describe, expect, it } from 'vitest';
import { buildSimulator, compile, MINUTE, report as reportOf, simulators, skip } from './toolchain.js';

describe.skipIf(skip !== '').each(simulators)(`counters of $name${skip}`, (simulator) => {
  const report = (name: string, args: string[]) => reportOf(simulator, name, args);

  beforeAll(async () => {
    await buildSimulator(simulator);
    await compile('tensor', 'counters');
  }, 20 * MINUTE);

  it('tensor instructions, bytes and occupancy', async () => {
    const [launch] = await report('tensor', ['sparse_gemm']);
    // 128 outputs x 64 tokens x 96 inputs in pieces of 16 x 8 x 32
    expect(launch.tensor_instructions).toEqual({ 'mma.sp::ordered_metadata.m16n8k32.f32.f16.f16.f32': 8 * 8 * 3 });
    expect(launch.tensor_multiply_adds).toBe(128 * 64 * 96);
    expect(launch.compulsory_bytes_written).toBe(128 * 64 * 4);
    expect(launch.compulsory_bytes_read).toBe(128 * 48 * 2 + 64 * 96 * 2 + (128 * 96) / 8);
    expect(launch.global_stores.bytes).toBe(128 * 64 * 4);
    expect(launch.occupancy.blocks_per_multiprocessor).toBeGreaterThan(1);
    expect(launch.warp_instructions_by_class.tensor).toBe(8 * 8 * 3);
  });

  it('bank conflicts by port, and the lines that have them', async () => {
    const [launch] = await report('counters', ['ports']);
    expect(launch.shared.by_port).toEqual({
      async_copy: { requests: 8, wavefronts: 8 * 4, bank_conflicts: 0 },
      ldmatrix: { requests: 2, wavefronts: 4 + 4 * 8, bank_conflicts: 4 * 7 },
      load: { requests: 4, wavefronts: 1 + 2 + 32 + 1, bank_conflicts: 1 + 31 },
      store: { requests: 1, wavefronts: 4, bank_conflicts: 3 },
    });
    expect(launch.shared.bank_conflicts).toBe(28 + 32 + 3);
    expect(launch.global_loads).toMatchObject({
      requests: 8,
      requests_by_bytes_per_thread: { 16: 8 },
      sectors: 8 * 16,
      excess_sectors: 0,
      efficiency: 1,
    });
    const lines: { line: string; bank_conflicts: number }[] = launch.inefficient_lines;
    expect(lines.map(({ bank_conflicts }) => bank_conflicts).sort((a, b) => a - b)).toEqual([1, 3, 28, 31]);
    for (const { line } of lines) expect(line).toMatch(/(counters\.cu|fragments\.h):\d+$/);
  });

  it('widths and sectors of global accesses', async () => {
    const [launch] = await report('counters', ['traffic']);
    expect(launch.global_loads).toEqual({
      requests: 3,
      requests_by_bytes_per_thread: { 4: 2, 16: 1 },
      sectors: 4 + 32 + 16,
      excess_sectors: 28,
      bytes: 128 + 128 + 512,
      sectors_per_request: expect.closeTo(52 / 3, 4),
      efficiency: expect.closeTo(24 / 52, 4),
    });
    expect(launch.compulsory_bytes_read).toBe(1024);
    expect(launch.global_stores).toMatchObject({ requests: 1, requests_by_bytes_per_thread: { 8: 1 }, sectors: 8, excess_sectors: 0 });
  });

  it('instructions of loops', async () => {
    const [launch] = await report('counters', ['nested']);
    const [outer, inner] = launch.loops;
    expect(launch.loops).toHaveLength(2);
    expect(inner).toMatchObject({ depth: 1, innermost: true, iterations: 35, warp_instructions: 4 * 35, others_per_tensor_instruction: 3 });
    expect(inner.warp_instructions_by_class).toEqual({ tensor: 35, integer: 35, compare: 35, control: 35 });
    expect(outer).toMatchObject({ depth: 0, innermost: false, iterations: 5, warp_instructions: 4 * 35 + 4 * 5 });
    expect(inner.file).toMatch(/counters\.cu$/);
    expect(inner.ptx_lines[1]).toBeGreaterThan(inner.ptx_lines[0]);
  });
});
