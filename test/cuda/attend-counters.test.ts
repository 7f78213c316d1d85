/** What attention on tensor cores may cost, counted by the simulator. */
import './simulated.js';

import { describe, expect, test } from 'vitest';
import { type Launch, launchesOf } from './launches.js';
import { where } from './simulated.js';

const classes = ['tensor', 'special', 'matrix_load', 'async_copy', 'load_shared', 'store_shared', 'load_global', 'store_global'];

const attended = (queries: number, keys: number, heads: number, kvHeads: number, headDim: number, dtype: string, ...rest: unknown[]) =>
  launchesOf('test/cuda/attended.ts', 108, queries, keys, heads, kvHeads, headDim, dtype, ...rest.map(String));
const named = (launches: Launch[], kernel: string) => launches.filter((launch) => launch.kernel.includes(kernel));

describe.skipIf(where !== 'simulator')('attention on tensor cores', () => {
  test.each([
    ['float16', 'f16', 128, 0.25],
    ['bfloat16', 'bf16', 128, 0.25],
    ['float16', 'f16', 64, 0.36],
    ['float16', 'f16', 256, 0.25],
  ])('%s prefill (%s), headDim %i', (dtype, type, headDim, others) => {
    const [short, long] = [256, 448].map((keys) => named(attended(64, keys, 4, 4, headDim, dtype), 'tensor_attend')[0] as Launch);
    if (!short || !long) throw new Error('no launch was reported');
    // QK^T, PV, and the sums of weights
    expect(long.tensor_instructions).toEqual({ [`mma.m16n8k16.f32.${type}.${type}.f32`]: ((4 * 4 * 448) / 64) * (headDim + 4) });
    expect(long.shared.bank_conflicts).toBe(0);
    // keys and values once for each block of queries, 16 bytes a thread, and the queries
    expect(long.async_copy_bytes).toBe(2 * 4 * 448 * headDim * 2);
    expect(long.global_loads.requests_by_bytes_per_thread['16']).toBe((2 * 4 * 448 * headDim * 2) / 512);
    expect(long.occupancy).toMatchObject({ registers_from: 'ptxas', spilled_bytes: 0 });
    // Three chunks more, in the steady state: the share of instructions that are neither mma nor exp nor memory's.
    const more = (name: string) => (long.warp_instructions_by_class[name] ?? 0) - (short.warp_instructions_by_class[name] ?? 0);
    const all = Object.keys(long.warp_instructions_by_class).reduce((sum, name) => sum + more(name), 0);
    const share = 1 - classes.reduce((sum, name) => sum + more(name), 0) / all;
    console.log(`attend ${dtype}, headDim ${headDim}: ${(100 * share).toFixed(1)} % of instructions are neither mma nor exp nor memory's`);
    expect(share).toBeLessThan(others);
  });

  test('decoding reads each key and value once', () => {
    const launches = attended(1, 2048, 8, 1, 128, 'float16', true);
    const [decode] = named(launches, 'tensor_attend');
    expect(named(launches, 'merge_parts')).toHaveLength(1);
    expect(decode?.async_copy_bytes).toBe(2 * 2048 * 128 * 2);
    expect(decode?.shared.bank_conflicts).toBe(0);
    expect(decode?.compulsory_bytes_read).toBeLessThan(2 * 2048 * 128 * 2 * 1.02);
  });

  test('decoding over listed pages reads each of their keys and values once, and nothing else', () => {
    const launches = attended(1, 2048, 8, 1, 128, 'float16', true, 16, 4);
    const [decode] = named(launches, 'tensor_attend');
    const selected = 2 * (2048 / 4) * 128 * 2;
    expect(decode?.async_copy_bytes).toBe(selected);
    expect(decode?.global_loads.requests_by_bytes_per_thread['16']).toBe(selected / 512);
    expect(decode?.compulsory_bytes_read).toBeGreaterThan(selected);
    expect(decode?.compulsory_bytes_read).toBeLessThan(selected * 1.05); // and the query, the lists and the page table
    expect(decode?.shared.bank_conflicts).toBe(0);
  });
});
