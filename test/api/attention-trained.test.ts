/** Methods with learned gates or trained backbones, and AnchorAttention, against direct transcriptions of their formulas. */
import { attention } from 'sparse-kernels';
import { describe, expect, test } from 'vitest';
import { denseAttention, listedPairs } from '../reference/attention.js';
import { firstMismatch } from '../reference/compare.js';
import {
  anchorPairs,
  type BlockMap,
  blocksOf,
  dot,
  kvHead,
  maxMinMean,
  means,
  rotated,
  rowsOf,
  times,
  windowMass,
} from '../reference/methods.js';
import { softmax } from '../reference/score.js';
import { ranking } from '../reference/select.js';
import { uniform } from '../support/random.js';
import { expectAttention, expectPattern, input } from './method-input.js';

const { methods, patterns } = attention;

describe('project', () => {
  test('multiplies each head by its matrix, in every batch entry', async () => {
    const [batch, heads, tokens, dim, out] = [2, 4, 5, 12, 7];
    const x = uniform(batch * heads * tokens * dim, 1);
    const weight = uniform(2 * dim * out, 2);
    const result = await attention.project({ data: x, dims: [batch, heads, tokens, dim] }, { data: weight, dims: [2, dim, out] });
    const expected = Array.from({ length: batch * heads }, (_, s) =>
      rowsOf(x, s, tokens, dim).map((row) => times(row, weight.subarray(((s % heads) >> 1) * dim * out), out)),
    );
    expect(firstMismatch(result.data, expected.flat(2), 1e-5)).toBeNull();
    await expect(
      attention.project({ data: x, dims: [batch, heads, tokens, dim] }, { data: weight, dims: [2, out, dim] }),
    ).rejects.toMatchObject({
      code: 'ERR_SK_SHAPE',
    });
  });
});

