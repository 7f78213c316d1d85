/** Further methods that choose blocks or tokens of a prompt, against direct transcriptions of their formulas. */
import { attention } from 'sparse-kernels';
import { describe, expect, test } from 'vitest';
import { firstMismatch } from '../reference/compare.js';
import { kvHead, means, rowsOf, windowMass } from '../reference/methods.js';
import { dhsaTokens, logits, mixture, notExceeding, pbsSees, proxyBlocks, spargeBlocks } from '../reference/methods-published.js';
import { ranking } from '../reference/select.js';
import { uniform } from '../support/random.js';
import { expectAttention, expectPattern, input } from './method-input.js';

const { methods } = attention;
const range = (n: number) => Array.from({ length: n }, (_, i) => i);
const dot = (a: readonly number[], b: readonly number[]) => a.reduce((total, x, i) => total + x * (b[i] as number), 0);

/** A float32 tensor against rows of numbers. */
const expectRows = (actual: { data: ArrayLike<number> }, expected: number[][], tolerance = 1e-4) =>
  expect(firstMismatch(actual.data, expected.flat(), tolerance)).toBeNull();

describe('pbsAttn', () => {
  test.each([
    [300, 300, 2, 2],
    [256, 320, 4, 2],
  ])('%d queries, %d keys, %d and %d heads', async (queries, keys, heads, kvHeads) => {
    const x = input(queries, keys, heads, kvHeads);
    const result = await methods.pbsAttn({ block: 32, segment: 64, threshold: 0.6 }).prefill(...x.tensors);
    expectAttention(result, x, pbsSees(x.all, 32, 64, 0.6));
    expect(result.density).toBeLessThan(0.6);
    expect((await result.report()).coveredMass).toBeGreaterThan(0.3);
  });

  test('a prompt of one segment is dense', async () => {
    const x = input(60, 60, 2, 1);
    const result = await methods.pbsAttn().prefill(...x.tensors);
    expectAttention(result, x, (_, i, j) => j <= i);
    expect([...result.permutation.data]).toEqual(Array.from({ length: 60 }, (_, j) => j)); // the pattern is of keys as they lie
  });
});

test.each([
  [4, 4, 2],
  [4, 2, 4],
  [6, 2, 3], // the middle proxy has heads of both groups
  [6, 3, 2],
])('proxyAttn, %d and %d heads, %d proxies', async (heads, kvHeads, proxies) => {
  const x = input(256, 320, heads, kvHeads);
  const result = await methods.proxyAttn({ proxies, threshold: 0.7, block: 32 }).prefill(...x.tensors);
  const maps = range(heads).map((h) => proxyBlocks(x.all, h, proxies, 32, 0.7));
  expectAttention(result, x, (h, i, j) => j <= i + 64 && maps[h]?.[i >> 5]?.[j >> 5] === true);
  await expectPattern(result, x);
});

test('powerAttention sees first, local and power-of-two blocks', async () => {
  const x = input(500, 560, 1, 1, 8);
  const result = await methods.powerAttention({ window: 30, sink: 10, block: 16 }).prefill(...x.tensors);
  const distance = (i: number, j: number) => ((Math.min((i >> 4) * 16 + 15, 499) + 60) >> 4) - (j >> 4);
  expectAttention(result, x, (_, i, j) => j <= i + 60 && (j < 16 || distance(i, j) < 2 || [2, 4, 8, 16, 32].includes(distance(i, j))));
});

describe('dhsa', () => {
  const x = input(300, 330, 4, 2);

  test.each([undefined, [0, 7, 50, 51, 120, 200, 290, 330]])('boundaries %j', async (boundaries) => {
    const result = await methods
      .dhsa({ budget: 150, recent: 20, global: 12, ...(boundaries && { boundaries: Int32Array.from(boundaries) }) })
      .prefill(...x.tensors);
    const even = [0, 64, 128, 192, 256, 320, 330];
    const tokens = dhsaTokens(x.all, boundaries ?? even, 150, 20, 12);
    expectAttention(result, x, (_, i, j) => j <= i + 30 && tokens[i >> 6]?.has(j) === true);
    await expectPattern(result, x);
  });

  test('refuses boundaries of another length', async () => {
    const method = methods.dhsa({ budget: 10, boundaries: Int32Array.of(0, 5) });
    await expect(method.prefill(...x.tensors)).rejects.toMatchObject({ code: 'ERR_SK_OPTION' });
  });
});

