/** What the kernels may cost, counted by the simulator: numbers that do not depend on a machine. */
import './simulated.js';

import { conv } from 'sparse-kernels';
import { describe, expect, test } from 'vitest';
import { type Launch, launchesOf as launches } from './launches.js';
import { where } from './simulated.js';
import { slope } from './slope-sites.js';

const launchesOf = (multiprocessors: number, ...args: (string | number)[]) => launches('test/cuda/product.ts', multiprocessors, ...args);

describe.skipIf(where !== 'simulator')('2:4 on sparse tensor cores', () => {
  const [tokens, inputs, outputs] = [256, 512, 256];

  test.each([
    { dtype: 'float16', blocks: 'of 128 x 128', multiprocessors: 108, rowTiles: 1 },
    { dtype: 'bfloat16', blocks: 'of 128 x 128', multiprocessors: 108, rowTiles: 1 },
    { dtype: 'float16', blocks: 'of 256 x 128', multiprocessors: 1, rowTiles: 2 },
    { dtype: 'bfloat16', blocks: 'of 256 x 128', multiprocessors: 1, rowTiles: 2 },
    { dtype: 'int8', blocks: 'of 128 x 128', multiprocessors: 1, rowTiles: 1 },
    { dtype: 'int4', blocks: 'of 128 x 128', multiprocessors: 1, rowTiles: 1 },
    { dtype: 'tf32', blocks: 'of 128 x 128', multiprocessors: 108, rowTiles: 1 },
    { dtype: 'tf32', blocks: 'of 256 x 128', multiprocessors: 1, rowTiles: 2 },
    { dtype: 'w8a8', blocks: 'of 128 x 128', multiprocessors: 108, rowTiles: 1 },
    { dtype: 'w8a8', blocks: 'of 256 x 128', multiprocessors: 1, rowTiles: 2 },
  ])('$dtype, blocks $blocks', ({ dtype, multiprocessors, rowTiles }) => {
    const [w8a8, tf32] = [dtype === 'w8a8', dtype === 'tf32'];
    const launches = launchesOf(multiprocessors, tokens, inputs, outputs, dtype, tf32 ? '1:4' : '2:4');
    const kernels = launches.map(({ kernel }) => /sparse_mma|\w+_rows|finish_splits/.exec(kernel)?.[0]);
    expect(kernels).toEqual([...(w8a8 ? ['quantise_rows'] : tf32 ? ['round_rows'] : []), 'sparse_mma']);
    const launch = launches.at(-1) as Launch;
    const valueBytes = { int8: 4096, int4: 2048 }[dtype] ?? 8192;
    const scaleBytes = dtype === 'int4' ? 2 * 128 * 2 : 0; // of groups of 32
    const weightTile = valueBytes + (w8a8 ? 2048 : 1024) + scaleBytes; // with metadata
    const xTile = 128 * 128;
    const tileInputs = w8a8 ? 128 : tf32 ? 32 : 64;
    const blocks = (tokens / 128) * (outputs / 128 / rowTiles);
    const minimum = blocks * (inputs / tileInputs) * (rowTiles * weightTile + xTile);
    const [halves, bytes, words] = ['m16n8k32.f32.f16.f16.f32', 'm16n8k64.s32.s8.s8.s32', 'm16n8k16.f32.tf32.tf32.f32'];
    const shape = { float16: halves, bfloat16: 'm16n8k32.f32.bf16.bf16.f32', int8: halves, int4: halves, w8a8: bytes, tf32: words }[dtype];
    expect(launch.tensor_instructions).toEqual({
      [`mma.sp::ordered_metadata.${shape}`]: (tokens * inputs * outputs) / ((16 * 8 * tileInputs) / 2),
    });
    expect(launch.shared.bank_conflicts).toBe(0);
    expect(Object.keys(launch.global_loads.requests_by_bytes_per_thread)).toEqual(['int8', 'w8a8'].includes(dtype) ? ['4', '16'] : ['16']); // 4: scales
    expect(Object.keys(launch.global_stores.requests_by_bytes_per_thread)).toEqual(['16']);
    expect(launch.global_stores.excess_sectors).toBe(0);
    for (const { line } of launch.inefficient_lines) expect(line).toMatch(/cuda\/eights.h|scale/); // the bias, and scales, once a block
    expect(launch.async_copy_bytes).toBe(minimum);
    expect(launch.occupancy).toMatchObject({ registers_from: 'ptxas', spilled_bytes: 0 });
    const [mainLoop] = launch.loops.filter((loop) => loop.others_per_tensor_instruction !== undefined);
    expect(mainLoop?.innermost).toBe(true);
    // To widen 4-bit values takes 16 for each eight mma.sp.
    expect(mainLoop?.others_per_tensor_instruction).toBeLessThan(dtype === 'int4' ? 3.5 : 2.5);
  });

  test.each([
    { dtype: 'float16', tileBytes: 128 * 64 + 1024 },
    { dtype: 'int4', tileBytes: 128 * 16 + 1024 + 2 * 128 * 2 },
  ])('one token, $dtype: the inputs are split over the multiprocessors, and the weight is read once', ({ dtype, tileBytes }) => {
    const [product, finish] = launchesOf(108, 1, 2048, 256, dtype) as [Launch, Launch];
    expect([product.kernel, finish.kernel].map((name) => /sparse_mma|finish_splits/.exec(name)?.[0])).toEqual([
      'sparse_mma',
      'finish_splits',
    ]);
    const weightBytes = (256 / 128) * (2048 / 64) * tileBytes;
    const xBytes = (256 / 128) * 2048 * 2; // by each row block
    expect(product.global_loads.bytes).toBe(weightBytes + xBytes);
    expect(product.shared.bank_conflicts).toBe(0);
    expect(product.occupancy).toMatchObject({ registers_from: 'ptxas', spilled_bytes: 0 });
  });
});

