/** Laws of SET and RigL: connections that go and others that come. */
import fc from 'fast-check';
import { prune } from 'sparse-kernels';
import { expect, test } from 'vitest';
import { exact, matrix, ones, seed, sparsity, type Weight } from './prune-inputs.js';

/** A weight, a mask of it and a gradient of all places. */
const network = (weights: fc.Arbitrary<Weight>) =>
  weights.chain((weight) =>
    fc.record({
      weight: fc.constant(weight),
      mask: fc
        .array(fc.integer({ min: 0, max: 1 }), { minLength: weight.data.length, maxLength: weight.data.length })
        .map((data): prune.Mask => ({ type: 'uint8', data: Uint8Array.from(data), dims: weight.dims })),
      gradient: fc
        .array(fc.float(), { minLength: weight.data.length, maxLength: weight.data.length })
        .map((data) => ({ data: Float32Array.from(data), dims: weight.dims })),
    }),
  );
type Network = typeof network extends (weights: fc.Arbitrary<Weight>) => fc.Arbitrary<infer T> ? T : never;

const rules = {
  set: ({ weight, mask }: Network, fraction: number, seed: number) => prune.set({ weight, mask }, { fraction, seed }),
  rigl: (tensors: Network, fraction: number) => prune.rigl(tensors, { fraction }),
};

for (const [name, rule] of Object.entries(rules)) {
  test(`${name} keeps the number of connections, grows only where there was none, and zeroes what is new or gone`, () => {
    fc.assert(
      fc.property(network(matrix), sparsity, seed, (tensors, fraction, seed) => {
        const before = tensors.weight.data.slice();
        const old = tensors.mask.data.slice();
        const { mask, grown, dropped } = rule(tensors, fraction, seed);
        expect(tensors.mask.data).toEqual(old);
        expect(ones(mask)).toBe(ones({ data: old }));
        expect(grown.length).toBe(dropped.length);
        expect(grown.length).toBeLessThanOrEqual(Math.ceil(ones({ data: old }) * fraction));
        const places = (from: number, to: number) => [...old.keys()].filter((i) => old[i] === from && mask.data[i] === to);
        expect([...grown]).toEqual(places(0, 1));
        expect([...dropped]).toEqual(places(1, 0));
        const changed = new Set([...grown, ...dropped]);
        tensors.weight.data.forEach((value, i) => {
          expect(value).toBe(changed.has(i) ? 0 : before[i]);
        });
      }),
    );
  });

  test(`${name} of nothing changes nothing`, () => {
    fc.assert(
      fc.property(network(matrix), seed, (tensors, seed) => {
        const before = tensors.weight.data.slice();
        const { mask, grown, dropped } = rule(tensors, 0, seed);
        expect(mask).toEqual(tensors.mask);
        expect([grown.length, dropped.length]).toEqual([0, 0]);
        expect(tensors.weight.data).toEqual(before);
      }),
    );
  });
}

test('set drops of each sign none that is larger than one that stays', () => {
  fc.assert(
    fc.property(network(exact), sparsity, seed, ({ weight, mask }, fraction, seed) => {
      const before = weight.data.slice();
      const { mask: now, dropped } = prune.set({ weight, mask }, { fraction, seed });
      for (const negative of [false, true]) {
        const places = [...before.keys()].filter((i) => mask.data[i] === 1 && (before[i] as number) < 0 === negative);
        const magnitude = (i: number) => Math.abs(before[i] as number);
        const sorted = places.map(magnitude).sort((a, b) => a - b);
        const bound = sorted[Math.floor(places.length * fraction) - 1] ?? -1;
        for (const i of places) {
          if (dropped.includes(i)) expect(magnitude(i)).toBeLessThanOrEqual(bound);
          if (magnitude(i) > bound) expect(now.data[i]).toBe(1);
        }
      }
    }),
  );
});

test('rigl drops none that is larger than one that stays by magnitude, and grows none where another gradient is larger', () => {
  fc.assert(
    fc.property(network(exact), sparsity, (tensors, fraction) => {
      const before = tensors.weight.data.slice();
      const { mask, grown, dropped } = prune.rigl(tensors, { fraction });
      const connected = [...before.keys()].filter((i) => tensors.mask.data[i] === 1);
      const sorted = connected.map((i) => Math.abs(before[i] as number)).sort((a, b) => a - b);
      const bound = sorted[Math.floor(connected.length * fraction) - 1] ?? -1;
      for (const i of dropped) expect(Math.abs(before[i] as number)).toBeLessThanOrEqual(bound);
      const size = (i: number) => (Number.isNaN(tensors.gradient.data[i]) ? -1 : Math.abs(tensors.gradient.data[i] as number));
      const empty = [...before.keys()].filter((i) => mask.data[i] === 0);
      const least = Math.min(Infinity, ...[...grown].map(size));
      for (const i of empty) expect(size(i)).toBeLessThanOrEqual(least);
    }),
  );
});

test('rigl does not depend on the scale or the signs of weights and gradients', () => {
  fc.assert(
    fc.property(network(exact), sparsity, ({ weight, mask, gradient }, fraction) => {
      const times = ({ data, dims }: { data: Float32Array; dims: readonly number[] }, by: number) => ({
        data: data.map((v) => v * by),
        dims,
      });
      const other = prune.rigl({ weight: times(weight, -4), mask, gradient: times(gradient, -1) }, { fraction });
      expect(other).toEqual(prune.rigl({ weight, mask, gradient }, { fraction }));
    }),
  );
});

test('set grows in every empty place alike', () => {
  const grown = new Float64Array(40);
  const rounds = 3000;
  for (let seed = 0; seed < rounds; seed++) {
    const weight = { data: new Float32Array(40).map((_, i) => (i < 20 ? i + 1 : 0)), dims: [5, 8] };
    const mask: prune.Mask = { type: 'uint8', data: Uint8Array.from(weight.data, (w) => (w > 0 ? 1 : 0)), dims: [5, 8] };
    for (const i of prune.set({ weight, mask }, { fraction: 0.25, seed }).grown) grown[i] = (grown[i] as number) + 1;
  }
  const chance = 5 / 25; // five go, and are drawn again from them and twenty more
  for (const count of grown.subarray(20))
    expect(Math.abs(count - rounds * chance)).toBeLessThan(5 * Math.sqrt(rounds * chance * (1 - chance)));
});

test('the fraction of RigL falls from its initial value to 0 and is half of it half way', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1e6 }), sparsity, fc.nat(1e6), fc.nat(1e6), (end, initial, a, b) => {
      const at = (step: number) => prune.riglFraction(step, { end, initial });
      const [first, second] = [Math.min(a, b), Math.max(a, b)];
      expect(at(first)).toBeGreaterThanOrEqual(at(second));
      expect(at(0)).toBe(initial);
      expect(at(end + a)).toBe(0);
      if (end % 2 === 0) expect(at(end / 2)).toBeCloseTo(initial / 2, 12);
      expect(at(Math.min(a, end)) + at(end - Math.min(a, end))).toBeCloseTo(initial, 12); // a cosine turns round its middle
    }),
  );
});
