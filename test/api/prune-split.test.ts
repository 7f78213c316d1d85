/** The rules that split weights or reorder them, against their oracles. */
import { prune } from 'sparse-kernels';
import { describe, expect, it } from 'vitest';
import { firstMismatch } from '../reference/compare.js';
import { toRows } from '../reference/prune.js';
import * as oracle from '../reference/prune-training.js';
import { uniform } from '../support/random.js';

const tensor = (data: Float32Array, ...dims: number[]) => ({ data, dims });
const code = (expected: string) => expect.objectContaining({ code: expected });

describe('lost', () => {
  it.each([
    [6, 9],
    [9, 6],
    [8, 8],
    [1, 5],
  ])('splits [%i, %i] into the best low rank and the largest columns of the rest', (out, inputs) => {
    const data = uniform(out * inputs, 7);
    const rows = toRows(data, inputs);
    const gram = rows.map((a) => rows.map((b) => a.reduce((sum, value, k) => sum + value * (b[k] as number), 0)));
    const squares = oracle.eigenvalues(gram);
    for (const rank of [0, 1, Math.min(out, inputs)]) {
      const { u, v, channels, sparse } = prune.lost(tensor(data, out, inputs), { rank, channels: 2 });
      expect([u.dims, v.dims, sparse.dims]).toEqual([
        [out, rank],
        [rank, inputs],
        [out, 2],
      ]);
      const rest = rows.map((row, o) =>
        row.map((w, i) => {
          let sum = w;
          for (let k = 0; k < rank; k++) sum -= (u.data[o * rank + k] as number) * (v.data[k * inputs + i] as number);
          return sum;
        }),
      );
      const error = rest.flat().reduce((sum, value) => sum + value ** 2, 0);
      const smallest = squares.slice(rank).reduce((a, b) => a + Math.max(b, 0), 0); // Eckart and Young: no rank does better
      expect(error).toBeCloseTo(smallest, 5);
      if (rank === Math.min(out, inputs)) continue; // nothing is left to rank
      const norms = rest[0]?.map((_, i) => rest.reduce((sum, row) => sum + (row[i] as number) ** 2, 0)) as number[];
      const largest = norms.map((_, i) => i).sort((i, j) => (norms[j] as number) - (norms[i] as number));
      expect([...channels]).toEqual(largest.slice(0, 2).sort((a, b) => a - b));
      expect(
        firstMismatch(
          sparse.data,
          rest.flatMap((row) => [...channels].map((i) => row[i] as number)),
          1e-6,
        ),
      ).toBeNull();
    }
  });

  it('refuses more than there is', () => {
    const weight = tensor(uniform(12, 1), 3, 4);
    expect(() => prune.lost(weight, { rank: 4, channels: 0 })).toThrow(code('ERR_SK_OPTION'));
    expect(() => prune.lost(weight, { rank: 3, channels: 5 })).toThrow(code('ERR_SK_OPTION'));
    expect(prune.lost(tensor(new Float32Array(12), 3, 4), { rank: 2, channels: 4 }).sparse.data).toEqual(new Float32Array(12));
  });
});

