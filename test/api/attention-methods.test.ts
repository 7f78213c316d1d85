/** Each method against a direct transcription of its formulas: which keys it chooses, and the attention over them. */
import { attention, type Isa } from 'sparse-kernels';
import { describe, expect, test } from 'vitest';
import { listedPairs } from '../reference/attention.js';
import { type BlockMap, flexPrefillBlocks, meanBlocks, minferenceKeys, minferenceLines, xattentionBlocks } from '../reference/methods.js';
import { expectAttention, expectPattern, input } from './method-input.js';

const { methods, patterns } = attention;

/** The tiles of a pattern as a map of blocks, head by head. */
function expectBlocks(pattern: attention.Pattern, heads: number, expected: (h: number) => BlockMap) {
  const mask = patterns.toMask(pattern);
  const want = Array.from({ length: heads }, (_, h) => expected(h)).flat(2);
  expect([...mask].map(Boolean)).toEqual(want);
}

describe('static patterns', () => {
  test('streamingLlm is exact to the token', async () => {
    const x = input(150, 200, 2, 1);
    const result = await methods.streamingLlm({ sink: 4, window: 30 }).prefill(...x.tensors);
    const position = (i: number) => i + 50;
    expectAttention(result, x, (_, i, j) => j <= position(i) && (j < 4 || j > position(i) - 30));
  });

  test('aShape and triShape', async () => {
    const x = input(400, 400, 1, 1);
    const near = (i: number, j: number) =>
      j <= i && (j < 64 || Math.floor(j / 64) >= Math.floor(Math.max(0, Math.floor(i / 64) * 64 - 99) / 64));
    expectAttention(await methods.aShape({ initial: 50, local: 100 }).prefill(...x.tensors), x, (_, i, j) => near(i, j));
    const tri = await methods.triShape({ initial: 50, local: 100, lastQueries: 20 }).prefill(...x.tensors);
    expectAttention(tri, x, (_, i, j) => near(i, j) || (i >= 320 && j <= i));
    await expectPattern(tri, x);
  });
});

describe('moa', () => {
  test('gives each head its window', async () => {
    const x = input(400, 400, 3, 1, 8);
    const result = await methods.moa({ alphas: [100, -64, -640], betas: [0.2, 0.5, 0] }).prefill(...x.tensors);
    const windows = [2, 2, 1]; // floor(1 + 0.2 x 7), floor(-1 + 0.5 x 7), at least 1
    const blockOf = (i: number) => Math.floor(i / 64);
    const near = (h: number, i: number, j: number) => j < 64 || blockOf(j) > blockOf(i) - (windows[h] as number);
    expectAttention(result, x, (h, i, j) => j <= i && near(h, i, j));
  });

  test('refuses tables of another model', async () => {
    const x = input(64, 64, 2, 1, 8);
    await expect(methods.moa({ alphas: [1], betas: [1] }).prefill(...x.tensors)).rejects.toMatchObject({ code: 'ERR_SK_SHAPE' });
    expect(() => methods.moa({ alphas: [Number.NaN], betas: [1] })).toThrow(expect.objectContaining({ code: 'ERR_SK_OPTION' }));
  });
});

describe('minference', () => {
  const x = input(400, 450, 4, 2);
  const heads = {
    0: ['vertical_and_slash', 40, 110, 0.9],
    1: ['block_sparse', 100, 0, 0.9],
    2: ['stream_llm', 10, 70, 0.9],
    3: ['vertical_and_slash', 10, 60, 0.9],
  } as Record<string, attention.methods.MInferenceHead>;

  test.each([
    [
      [32, 16],
      [32, 16],
    ],
    [
      [64, 64],
      [64, 64],
    ], // as the authors' kernels
    [
      [16, 8],
      [16, 8],
    ],
  ] as const)('chooses the lines and blocks of the paper, tile %j', async (tile, blockSize) => {
    const result = await methods.minference({ heads, blocks: 3, ...(tile && { tile }) }).prefill(...x.tensors);
    expect(result.pattern.blockSize).toEqual(blockSize);
    const pairs = listedPairs(result.pattern);
    const lines = (h: number, v: number, s: number) => {
      const listed = minferenceKeys(x.all, minferenceLines(x.all, h, v, s), blockSize[0], blockSize[1]);
      return (i: number, j: number) => listed[Math.floor(i / blockSize[0])]?.[j] === true;
    };
    const blocks = meanBlocks(x.all, 1, 64, 3);
    const [first, last] = [(i: number) => (i & ~63) + 50, (i: number) => Math.min(i | 63, 399) + 50];
    const sees = [
      lines(0, 40, 110),
      (i: number, j: number) => blocks[i >> 6]?.[j >> 6] === true,
      (i: number, j: number) => j >> 6 <= last(i) >> 6 && (j < 64 || j >> 6 >= (first(i) - 69) >> 6), // 10 initial and 70 local tokens
      lines(3, 30, 100), // never fewer than are forced
    ];
    for (const [h, wanted] of sees.entries()) {
      const expected = Uint8Array.from({ length: 400 * 450 }, (_, at) => Number(wanted(Math.floor(at / 450), at % 450)));
      expect(pairs.subarray(h * 400 * 450, (h + 1) * 400 * 450)).toEqual(expected);
    }
    await expectPattern(result, x);
  });

  test.each<[Isa, number]>([
    ['scalar', 16],
    ['scalar16', 32],
  ])('tiles are as high as the panels of %s', async (isa, queries) => {
    const pattern = await methods.minference({ heads, isa }).pattern(x.tensors[0], x.tensors[1]);
    expect(pattern.blockSize).toEqual([queries, 16]);
  });

  test('a head that is missing has 1000 verticals and 6096 slashes: all of a short prompt', async () => {
    const result = await methods.minference().prefill(...x.tensors);
    expectAttention(result, x, (_, i, j) => j <= i + 50);
    expect((await result.report()).coveredMass).toBeCloseTo(1, 5);
  });

  test.each([
    [{ heads: { 0: ['other', 1, 1] } }, 'ERR_SK_OPTION'],
    [{ heads: { 0: ['block_sparse', -1, 1] } }, 'ERR_SK_OPTION'],
    [{ head: {} }, 'ERR_SK_OPTION'],
    [{ tile: [32, 24] }, 'ERR_SK_OPTION'],
    [{ tile: [128, 64] }, 'ERR_SK_OPTION'],
    [{ tile: 32 }, 'ERR_SK_TYPE'],
  ])('refuses %j', async (options, code) => {
    await expect((async () => methods.minference(options as never).prefill(...x.tensors))()).rejects.toMatchObject({ code });
  });
});

test.each([0.5, 0.9])('xattention, threshold %d', async (threshold) => {
  const x = input(300, 350, 2, 1);
  const result = await methods.xattention({ threshold, stride: 8, block: 64 }).prefill(...x.tensors);
  expectBlocks(result.pattern, 2, (h) => xattentionBlocks(x.all, h, 8, 64, threshold));
  await expectPattern(result, x);
});

test.each([
  [0.9, 0.1],
  [0.6, 10], // every head is query-aware
  [0.5, 0], // none is
])('flexPrefill, gamma %d, tau %d', async (gamma, tau) => {
  const x = input(300, 300, 2, 1);
  const result = await methods.flexPrefill({ gamma, tau, block: 32 }).prefill(...x.tensors);
  expectBlocks(result.pattern, 2, (h) => flexPrefillBlocks(x.all, h, 32, gamma, tau));
  await expectPattern(result, x);
});