test.skipIf(where !== 'simulator').each([
  { pattern: '2:8', rows: 128, venom: 'venom', columns: 64, k: 2048 / 2 },
  { pattern: '2:8', rows: 128, venom: '', columns: 32, k: 2048 / 4 },
  { pattern: '2:8', rows: 64, venom: 'venom', columns: 64, k: 2048 / 2 },
  { pattern: '2:16', rows: 32, venom: 'venom', columns: 64, k: (2 * 2048) / 4 }, // of both halves of a tile
  { pattern: '2:8', rows: 64, venom: '', columns: 32, k: 2048 / 4 },
])('gathered columns of $rows rows, $pattern $venom', ({ pattern, rows, venom, columns, k }) => {
  const [tokens, inputs, outputs] = [128, 2048, 128];
  const tileRows = Math.max(rows, 64);
  const [transpose, product] = launchesOf(108, tokens, inputs, outputs, 'float16', pattern, rows, venom) as [Launch, Launch];
  expect([transpose, product].map(({ kernel }) => /transpose_rows|gathered_mma/.exec(kernel)?.[0])).toEqual([
    'transpose_rows',
    'gathered_mma',
  ]);
  const blocks = (tokens / 128) * (outputs / tileRows);
  expect(product.async_copy_bytes).toBe(blocks * (k / columns) * (tileRows * (64 + 8) + columns * 128 * 2));
  expect(Object.values(product.tensor_instructions)).toEqual([(tokens * outputs * (k / columns) * 64) / (16 * 8 * 32)]);
  expect(product.shared.bank_conflicts).toBe(0);
  expect(Object.keys(product.global_loads.requests_by_bytes_per_thread).sort()).toEqual(['16', '4']); // 4: columns, starts
  expect(Object.keys(product.global_stores.requests_by_bytes_per_thread)).toEqual(['16']);
  expect(product.occupancy).toMatchObject({ registers_from: 'ptxas', spilled_bytes: 0 });
  const [mainLoop] = product.loops.filter((loop) => loop.others_per_tensor_instruction !== undefined);
  expect(mainLoop?.others_per_tensor_instruction).toBeLessThan(tileRows === 64 ? 2.75 : 2.5); // half as many mma.sp for the x of a tile
});

test.skipIf(where !== 'simulator').each([
  { dtype: 'float16', kernels: ['transpose_rows', 'cells_product'], xBytes: 4 },
  { dtype: 'w8a8', kernels: ['quantise_rows', 'transpose_byte_rows', 'cells_product'], xBytes: 1 },
])('any pattern on CUDA cores, $dtype: x is copied once by each row block, nothing is spilled', ({ dtype, kernels, xBytes }) => {
  const [tokens, inputs, outputs] = [128, 512, 128];
  const launches = launchesOf(108, tokens, inputs, outputs, dtype, '1:8');
  expect(launches.map(({ kernel }) => /\w+_rows|cells_product/.exec(kernel)?.[0])).toEqual(kernels);
  const product = launches.at(-1) as Launch;
  expect(product.async_copy_bytes).toBe((outputs / 64) * inputs * tokens * xBytes);
  expect(Object.keys(product.global_stores.requests_by_bytes_per_thread)).toEqual(['16']);
  for (const { global_loads, global_stores, occupancy } of launches) {
    expect(global_loads.excess_sectors + global_stores.excess_sectors).toBe(0);
    expect(occupancy).toMatchObject({ registers_from: 'ptxas', spilled_bytes: 0 });
  }
});

test.skipIf(where !== 'simulator')('convolution over a map: 16 bytes a copy, no bank conflicts, nothing spilled', () => {
  const [launch] = launches('test/cuda/convolution.ts', 108, 40, 64, 64).filter(({ kernel }) => kernel.includes('gather_mma')) as [Launch];
  expect(launch.shared.bank_conflicts).toBe(0);
  expect(Object.keys(launch.global_loads.requests_by_bytes_per_thread).sort()).toEqual(['16', '4']); // 4: where the rows of a group are
  expect(Object.keys(launch.global_stores.requests_by_bytes_per_thread)).toEqual(['16']);
  expect(launch.occupancy).toMatchObject({ registers_from: 'ptxas', spilled_bytes: 0 });
  const [mainLoop] = launch.loops.filter((loop) => loop.others_per_tensor_instruction !== undefined);
  expect(mainLoop?.others_per_tensor_instruction).toBeLessThan(4);
});

test.skipIf(where !== 'simulator')(
  'maps on a device: nothing spilled, tables written in whole sectors, few products beside those of pairs',
  () => {
    const all = launches('test/cuda/slope.ts', 108, 48);
    const named = (name: string) => all.filter(({ kernel }) => kernel.includes(name));
    for (const name of ['match_sites', 'row_masks', 'arrange_rows', 'key_coordinates', 'site_keys']) {
      expect(named(name).length).toBeGreaterThan(0);
      for (const { global_stores } of named(name)) expect(global_stores.excess_sectors).toBe(0);
    }
    for (const { occupancy } of all) expect(occupancy).toMatchObject({ registers_from: 'ptxas', spilled_bytes: 0 });
    const [product] = named('gather_mma') as [Launch];
    const [instructions = 0] = Object.values(product.tensor_instructions);
    const products = conv.map(slope(48), { kernelSize: 3 }).pairCount * 32 * 64;
    expect((instructions * 16 * 8 * 16) / products).toBeLessThan(1.2); // 1.94 if rows stood in the order of the keys
  },
);