describe('seerAttention', () => {
  const [heads, kvHeads, dim, gateDim, block] = [4, 2, 16, 8, 16];
  const x = input(150, 150, heads, kvHeads, dim);
  const query = uniform(heads * dim * gateDim, 11);
  const key = uniform(kvHeads * 3 * dim * gateDim, 12);
  const gate = {
    query: { data: query, dims: [heads, dim, gateDim] },
    key: { data: key, dims: [kvHeads, 3 * dim, gateDim] },
    ropeBase: 100,
  };
  const gateKeys = (h: number, tokens = x.all.keys) =>
    maxMinMean(rowsOf(x.all.k, kvHead(x.all, h), x.all.keys, dim).slice(0, tokens), block).map((row, b) =>
      rotated(times(row, key.subarray(kvHead(x.all, h) * 3 * dim * gateDim), gateDim), b * block, 100),
    );

  function map(h: number, choose: (row: number[], blocks: number) => number[]): BlockMap {
    const k = gateKeys(h);
    return means(x.all.q, h, x.all.queries, dim, block).map((row, i, all) => {
      const q = rotated(times(row, query.subarray(h * dim * gateDim), gateDim), i * block, 100);
      const scores = k.slice(0, i + 1).map((b) => dot(q, b) / Math.sqrt(gateDim));
      const chosen = i >= all.length - 2 ? scores.map((_, j) => j) : choose(scores, k.length);
      return k.map((_, j) => chosen.includes(j));
    });
  }
  const expectMap = (pattern: attention.Pattern, choose: (row: number[], blocks: number) => number[]) =>
    expect([...patterns.toMask(pattern)].map(Boolean)).toEqual(Array.from({ length: heads }, (_, h) => map(h, choose)).flat(2));

  test('by threshold', async () => {
    const result = await methods.seerAttention({ gate, block, threshold: 0.15 }).prefill(...x.tensors);
    expectMap(result.pattern, (scores) => softmax(scores).flatMap((p, j) => (p > 0.15 ? [j] : [])));
    await expectPattern(result, x);
  });

  test('by ratio', async () => {
    const result = await methods.seerAttention({ gate, block, ratio: 0.5 }).prefill(...x.tensors);
    expectMap(result.pattern, (scores, blocks) =>
      ranking((j) => scores[j] as number, scores.length).slice(0, Math.floor((1 - Math.SQRT1_2) * blocks)),
    );
    await expectPattern(result, x);
  });

  test.each([kvHeads, heads])('a gate without a projection of queries, with keys projected for each of %i heads', async (own) => {
    const matrix = uniform(own * 3 * dim * dim, 13).map((w) => w / 4);
    const norm = uniform(dim, 14);
    const bare = { key: { data: matrix, dims: [own, 3 * dim, dim] }, queryNorm: norm, ropeBase: 100 };
    const result = await methods.seerAttention({ gate: bare, block, threshold: 0.15 }).prefill(...x.tensors);
    const maps = Array.from({ length: heads }, (_, h) => {
      const of = own === heads ? h : kvHead(x.all, h);
      const k = maxMinMean(rowsOf(x.all.k, kvHead(x.all, h), x.all.keys, dim), block).map((row, b) =>
        rotated(times(row, matrix.subarray(of * 3 * dim * dim), dim), b * block, 100),
      );
      return means(x.all.q, h, x.all.queries, dim, block).map((row, i, all) => {
        const size = Math.sqrt(dot(row, row) / dim + 1e-6);
        const q = rotated(
          row.map((value, c) => (value / size) * (norm[c] as number)),
          i * block,
          100,
        );
        const weights = softmax(k.slice(0, i + 1).map((b) => dot(q, b) / Math.sqrt(dim)));
        return k.map((_, j) => j <= i && (i >= all.length - 2 || (weights[j] as number) > 0.15));
      });
    });
    expect([...patterns.toMask(result.pattern)].map(Boolean)).toEqual(maps.flat(2));
    expect(maps.flat(2)).toContain(false);
    await expectPattern(result, x);
    expect(() => methods.seerAttentionR({ gate: bare, budget: 64 })).toThrow(expect.objectContaining({ code: 'ERR_SK_TYPE' }));
  });

  test('refuses both and neither', () => {
    expect(() => methods.seerAttention({ gate })).toThrow(expect.objectContaining({ code: 'ERR_SK_OPTION' }));
    expect(() => methods.seerAttention({ gate, ratio: 0.5, threshold: 1 })).toThrow(expect.objectContaining({ code: 'ERR_SK_OPTION' }));
  });

  test.each([false, true])('seerAttentionR: complete blocks by the gate, the newest always; a norm of queries: %s', async (normed) => {
    const norm = uniform(gateDim, 15);
    const step = { data: x.all.q.slice(0, heads * dim), dims: [1, heads, 1, dim] };
    const method = methods.seerAttentionR({ gate: { ...gate, ...(normed && { queryNorm: norm }) }, block, budget: 64 });
    let first = 0;
    for (const tokens of [10, 30, 100, 10]) {
      const part = new Float32Array(kvHeads * tokens * dim);
      for (let h = 0; h < kvHeads; h++)
        part.set(x.all.k.subarray((h * 150 + first) * dim, (h * 150 + first + tokens) * dim), h * tokens * dim);
      await method.append({ data: part, dims: [1, kvHeads, tokens, dim] });
      first += tokens;
    }
    const result = await method.decode(step, x.tensors[1], x.tensors[2]);
    for (let g = 0; g < kvHeads; g++) {
      const [a, b] = [0, 1].map((m) => {
        const h = g * 2 + m;
        return times(rowsOf(x.all.q, 0, heads, dim)[h] as number[], query.subarray(h * dim * gateDim), gateDim);
      }) as [number[], number[]];
      const group = a.map((value, c) => value + (b[c] as number)); // the norm is of the sum
      const size = Math.sqrt(dot(group, group) / gateDim + 1e-6);
      const q = rotated(normed ? group.map((value, c) => (value / size) * (norm[c] as number)) : group, 149, 100);
      const scores = gateKeys(g * 2, 144).map((row) => dot(q, row));
      const best = ranking((j) => scores[j] as number, 9).slice(0, 3);
      const { start, count, index } = result.pattern.tiles as attention.Rows;
      const list = Array.from(index.subarray(start[g], (start[g] as number) + (count[g] as number)));
      expect(list).toEqual([...best, 9].sort((a, b) => a - b));
    }
  });
});