test.each([
  { topP: 0.7, similarity: 0.15 },
  { topP: 0.98, similarity: -1 },
  { topK: 0.3, similarity: 0.1 },
])('spargeAttn %j', async (o) => {
  const x = input(300, 340, 2, 1);
  const result = await methods.spargeAttn({ ...o, blockSize: [64, 32] }).prefill(...x.tensors);
  const columns = Math.ceil(340 / 32);
  const best = (row: number[]) => ranking((j) => row[j] as number, row.length).slice(0, Math.ceil(0.3 * columns));
  const maps = range(2).map((h) => spargeBlocks(x.all, h, 64, 32, o.similarity, o.topP === undefined ? best : notExceeding(o.topP)));
  expectAttention(result, x, (h, i, j) => j <= i + 40 && maps[h]?.[i >> 6]?.[j >> 5] === true);
  await expectPattern(result, x);
});

test('nosa: the query chooses some blocks, the keys the others, and bias the logits', async () => {
  const [heads, kvHeads, dim, tokens] = [2, 1, 16, 500];
  const x = input(tokens, tokens, heads, kvHeads, dim);
  const delta = uniform(kvHeads * dim, 5);
  const a = Float32Array.of(1.5);
  const method = methods.nosa({ delta: { data: delta, dims: [kvHeads, dim] }, a, blocks: 6, queryBlocks: 2, local: 1 });
  const result = await method.prefill(...x.tensors);
  const c = range(kvHeads).map((g) =>
    rowsOf(x.v, g, tokens, dim).map((v) => (a[g] as number) * Math.log1p(Math.exp(dot(v, [...delta.subarray(g * dim, (g + 1) * dim)])))),
  );
  expectRows(result.importance, c, 1e-5);
  const { coveredMass } = await result.report(tokens); // of dense attention with the same biases
  expect(coveredMass).toBeGreaterThan(0.2);
  expect(coveredMass).toBeLessThan(1 + 1e-5);
  const windows = Math.floor((tokens - 32) / 16) + 1;
  const expected = range(heads).flatMap((h) => {
    const g = kvHead(x.all, h);
    const keys = range(windows).map(
      (n) =>
        means(
          rowsOf(x.all.k, g, tokens, dim)
            .slice(n * 16, n * 16 + 32)
            .flat(),
          0,
          32,
          dim,
          32,
        )[0] as number[],
    );
    const mass = windowMass(x.all, g, keys, 32, 16);
    const best = range(8).map((b) => Math.max(...(c[g] as number[]).slice(b * 64, (b + 1) * 64)));
    const scores = logits(x.all, h, true);
    const values = rowsOf(x.v, g, tokens, dim);
    return range(tokens).map((i) => {
      const ranked = range(8).map((b) => Math.max(...range(5).map((n) => mass[i]?.[4 * b - 1 + n] ?? Number.NEGATIVE_INFINITY)));
      const seen = (i >> 6) + 1;
      const blocks = new Set([0, seen - 1]);
      for (const b of ranking((n) => ranked[n] as number, seen))
        if (blocks.size < 4 && ranked[b] !== Number.NEGATIVE_INFINITY) blocks.add(b);
      for (const b of ranking((n) => best[n] as number, 8)) if (b < seen && blocks.size < 6) blocks.add(b);
      const keysSeen = range(i + 1).filter((j) => blocks.has(j >> 6));
      return mixture(
        keysSeen.map((j) => ({ logit: (scores[i]?.[j] as number) + (c[g]?.[j] as number), value: values[j] as number[] })),
        dim,
      );
    });
  });
  expectRows(result.output, expected);
});
