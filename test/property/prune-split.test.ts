/** Laws of the rules that split weights or reorder them. */
import fc from 'fast-check';
import { prune } from 'sparse-kernels';
import { expect, test } from 'vitest';
import { calibrated, exact, of, pattern, seed, small, transposed, type Weight } from './prune-inputs.js';

/** Few rows and columns that repeat, so that low ranks are common. */
const low = fc.oneof(
  small,
  fc
    .tuple(fc.integer({ min: 1, max: 8 }), fc.integer({ min: 1, max: 12 }), fc.integer({ min: -3, max: 3 }), fc.integer({ min: 1, max: 3 }))
    .map(
      ([out, inputs, a, b]): Weight => ({
        data: Float32Array.from({ length: out * inputs }, (_, i) => ((Math.floor(i / inputs) % b) + 1) * (((i % inputs) % 3) + a)),
        dims: [out, inputs],
      }),
    ),
);
const squares = (values: ArrayLike<number>) => Array.from(values).reduce((sum, value) => sum + value ** 2, 0);

/** What the parts of a weight leave of it. */
function rest({ data, dims: [out, inputs] }: Weight, { u, v, channels, sparse }: prune.LostParts): Float64Array {
  const [rank, count] = [v.dims[0] as number, channels.length];
  const left = Float64Array.from(data);
  for (let o = 0; o < out; o++) {
    for (let i = 0; i < inputs; i++) {
      for (let k = 0; k < rank; k++)
        left[o * inputs + i] = (left[o * inputs + i] as number) - (u.data[o * rank + k] as number) * (v.data[k * inputs + i] as number);
    }
    channels.forEach((i, c) => {
      left[o * inputs + i] = (left[o * inputs + i] as number) - (sparse.data[o * count + c] as number);
    });
  }
  return left;
}

test('low rank and channels leave less with every rank and channel, and nothing of all', () => {
  fc.assert(
    fc.property(low, fc.nat(), fc.nat(), (weight, a, b) => {
      const [out, inputs] = weight.dims;
      const most = Math.min(out, inputs);
      const [rank, channels] = [a % (most + 1), b % (inputs + 1)];
      const error = (rank: number, channels: number) => squares(rest(weight, prune.lost(weight, { rank, channels })));
      const slack = 1e-10 * squares(weight.data);
      const here = error(rank, channels);
      if (rank < most) expect(error(rank + 1, 0)).toBeLessThanOrEqual(error(rank, 0) + slack);
      if (channels < inputs) expect(error(rank, channels + 1)).toBeLessThanOrEqual(here + slack);
      expect(error(most, channels)).toBeLessThanOrEqual(slack);
      expect(error(rank, inputs)).toBeLessThanOrEqual(slack);
    }),
  );
});

test('the columns of U and the rows of V are orthogonal, of the same descending lengths', () => {
  fc.assert(
    fc.property(low, ({ data, dims: [out, inputs] }) => {
      const rank = Math.min(out, inputs);
      const { u, v } = prune.lost({ data, dims: [out, inputs] }, { rank, channels: 0 });
      const largest = Math.sqrt(squares(data)) + 1e-30;
      const column = (k: number) => Array.from({ length: out }, (_, o) => u.data[o * rank + k] as number);
      const row = (k: number) => Array.from(v.data.subarray(k * inputs, (k + 1) * inputs));
      const dot = (a: number[], b: number[]) => a.reduce((sum, value, i) => sum + value * (b[i] as number), 0);
      let last = Infinity;
      for (let k = 0; k < rank; k++) {
        const length = dot(column(k), column(k));
        expect(Math.abs(length - dot(row(k), row(k)))).toBeLessThanOrEqual(1e-6 * largest);
        expect(length).toBeLessThanOrEqual(last + 1e-6 * largest);
        last = length;
        for (let j = 0; j < k; j++) {
          expect(Math.abs(dot(column(k), column(j)))).toBeLessThanOrEqual(1e-6 * largest);
          expect(Math.abs(dot(row(k), row(j)))).toBeLessThanOrEqual(1e-6 * largest);
        }
      }
    }),
  );
});

test('the transpose leaves as much at every rank, and a weight of twice the size four times as much', () => {
  fc.assert(
    fc.property(low, fc.nat(), (weight, a) => {
      const [out, inputs] = weight.dims;
      const rank = a % (Math.min(out, inputs) + 1);
      const error = (of: Weight) => squares(rest(of, prune.lost(of, { rank, channels: 0 })));
      const slack = 1e-9 * squares(weight.data);
      const here = error(weight);
      expect(Math.abs(error({ data: transposed(weight.data, weight.dims), dims: [inputs, out] }) - here)).toBeLessThanOrEqual(slack);
      expect(Math.abs(error({ data: weight.data.map((w) => 2 * w), dims: weight.dims }) - 4 * here)).toBeLessThanOrEqual(4 * slack);
    }),
  );
});

/** A second layer, inputs of it, and how many groups of channels to train. */
const second = small.chain((weight) => {
  const inputs = weight.dims[1];
  const divisors = Array.from({ length: inputs }, (_, i) => i + 1).filter((group) => inputs % group === 0);
  return fc.record({
    weight: fc.constant(weight),
    x: of(fc.integer({ min: -20, max: 20 }), 3, inputs),
    group: fc.constantFrom(...divisors),
    share: fc.nat(100),
    by: fc.constantFrom('random' as const, 'weight' as const, 'activation' as const, 'product' as const),
    smallest: fc.boolean(),
    seed,
  });
});