describe('nsa', () => {
  const [heads, kvHeads, dim, length, stride, block] = [4, 2, 8, 8, 4, 16];
  const x = input(90, 90, heads, kvHeads, dim);
  const weight = (seed: number) => uniform(kvHeads * length * dim * dim, seed).map((w) => w / 4);
  const [wk, wv, pe] = [weight(21), weight(22), uniform(kvHeads * length * dim, 23)];
  const gates = uniform(90 * 3, 24).map(Math.abs);
  const method = methods.nsa({
    compressKeys: { data: wk, dims: [kvHeads, length * dim, dim] },
    compressValues: { data: wv, dims: [kvHeads, length * dim, dim] },
    keyPositions: { data: pe, dims: [kvHeads, length, dim] },
    ...{ length, stride, block, blocks: 3, initial: 1, local: 1, span: 20 },
  });
  const compress = (data: ArrayLike<number>, g: number, matrix: Float32Array, added: boolean) =>
    Array.from({ length: (90 - length) / stride + 1 }, (_, j) => {
      const flat = rowsOf(data, g, 90, dim)
        .slice(j * stride, j * stride + length)
        .flat()
        .map((value, i) => value + (added ? (pe[g * length * dim + i] as number) : 0));
      return times(flat, matrix.subarray(g * length * dim * dim), dim);
    });

  test('three branches and their gates', async () => {
    const result = await method.prefill(...x.tensors, { data: gates, dims: [1, 90, 3] });
    const windows = Math.floor((90 - length) / stride) + 1;
    const keys = Array.from({ length: kvHeads }, (_, g) => compress(x.all.k, g, wk, true).slice(0, windows));
    const values = Array.from({ length: kvHeads }, (_, g) => compress(x.v, g, wv, false).slice(0, windows));
    const coarse = denseAttention({
      ...{ batch: 1, heads, kvHeads, headDim: dim, queries: 90, keys: windows, q: x.all.q, k: keys.flat(2), v: values.flat(2) },
      scale: 1 / Math.sqrt(dim),
      sees: (_, _h, i, j) => j * stride + length - 1 <= i,
    });
    expect(firstMismatch(result.branches.compressed.output.data, coarse.output, 1e-4)).toBeNull();
    expect(result.branches.compressed.lse.data[length - 2]).toBe(Number.NEGATIVE_INFINITY);

    const lists = keys.map((k, g) => {
      const mass = windowMass(x.all, g, k, length, stride);
      return mass.map((row, i) => {
        const at = (j: number) => row[j] ?? 0;
        // The paper's double sum over m < block / stride and n < length / stride.
        const importance = Array.from({ length: Math.ceil(90 / block) }, (_, b) => {
          let total = 0;
          for (let m = 0; m < block / stride; m++) for (let n = 0; n < length / stride; n++) total += at((block / stride) * b + m - n);
          return total;
        });
        return blocksOf(importance, i, block, 3, 1, 1);
      });
    });
    const { start, count, index } = result.pattern.tiles as attention.Rows;
    const chosen = lists.map((rows, g) =>
      rows.map((_, i) => Array.from(index.subarray(start[g * 90 + i], (start[g * 90 + i] as number) + (count[g * 90 + i] as number)))),
    );
    expect(chosen).toEqual(lists);
    const { selected, window } = result.branches;
    expectAttention(selected, x, (h, i, j) => j <= i && lists[h >> 1]?.[i]?.includes(Math.floor(j / block)) === true);
    expectAttention(window, x, (_, i, j) => j <= i && j >= i - 20);
    const branches = [coarse.output, selected.output.data, window.output.data];
    const sum = Array.from(coarse.output, (_, n) => {
      const token = Math.floor(n / dim) % 90;
      return branches.reduce((total, branch, b) => total + (gates[token * 3 + b] as number) * (branch[n] as number), 0);
    });
    expect(firstMismatch(result.output.data, sum, 1e-4)).toBeNull();
  });

  test('fewer tokens than a window: no compressed branch', async () => {
    const short = input(5, 5, heads, kvHeads, dim);
    const result = await method.prefill(...short.tensors, { data: new Float32Array(15).fill(1), dims: [1, 5, 3] });
    expect(result.branches.compressed.output.data.every((y) => y === 0)).toBe(true);
  });
});

describe('infllmV2', () => {
  const x = input(300, 320, 2, 1, 8);
  test('ranks blocks by the greatest of their windows', async () => {
    const result = await methods.infllmV2({ blocks: 3, local: 1, denseLength: 100 }).prefill(...x.tensors);
    const k = rowsOf(x.all.k, 0, 320, 8);
    const keys = Array.from(
      { length: (320 - 32) / 16 + 1 },
      (_, j) => means(k.slice(j * 16, j * 16 + 32).flat(), 0, 32, 8, 32)[0] as number[],
    );
    const mass = windowMass(x.all, 0, keys, 32, 16);
    const pairs = listedPairs(result.pattern);
    mass.forEach((row, i) => {
      const scores = Array.from({ length: 5 }, (_, b) => Math.max(...row.filter((_, j) => j * 16 + 31 >= b * 64 && j * 16 < (b + 1) * 64)));
      const blocks = blocksOf(scores, i + 20, 64, 3, 1, 1);
      expect(Array.from({ length: 5 }, (_, b) => b).filter((b) => pairs[i * 320 + b * 64] !== 0)).toEqual(blocks);
    });
    await expectPattern(result, x);
  });

  test('is dense below denseLength', async () => {
    const chosen = await methods.infllmV2({ blocks: 3, local: 1, denseLength: 320 }).prefill(...x.tensors);
    expect((await chosen.report()).leastCoveredMass).toBeLessThan(0.9);
    const result = await methods.infllmV2({ blocks: 3, local: 1, denseLength: 321 }).prefill(...x.tensors);
    expect((await result.report()).leastCoveredMass).toBeCloseTo(1, 5);
  });
});

test.each([0, 2, 100])('anchorAttention, theta %d', async (theta) => {
  const x = input(200, 200, 2, 1, 16);
  const result = await methods.anchorAttention({ block: 8, step: 4, theta }).prefill(...x.tensors);
  const pairs = [0, 1].map((h) => anchorPairs(x.all, h, 8, 4, theta));
  expectAttention(result, x, (h, i, j) => pairs[h]?.[i]?.[j] === true);
  expect((await result.report()).coveredMass).toBeLessThan(1 + 1e-5);
});
