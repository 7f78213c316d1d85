/** Laws of pruning for every matrix and scope. fast-check prints the seed of a failure. */
import fc from 'fast-check';
import { prune } from 'sparse-kernels';
import { expect, test } from 'vitest';

const sparsity = fc.integer({ min: 0, max: 99 }).map((percent) => percent / 100);
const pattern = fc.integer({ min: 2, max: 32 }).chain((m) => fc.integer({ min: 1, max: m - 1 }).map((n) => `${n}:${m}` as const));
const rows = fc.integer({ min: 1, max: 9 });
const scope: fc.Arbitrary<prune.Scope> = fc.oneof(
  fc.record({ scope: fc.constantFrom('global' as const, 'row' as const), sparsity }),
  fc.record({ scope: fc.constantFrom('global' as const, 'row' as const), sparsity, block: fc.tuple(rows, rows) }),
  fc.record({ scope: fc.constant('nm' as const), pattern }),
  fc.record({ scope: fc.constant('nm' as const), pattern, rows }),
  fc.record({ scope: fc.constant('venom' as const), pattern: fc.constantFrom('2:8' as const, '1:5' as const, '4:16' as const), rows }),
  fc.record({ scope: fc.constant('transposable' as const), pattern: fc.constantFrom('1:4' as const, '2:4' as const, '3:4' as const) }),
);

const matrix = fc
  .tuple(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 40 }))
  .chain(([out, inputs]) =>
    fc
      .array(fc.float({ noDefaultInfinity: false, noNaN: false }), { minLength: out * inputs, maxLength: out * inputs })
      .map((values) => ({ data: Float32Array.from(values), dims: [out, inputs] as const })),
  );

/** Sums are exact, so that scaling and reordering cannot change their order. */
const exact = fc
  .tuple(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 40 }))
  .chain(([out, inputs]) =>
    fc
      .array(fc.integer({ min: -1000, max: 1000 }), { minLength: out * inputs, maxLength: out * inputs })
      .map((values) => ({ data: Float32Array.from(values), dims: [out, inputs] as const })),
  );

test('what stays is the old weight, the rest is zero, and the matrix given is left alone', () => {
  fc.assert(
    fc.property(matrix, scope, (weight, of) => {
      const before = weight.data.slice();
      const { weight: after, mask } = prune.magnitude(weight, of);
      expect(weight.data).toEqual(before);
      after.data.forEach((value, i) => {
        if (!Object.is(value, mask.data[i] === 1 ? before[i] : 0)) throw new Error(`element ${i} is ${value}`);
      });
      expect(prune.apply(weight, mask)).toEqual(after);
    }),
  );
});

test('as many stay as the scope says', () => {
  fc.assert(
    fc.property(matrix, scope, ({ data, dims }, of) => {
      const [out, inputs] = dims;
      const { data: kept } = prune.mask({ data, dims }, of);
      const count = (places: number[]) => places.reduce((sum, i) => sum + (kept[i] as number), 0);
      if ('sparsity' in of) {
        if (of.block) return;
        const row = (r: number) => Array.from({ length: inputs }, (_, c) => r * inputs + c);
        const sets = of.scope === 'global' ? [[...kept.keys()]] : Array.from({ length: out }, (_, r) => row(r));
        for (const set of sets) expect(count(set)).toBe(set.length - Math.floor(set.length * of.sparsity));
        return;
      }
      const [n, m] = of.pattern.split(':').map(Number) as [number, number];
      for (let r = 0; r < out; r++) {
        for (let c = 0; c < inputs; c += m) {
          const length = Math.min(m, inputs - c);
          const stay = count(Array.from({ length }, (_, i) => r * inputs + c + i));
          if (of.scope === 'transposable') expect(stay).toBeLessThanOrEqual(n);
          else expect(stay).toBe(Math.min(n, length));
        }
      }
    }),
  );
});

test('scaling by a positive number changes no mask', () => {
  fc.assert(
    fc.property(exact, scope, fc.integer({ min: -8, max: 8 }), ({ data, dims }, of, power) => {
      const scaled = { data: data.map((value) => value * 2 ** power), dims };
      expect(prune.mask(scaled, of)).toEqual(prune.mask({ data, dims }, of));
    }),
  );
});

test('rows that share nothing can be reversed', () => {
  const alone = scope.filter((of) => of.scope === 'row' || of.scope === 'nm').filter((of) => !('block' in of) && !('rows' in of));
  fc.assert(
    fc.property(matrix, alone, ({ data, dims }, of) => {
      const [out, inputs] = dims;
      const reverse = <T extends Float32Array | Uint8Array>(values: T) =>
        values.map((_, i) => values[(out - 1 - Math.floor(i / inputs)) * inputs + (i % inputs)] as number) as T;
      const { data: kept } = prune.mask({ data, dims }, of);
      expect(prune.mask({ data: reverse(data), dims }, of).data).toEqual(reverse(kept));
    }),
  );
});

test('a transposable mask of the transpose is as good', () => {
  const of = { scope: 'transposable', pattern: '2:4' } as const;
  fc.assert(
    fc.property(exact, ({ data, dims: [out, inputs] }) => {
      const transposed = Float32Array.from({ length: data.length }, (_, i) => data[(i % out) * inputs + Math.floor(i / out)] as number);
      const sum = (values: Float32Array, dims: readonly number[]) =>
        prune.mask({ data: values, dims }, of).data.reduce((total, one, i) => total + one * (values[i] as number), 0);
      expect(sum(transposed, [inputs, out])).toBe(sum(data, [out, inputs]));
    }),
  );
});