describe('s2ft', () => {
  const [out, channels] = [5, 12];
  const down = tensor(uniform(out * channels, 3), out, channels);
  const calibration = new prune.Calibration(channels);
  calibration.add(tensor(uniform(4 * channels, 4), 4, channels));
  const weights = Array.from({ length: channels }, (_, c) =>
    toRows(down.data, channels).reduce((sum, row) => sum + (row[c] as number) ** 2, 0),
  );
  const activations = [...calibration.squares];

  it.each(['weight', 'activation', 'product'] as const)('brings the largest and the smallest to the front: %s', (by) => {
    for (const group of [1, 3]) {
      const sums = (of: number[]) =>
        Array.from({ length: channels / group }, (_, g) => of.slice(g * group, (g + 1) * group).reduce((a, b) => a + b));
      const [w, a] = [sums(weights), sums(activations)];
      const scores = by === 'weight' ? w : by === 'activation' ? a : w.map((value, g) => value * (a[g] as number));
      const ranked = scores.map((_, g) => g).sort((g, h) => (scores[h] as number) - (scores[g] as number));
      for (const smallest of [false, true]) {
        const chosen = (smallest ? ranked.slice(-2) : ranked.slice(0, 2)).sort((g, h) => g - h);
        const others = scores.map((_, g) => g).filter((g) => !chosen.includes(g));
        const want = [...chosen, ...others].flatMap((g) => Array.from({ length: group }, (_, i) => g * group + i));
        expect([...prune.s2ft(down, { count: 2, group, by, smallest, calibration })]).toEqual(want);
      }
    }
  });

  it('permutes two layers so that they compute the same', () => {
    const up = tensor(uniform(channels * 4, 5), channels, 4);
    const order = prune.s2ft(down, { count: 5, seed: 2 });
    const product = (a: Float32Array, b: Float32Array) =>
      Array.from({ length: out * 4 }, (_, k) => {
        let sum = 0;
        for (let c = 0; c < channels; c++) sum += (a[Math.floor(k / 4) * channels + c] as number) * (b[c * 4 + (k % 4)] as number);
        return sum;
      });
    const permuted = product(prune.permuteColumns(down, order).data, prune.permuteRows(up, order).data);
    expect(firstMismatch(permuted, product(down.data, up.data), 1e-6)).toBeNull();
    expect(order).not.toEqual(Int32Array.from({ length: channels }, (_, c) => c));
    expect(prune.s2ft(down, { count: 5, seed: 2 })).toEqual(order);
  });

  it('refuses what does not fit', () => {
    const odd = { data: Float32Array.of(1, 9, 2, 8, 3), dims: [1, 5] };
    expect([...prune.s2ft(odd, { count: 2, by: 'weight' })]).toEqual([1, 3, 0, 2, 4]); // channel by channel, unless told otherwise
    expect(() => prune.s2ft(down, { count: 3, group: 5 })).toThrow(code('ERR_SK_SHAPE'));
    expect(() => prune.s2ft(down, { count: 13 })).toThrow(code('ERR_SK_OPTION'));
    expect(() => prune.s2ft(down, { count: 1, by: 'activation' })).toThrow(code('ERR_SK_TYPE'));
    expect(() => prune.permuteColumns(down, Int32Array.of(0))).toThrow(code('ERR_SK_OPTION'));
    expect(() => prune.permuteRows(down, Int32Array.of(0, 1, 2, 3, 3))).toThrow(code('ERR_SK_OPTION'));
    expect(() => prune.permuteRows(down, [4, 3, 2, 1, 0] as unknown as Int32Array)).toThrow(code('ERR_SK_TYPE'));
  });
});

describe('permutationSearch', () => {
  it.each([
    ['2:4', 6, 16],
    ['1:4', 3, 21],
    ['2:8', 4, 30],
    ['3:5', 2, 13],
    ['1:2', 5, 10],
  ] as const)('ends where no exchange gains: %s of [%i, %i]', (pattern, out, inputs) => {
    const [n, m] = pattern.split(':').map(Number) as [number, number];
    for (const seed of [1, 2, 3]) {
      const data = uniform(out * inputs, seed).map((value) => value ** 5);
      const weight = tensor(data, out, inputs);
      const { order, before, after } = prune.permutationSearch(weight, { pattern, sweeps: 100 });
      const kept = (columns: ArrayLike<number>) =>
        oracle.keptMagnitude(
          toRows(data, inputs).map((row) => Array.from(columns, (c) => row[c] as number)),
          n,
          m,
        );
      expect(before).toBeCloseTo(kept(Array.from({ length: inputs }, (_, c) => c)), 9);
      expect(after).toBeCloseTo(kept(order), 9);
      expect(after).toBeGreaterThan(before);
      for (let i = 0; i < inputs; i++) {
        for (let j = 0; j < i; j++) {
          const swapped = [...order];
          [swapped[i], swapped[j]] = [swapped[j] as number, swapped[i] as number];
          expect(kept(swapped)).toBeLessThanOrEqual(after * (1 + 2e-9));
        }
      }
      const pruned = prune.magnitude(prune.permuteColumns(weight, order), { scope: 'nm', pattern }).weight.data;
      expect(pruned.reduce((sum, value) => sum + Math.abs(value), 0)).toBeCloseTo(after, 5);
    }
  });

  it('finds the order of the example, and none where there is nothing to gain', () => {
    const { before, after } = prune.permutationSearch(tensor(Float32Array.of(9, 8, 7, 1, 1, 1, 1, 1), 1, 8), { pattern: '2:4' });
    expect([before, after]).toEqual([19, 25]);
    const same = prune.permutationSearch(tensor(new Float32Array(16).fill(1), 2, 8), { pattern: '2:4' });
    expect([...same.order]).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(prune.permutationSearch(tensor(uniform(16, 1), 2, 8), { pattern: '2:4', sweeps: 0 }).after).toBeGreaterThan(0);
  });
});
