/** pvSkip: chunks of keys that hardly count are left out, and nothing else is. */
import { attention, kernels } from 'sparse-kernels';
import { describe, expect, test } from 'vitest';
import { denseAttention } from '../reference/attention.js';
import { firstMismatch } from '../reference/compare.js';
import { uniform } from '../support/random.js';

const [queries, keys, dim] = [40, 300, 16]; // panels that are whole and not; two chunks of 128 keys and a rest
const isas = [
  ...new Set(
    kernels()
      .filter(({ verb, supported, isa }) => verb === 'attend' && supported && isa !== 'cuda')
      .map(({ isa }) => isa),
  ),
];
const plan = (isa: string, options: Partial<attention.PlanOptions>) =>
  attention.plan({
    pattern: attention.patterns.dense({ queryLength: queries, keyLength: keys }),
    heads: 1,
    headDim: dim,
    isa: isa as 'avx2',
    scale: 1,
    ...options,
  });
const tensor = (data: Float32Array, tokens: number) => ({ data, dims: [1, 1, tokens, dim] });

/** Keys whose scores are about `score(key)` for every query, some noise apart. */
function keysOf(score: (key: number) => number) {
  const q = uniform(queries * dim, 1);
  const k = uniform(keys * dim, 2);
  for (let i = 0; i < queries; i++) q[i * dim] = 1;
  for (let j = 0; j < keys; j++) k[j * dim] = score(j);
  return { q, k, v: uniform(keys * dim, 3) };
}

describe.each(isas)('%s', (isa) => {
  test('values of chunks far below the maximum are never read, all others count', () => {
    const { q, k, v } = keysOf((j) => (j < 100 ? 40 : -40));
    const far = v.map((x, at) => (at >= 128 * dim ? Number.NaN : x));
    const whole = plan(isa, {}).runSync(tensor(q, queries), tensor(k, keys), tensor(far, keys));
    expect(whole.output.data.some(Number.isNaN)).toBe(true);
    const { output, lse } = plan(isa, { pvSkip: 50 }).runSync(tensor(q, queries), tensor(k, keys), tensor(far, keys));
    const expected = denseAttention({
      ...{ q, k, v, batch: 1, heads: 1, kvHeads: 1, headDim: dim, queries, keys, scale: 1 },
      sees: (_b, _h, _i, j) => j < 128,
    });
    expect(firstMismatch(output.data, expected.output, 1e-5)).toBeNull();
    expect(firstMismatch(lse.data, expected.lse, 1e-4)).toBeNull();
  });

  test('a chunk that counts for one row is computed for all', () => {
    const { q, k, v } = keysOf((j) => (j < 128 ? 40 : 0));
    q[7 * dim] = -1; // this query looks the other way
    const run = (options: Partial<attention.PlanOptions>) =>
      plan(isa, options).runSync(tensor(q, queries), tensor(k, keys), tensor(v, keys));
    const [skipped, whole] = [run({ pvSkip: 20 }), run({})];
    const row = (x: { data: ArrayLike<number> }) => Array.from(x.data).slice(7 * dim, 8 * dim);
    expect(row(skipped.output)).toEqual(row(whole.output));
  });

  test('what is left out is no more than exp(-pvSkip) of a weight each', () => {
    const { q, k, v } = keysOf((j) => 12 - Math.floor(j / 128) * 12);
    const run = (options: Partial<attention.PlanOptions>) =>
      plan(isa, options).runSync(tensor(q, queries), tensor(k, keys), tensor(v, keys));
    const [skipped, whole] = [run({ pvSkip: 6 }), run({})];
    expect(skipped.output.data).not.toEqual(whole.output.data);
    expect(firstMismatch(skipped.output.data, Array.from(whole.output.data), 2 * keys * Math.exp(-6))).toBeNull();
  });
});

test('causal rows that have seen no key yet skip nothing that counts', () => {
  const { q, k, v } = keysOf((j) => -j);
  const pattern = attention.patterns.dense({ queryLength: queries, keyLength: 20 });
  const options = { pattern, heads: 1, headDim: dim, causal: true };
  const operands = [tensor(q, queries), tensor(k.slice(0, 20 * dim), 20), tensor(v.slice(0, 20 * dim), 20)] as const;
  const [skipped, whole] = [attention.plan({ ...options, pvSkip: 50 }).runSync(...operands), attention.plan(options).runSync(...operands)];
  expect(skipped.output.data).toEqual(whole.output.data);
  expect(skipped.lse.data).toEqual(whole.lse.data);
});
