/** Laws that hold for every weight, pattern and input. fast-check prints the seed of a failure. */
import fc from 'fast-check';
import { nm } from 'sparse-kernels';
import { expect, test } from 'vitest';
import { firstMismatch } from '../reference/compare.js';
import { denseLinear, pruneBySorting } from '../reference/nm.js';

const patternArbitrary = fc
  .constantFrom(2, 4, 8, 16, 32)
  .chain((m) => fc.integer({ min: 1, max: m - 1 }).map((n) => ({ n, m, pattern: `${n}:${m}` as const })));

/** Integers, so that float32 sums are exact. */
const integers = (length: number) => fc.array(fc.integer({ min: -8, max: 8 }), { minLength: length, maxLength: length });

const problem = fc
  .record({
    p: patternArbitrary,
    out: fc.integer({ min: 1, max: 40 }),
    inputs: fc.integer({ min: 1, max: 140 }),
    tokens: fc.integer({ min: 0, max: 70 }),
  })
  .chain(({ p, out, inputs, tokens }) =>
    fc.record({
      p: fc.constant(p),
      dims: fc.constant({ out, inputs, tokens }),
      weight: integers(out * inputs),
      x: integers(tokens * inputs),
    }),
  )
  .map(({ p, dims, weight, x }) => ({ ...p, ...dims, weight: Float32Array.from(weight), x: Float32Array.from(x) }));

test('prune keeps what sorting each group keeps', () => {
  const tricky = fc.float({ noDefaultInfinity: false, noNaN: false });
  const arbitrary = patternArbitrary.chain((p) =>
    fc.record({ p: fc.constant(p), rows: fc.array(fc.array(tricky, { minLength: 37, maxLength: 37 }), { minLength: 1, maxLength: 5 }) }),
  );
  fc.assert(
    fc.property(arbitrary, ({ p, rows }) => {
      const data = Float32Array.from(rows.flat());
      const pruned = nm.prune({ data, dims: [rows.length, 37] }, { pattern: p.pattern });
      expect(firstMismatch(pruned.data, pruneBySorting(data, rows.length, 37, p.n, p.m), 0)).toBeNull();
    }),
  );
});

test('unpack(pack(w)) is the pruned w', () => {
  fc.assert(
    fc.property(problem, ({ weight, out, inputs, pattern }) => {
      const pruned = nm.prune({ data: weight, dims: [out, inputs] }, { pattern });
      using plan = nm.plan({ weight: pruned, pattern });
      expect(plan.toDense().data.map((v) => v + 0)).toEqual(pruned.data.map((v) => v + 0)); // + 0: -0 and 0 are the same zero
    }),
  );
});

test('run is the dense product with the pruned weight', () => {
  fc.assert(
    fc.property(problem, ({ weight, x, out, inputs, tokens, pattern }) => {
      const pruned = nm.prune({ data: weight, dims: [out, inputs] }, { pattern });
      using plan = nm.plan({ weight: pruned, pattern });
      const expected = denseLinear({ x, weight: pruned.data, tokens, inputs, outputs: out });
      expect(firstMismatch(plan.runSync(x).data, expected, 0)).toBeNull();
    }),
  );
});

test('run is linear in x', () => {
  fc.assert(
    fc.property(problem, fc.integer({ min: -4, max: 4 }), ({ weight, x, out, inputs, pattern }, factor) => {
      using plan = nm.plan({ weight: nm.prune({ data: weight, dims: [out, inputs] }, { pattern }), pattern });
      const scaled = plan.runSync(x.map((v) => v * factor)).data;
      expect(
        firstMismatch(
          scaled,
          plan.runSync(x).data.map((v) => v * factor),
          0,
        ),
      ).toBeNull();
    }),
  );
});

test('permuting the rows of the weight permutes the outputs', () => {
  fc.assert(
    fc.property(problem, fc.infiniteStream(fc.nat()), ({ weight, x, out, inputs, tokens, pattern }, stream) => {
      const pruned = nm.prune({ data: weight, dims: [out, inputs] }, { pattern }).data;
      const order = Array.from({ length: out }, (_, i) => i);
      for (let i = out - 1; i > 0; i--) {
        const j = (stream.next().value as number) % (i + 1);
        [order[i], order[j]] = [order[j] as number, order[i] as number];
      }
      const permuted = Float32Array.from(order.flatMap((row) => [...pruned.subarray(row * inputs, (row + 1) * inputs)]));
      using plan = nm.plan({ weight: { data: pruned, dims: [out, inputs] }, pattern });
      using other = nm.plan({ weight: { data: permuted, dims: [out, inputs] }, pattern });
      const y = plan.runSync(x).data;
      const expected = Array.from({ length: tokens * out }, (_, i) => y[i - (i % out) + (order[i % out] as number)] as number);
      expect(firstMismatch(other.runSync(x).data, expected, 0)).toBeNull();
    }),
  );
});
