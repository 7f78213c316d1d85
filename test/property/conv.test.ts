/** Laws that hold for every set of sites and every kernel. fast-check prints the seed of a failure. */
import fc from 'fast-check';
import { conv } from 'sparse-kernels';
import { expect, test } from 'vitest';
import { firstMismatch } from '../reference/compare.js';
import { activeRows, denseConv, indices, place } from '../reference/conv.js';
import { smallIntegers } from '../support/random.js';
import { randomVolume, sparse } from '../support/volumes.js';

const axis = fc.record({
  extent: fc.integer({ min: 1, max: 9 }),
  size: fc.integer({ min: 1, max: 4 }),
  stride: fc.integer({ min: 1, max: 3 }),
  padding: fc.integer({ min: 0, max: 3 }),
  dilation: fc.integer({ min: 1, max: 3 }),
});

const problem = fc
  .record({
    axes: fc.array(axis, { minLength: 1, maxLength: 3 }),
    density: fc.double({ min: 0, max: 1, noNaN: true }),
    batch: fc.integer({ min: 1, max: 2 }),
    seed: fc.integer({ min: 1, max: 1000 }),
    transposed: fc.boolean(),
  })
  .map(({ axes, ...rest }) => {
    const of = (key: keyof (typeof axes)[0]) => axes.map((a) => a[key]);
    return { ...rest, shape: of('extent'), size: of('size'), stride: of('stride'), padding: of('padding'), dilation: of('dilation') };
  })
  .map((p) => ({
    ...p,
    outShape: p.shape.map((n, a) => {
      const [k, s, pad, d] = [p.size[a], p.stride[a], p.padding[a], p.dilation[a]] as [number, number, number, number];
      return p.transposed ? (n - 1) * s - 2 * pad + d * (k - 1) + 1 : Math.floor((n + 2 * pad - d * (k - 1) - 1) / s) + 1;
    }),
  }))
  .filter(({ outShape }) => outShape.every((n) => n >= 1));

test('sites and sums are those of the dense volume', () => {
  fc.assert(
    fc.property(problem, (p) => {
      const volume = randomVolume(p.batch, p.shape, 2, p.density, smallIntegers, p.seed);
      const weight = smallIntegers(3 * p.size.reduce((a, b) => a * b, 1) * 2, p.seed);
      const expected = activeRows(denseConv(volume, { weight, out: 3, ...p }, p.outShape, p.transposed));
      const x = sparse(volume, p.seed);
      const { stride, padding, dilation } = p;
      const map = conv.map(x, { mode: p.transposed ? 'transposed' : 'sparse', kernelSize: p.size, stride, padding, dilation });
      const y = conv.layer({ weight: { data: weight, dims: [3, ...p.size, 2] } }).runSync(x, map);
      expect(y.spatialShape).toEqual(p.outShape);
      expect(firstMismatch(y.coords, expected.coords, 0)).toBeNull();
      expect(firstMismatch(y.features, expected.features, 0)).toBeNull();
    }),
    { numRuns: 300 },
  );
});

test('pairs of any offsets are those that trying all sites gives, ascending in both columns', () => {
  const sets = fc.record({
    shape: fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 3 }),
    density: fc.double({ min: 0, max: 1, noNaN: true }),
    seed: fc.integer({ min: 1, max: 1000 }),
    offsets: fc.array(fc.array(fc.integer({ min: -7, max: 7 }), { minLength: 3, maxLength: 3 }), { minLength: 1, maxLength: 12 }),
  });
  fc.assert(
    fc.property(sets, ({ shape, density, seed, offsets: wide }) => {
      const volume = randomVolume(2, shape, 1, density, smallIntegers, seed);
      const x = sparse(volume, seed);
      const offsets = wide.map((d) => d.slice(0, shape.length));
      const rows = new Map<number, number>();
      for (const [batch = 0, ...site] of indices([2, ...shape])) {
        const at = place([2, ...shape], [batch, ...site]);
        if (volume.active[at]) rows.set(at, rows.size);
      }
      const expected = offsets.map((d) => {
        const list: number[][] = [];
        for (const [batch = 0, ...site] of indices([2, ...shape])) {
          const from = site.map((o, a) => o + (d[a] as number));
          if (from.some((i, a) => i < 0 || i >= (shape[a] as number))) continue;
          const [i, o] = [rows.get(place([2, ...shape], [batch, ...from])), rows.get(place([2, ...shape], [batch, ...site]))];
          if (i !== undefined && o !== undefined) list.push([i, o]);
        }
        return list;
      });
      for (const map of [conv.map(x, { offsets }), conv.map(x, { mode: 'sparse', offsets, outputs: x })]) {
        const { starts, in: from, out } = map.pairs();
        const lists = offsets.map((_, k) => {
          const list: number[][] = [];
          for (let p = starts[k] as number; p < (starts[k + 1] as number); p++) list.push([from[p] as number, out[p] as number]);
          return list;
        });
        expect(lists).toEqual(expected);
      }
    }),
    { numRuns: 200 },
  );
});

test('a layer and its inverse are adjoint: <A x, y> = <x, Aᵀ y>', () => {
  fc.assert(
    fc.property(problem, (p) => {
      const x = sparse(randomVolume(p.batch, p.shape, 2, p.density, smallIntegers, p.seed), p.seed);
      const volume = p.size.reduce((a, b) => a * b, 1);
      const weight = smallIntegers(3 * volume * 2, p.seed + 1);
      const transposed = new Float32Array(weight.length); // [in, kernel, out]
      for (let o = 0; o < 3; o++) {
        for (let k = 0; k < volume; k++)
          for (let i = 0; i < 2; i++) transposed[(i * volume + k) * 3 + o] = weight[(o * volume + k) * 2 + i] as number;
      }
      const { stride, padding, dilation } = p;
      const paired = conv.map(x, { mode: p.transposed ? 'transposed' : 'sparse', kernelSize: p.size, stride, padding, dilation });
      const ax = conv.layer({ weight: { data: weight, dims: [3, volume, 2] } }).runSync(x, paired);
      const y = { ...ax, features: smallIntegers(ax.features.length, 5) };
      const aty = conv.layer({ weight: { data: transposed, dims: [2, volume, 3] } }).runSync(y, conv.map(y, { mode: 'inverse', paired }));
      const dot = (a: Float32Array, b: Float32Array) => a.reduce((sum, v, i) => sum + v * (b[i] as number), 0);
      expect(dot(ax.features, y.features)).toBe(dot(x.features, aty.features));
    }),
    { numRuns: 100 },
  );
});
