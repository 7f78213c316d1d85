import { attention } from 'sparse-kernels';
import { describe, expect, test } from 'vitest';
import { firstMismatch } from '../reference/compare.js';
import { scoreMap, softmax, tiles } from '../reference/score.js';
import { uniform } from '../support/random.js';

describe('lines', () => {
  const shape = { batch: 1, heads: 4, kvHeads: 2, queries: 130, keys: 150, dim: 16 };
  const { heads, kvHeads, queries, keys, dim } = shape;
  const [q, k] = [uniform(heads * queries * dim, 1), uniform(kvHeads * keys * dim, 2)];

  test.each([1, 64, 130])('of the last %d queries', async (lastQueries) => {
    const { vertical, slash } = await attention.lines(
      { data: q, dims: [1, heads, queries, dim] },
      { data: k, dims: [1, kvHeads, keys, dim] },
      { lastQueries, scale: 1 },
    );
    for (let head = 0; head < heads; head++) {
      const map = scoreMap(q, k, shape, 0, head, 1, (i) => i + 1 + keys - queries).map(softmax);
      const columns = new Float64Array(keys);
      const diagonals = new Float64Array(keys);
      for (let i = queries - lastQueries; i < queries; i++) {
        for (let j = 0; j <= i + keys - queries; j++) {
          const a = map[i]?.[j] as number;
          columns[j] = (columns[j] as number) + a;
          const offset = i + keys - queries - j;
          diagonals[offset] = (diagonals[offset] as number) + a;
        }
      }
      expect(firstMismatch(vertical.data.subarray(head * keys, (head + 1) * keys), columns, 1e-5)).toBeNull();
      expect(firstMismatch(slash.data.subarray(head * keys, (head + 1) * keys), diagonals, 1e-5)).toBeNull();
    }
  });

  test('refuses more queries than keys', async () => {
    const x = { data: new Float32Array(3 * 8), dims: [1, 1, 3, 8] };
    const y = { data: new Float32Array(2 * 8), dims: [1, 1, 2, 8] };
    await expect(attention.lines(x, y)).rejects.toMatchObject({ code: 'ERR_SK_SHAPE' });
  });
});

describe('antidiagonal', () => {
  test.each([
    [256, 256, true],
    [200, 200, true],
    [130, 300, true],
    [130, 100, false],
  ])('%d queries, %d keys, causal %s', async (queries, keys, causal) => {
    const [heads, dim, stride, block] = [2, 8, 4, 32];
    const shape = { batch: 1, heads, kvHeads: 1, queries, keys, dim };
    const [q, k] = [uniform(heads * queries * dim, 1), uniform(keys * dim, 2)];
    const scores = await attention.antidiagonal(
      { data: q, dims: [1, heads, queries, dim] },
      { data: k, dims: [1, 1, keys, dim] },
      { stride, block, causal, scale: 2 },
    );
    const [rows, columns] = [Math.ceil(queries / stride), Math.ceil(keys / stride)];
    const expected = Array.from({ length: heads }, (_, head) => {
      const map = scoreMap(q, k, shape, 0, head, 2 / stride, () => keys);
      const reduced = Array.from({ length: rows }, (_, m) => {
        const row = Array.from({ length: columns }, (_, n) => {
          if (causal && n > m + columns - rows) return Number.NEGATIVE_INFINITY;
          let sum = 0;
          for (let i = 0; i < stride; i++) sum += map[m * stride + stride - 1 - i]?.[n * stride + i] ?? 0; // beyond the end: zeros
          return sum;
        });
        return softmax(row);
      });
      return tiles(reduced, [block / stride, block / stride], (values) => values.reduce((a, b) => a + b, 0));
    });
    expect(scores.dims).toEqual([1, heads, Math.ceil(queries / block), Math.ceil(keys / block)]);
    expect(firstMismatch(scores.data, expected.flat(2), 1e-5)).toBeNull();
  });
});