test('S2FT brings whole groups to the front, each channel once, none before a better one', () => {
  fc.assert(
    fc.property(second, ({ weight, x, group, share, by, smallest, seed }) => {
      const [out, inputs] = weight.dims;
      const count = Math.round((share / 100) * (inputs / group));
      const calibration = calibrated(x, inputs, 1);
      const order = prune.s2ft(weight, { count, group, by, smallest, calibration, seed });
      expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: inputs }, (_, i) => i));
      order.forEach((channel, i) => {
        if (i % group > 0) expect(channel).toBe((order[i - 1] as number) + 1);
        else expect(channel % group).toBe(0);
      });
      const groups = Array.from({ length: inputs / group }, (_, g) => (order[g * group] as number) / group);
      for (const part of [groups.slice(0, count), groups.slice(count)]) expect(part).toEqual([...part].sort((a, b) => a - b));
      if (by === 'random') return;
      const norms = groups.map((g) => {
        let [w, a] = [0, 0];
        for (let c = g * group; c < (g + 1) * group; c++) {
          for (let o = 0; o < out; o++) w += (weight.data[o * inputs + c] as number) ** 2;
          a += calibration.squares[c] as number;
        }
        return Math.fround((smallest ? -1 : 1) * (by === 'weight' ? w : by === 'activation' ? a : w * a));
      });
      expect(Math.min(...norms.slice(0, count))).toBeGreaterThanOrEqual(Math.max(...norms.slice(count)));
    }),
  );
});

/** A weight and an order of so many channels. */
const shuffled = (axis: 0 | 1) =>
  exact.chain((weight) => {
    const channels = Array.from({ length: weight.dims[axis] }, (_, i) => i);
    return fc.shuffledSubarray(channels, { minLength: channels.length }).map((order) => ({ weight, order: Int32Array.from(order) }));
  });

test('a permutation and its inverse are nothing, and rows are the columns of the transpose', () => {
  fc.assert(
    fc.property(shuffled(1), ({ weight, order }) => {
      const inverse = order.map((_, i) => order.indexOf(i));
      const columns = prune.permuteColumns(weight, order);
      expect(prune.permuteColumns(columns, inverse).data).toEqual(weight.data);
      const [out, inputs] = weight.dims;
      const turned = { data: transposed(weight.data, weight.dims), dims: [inputs, out] };
      expect(prune.permuteRows(turned, order).data).toEqual(transposed(columns.data, weight.dims));
    }),
  );
});

test('a permutation search permutes, keeps no less than before, and as much as it says', () => {
  fc.assert(
    fc.property(small, pattern, fc.nat(3), (weight, pattern, sweeps) => {
      const { order, before, after } = prune.permutationSearch(weight, { pattern, sweeps });
      expect([...order].sort((a, b) => a - b)).toEqual(Array.from(order, (_, i) => i));
      const kept = (of: Parameters<typeof prune.magnitude>[0]) =>
        prune.magnitude(of, { scope: 'nm', pattern }).weight.data.reduce((sum, value) => sum + Math.abs(value), 0);
      expect(before).toBe(kept(weight));
      expect(after).toBe(kept(prune.permuteColumns(weight, order)));
      expect(after).toBeGreaterThanOrEqual(before);
      expect(after).toBeLessThanOrEqual(weight.data.reduce((sum, value) => sum + Math.abs(value), 0));
      if (sweeps === 0) expect([...order]).toEqual(Array.from(order, (_, i) => i));
    }),
  );
});

test('a permutation search ends where no exchange of two channels gains', () => {
  fc.assert(
    fc.property(small, pattern, (weight, pattern) => {
      const kept = (order: Int32Array) =>
        prune
          .magnitude(prune.permuteColumns(weight, order), { scope: 'nm', pattern })
          .weight.data.reduce((sum, value) => sum + Math.abs(value), 0);
      const { order, after } = prune.permutationSearch(weight, { pattern, sweeps: 1000 });
      for (let i = 0; i < order.length; i++) {
        for (let j = 0; j < i; j++) {
          const other = order.slice();
          [other[i], other[j]] = [order[j] as number, order[i] as number];
          expect(kept(other)).toBeLessThanOrEqual(after);
        }
      }
    }),
    { numRuns: 40 },
  );
});

test('a permutation search finds the same for rows in another order, other signs and another scale', () => {
  fc.assert(
    fc.property(shuffled(0), pattern, ({ weight, order }, pattern) => {
      const small = {
        data: weight.data.subarray(0, weight.dims[0] * Math.min(12, weight.dims[1])),
        dims: [weight.dims[0], Math.min(12, weight.dims[1])],
      };
      const found = prune.permutationSearch(small, { pattern });
      const mirrored = { data: small.data.map((w, i) => w * (i % 3 === 0 ? -4 : 4)), dims: small.dims };
      expect(prune.permutationSearch(prune.permuteRows(mirrored, order), { pattern })).toEqual({
        order: found.order,
        before: 4 * found.before,
        after: 4 * found.after,
      });
    }),
  );
});