describe('pool and score', () => {
  test('windows that overlap drop the tail unless told to keep it', async () => {
    const x = { data: new Float32Array(50 * 8), dims: [1, 1, 50, 8] };
    expect((await attention.pool(x, { kind: 'mean', block: 32, stride: 16 })).count).toEqual(Int32Array.of(32, 32));
    expect((await attention.pool(x, { kind: 'mean', block: 32, stride: 16, tail: 'keep' })).count).toEqual(Int32Array.of(32, 32, 18, 2));
    expect((await attention.pool(x, { kind: 'mean', block: 32 })).count).toEqual(Int32Array.of(32, 18));
  });

  test('poolScores weighs windows of columns', () => {
    const scores = { data: Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8), dims: [1, 8] };
    const nsa = attention.poolScores(scores, { stride: 4, size: 5, left: 1, weights: Float32Array.of(1, 2, 2, 2, 1), windows: 2 });
    expect([...nsa.data]).toEqual([2 * 1 + 2 * 2 + 2 * 3 + 4, 4 + 2 * 5 + 2 * 6 + 2 * 7 + 8]);
  });

  test('poolScores of windows without columns: the sum of none is 0, the greatest -Infinity', () => {
    for (const columns of [0, 1]) {
      const scores = { data: new Float32Array(columns), dims: [1, columns] };
      const windows = { stride: 4, size: 1, windows: 2 };
      expect(attention.poolScores(scores, windows).data[1]).toBe(Number.NEGATIVE_INFINITY);
      expect(attention.poolScores(scores, { ...windows, weights: Float32Array.of(1) }).data[1]).toBe(0);
    }
  });

  test('async and sync agree', async () => {
    const x = { data: uniform(2 * 100 * 16, 1), dims: [1, 2, 100, 16] };
    expect((await attention.score(x, x, { kind: 'softmax' })).data).toEqual(attention.scoreSync(x, x, { kind: 'softmax' }).data);
    expect((await attention.pool(x, { kind: 'max', block: 7 })).pooled).toEqual(attention.poolSync(x, { kind: 'max', block: 7 }).pooled);
  });

  const x = { data: new Float32Array(2 * 4 * 8), dims: [1, 2, 4, 8] };
  test.each([
    ['three axes', () => attention.score({ data: new Float32Array(8), dims: [1, 1, 8] }, x), 'ERR_SK_SHAPE'],
    ['heads that do not divide', () => attention.score({ data: new Float32Array(96), dims: [1, 3, 4, 8] }, x), 'ERR_SK_SHAPE'],
    ['another dim', () => attention.score({ data: new Float32Array(32), dims: [1, 2, 4, 4] }, x), 'ERR_SK_SHAPE'],
    ['mass without lse', () => attention.score(x, x, { kind: 'mass', blockSize: [2, 2] }), 'ERR_SK_OPTION'],
    ['max by the sum of a group', () => attention.score(x, x, { kind: 'max', blockSize: [2, 2], group: 'sum' }), 'ERR_SK_OPTION'],
    ['an infinite scale', () => attention.score(x, x, { scale: Infinity }), 'ERR_SK_OPTION'],
    ['a limit of another length', () => attention.score(x, x, { limit: new Int32Array(3) }), 'ERR_SK_SHAPE'],
    ['no block', () => attention.pool(x, { kind: 'mean' }), 'ERR_SK_TYPE'],
    ['a block of 0', () => attention.pool(x, { kind: 'mean', block: 0 }), 'ERR_SK_OPTION'],
    ['offsets that descend', () => attention.pool(x, { kind: 'mean', offsets: Int32Array.of(0, 3, 2) }), 'ERR_SK_OPTION'],
    ['offsets past the end', () => attention.pool(x, { kind: 'mean', offsets: Int32Array.of(0, 5) }), 'ERR_SK_OPTION'],
    ['logits for a mean', () => attention.pool(x, { kind: 'mean', block: 2, logits: x }), 'ERR_SK_SHAPE'],
    ['a block that is no multiple of the stride', () => attention.antidiagonal(x, x, { stride: 3, block: 4 }), 'ERR_SK_OPTION'],
  ])('refuses %s', async (_, call, code) => {
    await expect(call()).rejects.toMatchObject({ code });
  });
});
