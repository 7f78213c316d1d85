/** Where methods that keep everything are dense attention, what is left of them without keys, and that runs repeat themselves. */
import { attention } from 'sparse-kernels';
import { describe, expect, test } from 'vitest';
import { firstMismatch } from '../reference/compare.js';
import { uniform } from '../support/random.js';

const { methods, patterns } = attention;
const tensor = (heads: number, tokens: number, dim: number, seed: number) => ({
  data: uniform(heads * tokens * dim, seed).map((x) => 2 * x),
  dims: [1, heads, tokens, dim],
});

describe.each([64, 200, 515])('of %d tokens', (tokens) => {
  const [q, k, v] = [tensor(4, tokens, 16, 1), tensor(2, tokens, 16, 2), tensor(2, tokens, 16, 3)];
  const shape = { heads: 4, kvHeads: 2, headDim: 16 };
  const dense = attention.plan({ pattern: patterns.dense({ queryLength: tokens }), ...shape }).runSync(q, k, v);

  test('PSA with all blocks in full is dense attention', async () => {
    const result = await methods.psa({ quotas: [1, 1, 1, 1] }).prefill(q, k, v);
    expect(firstMismatch(result.output.data, dense.output.data, 1e-5)).toBeNull();
    expect(firstMismatch(result.lse.data, dense.lse.data, 1e-5)).toBeNull();
    expect(result.density).toBe(1);
  });

  test('LLSA that keeps all blocks is dense attention to tokens and to the means of both levels', async () => {
    const result = await methods.llsa({ block: 4, topK: 2 ** 20 }).prefill(q, k, v);
    const levels = [1, 4, 16].map((width) => {
      const [keys, values] = [k, v].map((x) => attention.poolSync(x, { kind: 'mean', block: width }));
      const { pooled, count } = keys as attention.Pooled;
      const pattern = patterns.dense({ queryLength: tokens, keyLength: count.length });
      const keyBias = Float32Array.from(count, Math.log);
      return attention.plan({ pattern, ...shape }).runSync(q, pooled, (values as attention.Pooled).pooled, { keyBias });
    });
    const [fine, middle, coarse] = levels as [attention.AttentionResult, attention.AttentionResult, attention.AttentionResult];
    const expected = await attention.merge(fine, middle, coarse);
    expect(firstMismatch(result.output.data, expected.output.data, 1e-5)).toBeNull();
    expect((await result.report()).leastCoveredMass).toBeCloseTo(1, 5);
  });

  test('two runs of anything that chooses keys are the same to the last bit', async () => {
    const once = async () => {
      const causal = { causal: true };
      const mass = await attention.score(q, k, { kind: 'softmax', ...causal });
      const results = [
        await methods.minference({ heads: { 0: ['vertical_and_slash', 20, 30, 1] } }).prefill(q, k, v),
        await methods.flexPrefill({ block: 16 }).prefill(q, k, v),
        await methods.psa().prefill(q, k, v),
        await methods.llsa({ block: 4, topK: 2 }).prefill(q, k, v),
      ];
      const { index } = await attention.select(mass, { topK: 7 });
      return [index, mass.data, ...results.flatMap((result) => [result.output.data, result.lse.data])];
    };
    expect(await once()).toEqual(await once());
  });
});

test('splits of a long cache are merged in one order: two runs are the same to the last bit', async () => {
  const cache = attention.cache({ kvHeads: 2, headDim: 16, capacity: 20_000 });
  cache.append(tensor(2, 20_000, 16, 1), tensor(2, 20_000, 16, 2));
  const q = tensor(8, 1, 16, 3);
  const tokens = patterns.rows(Array.from({ length: 2 }, (_, h) => Array.from({ length: 9000 }, (_, i) => 2 * i + h)));
  for (const choice of [{}, { tokens, heads: 'kv' as const }]) {
    const first = attention.decodeSync(q, cache, choice);
    for (let i = 0; i < 5; i++) expect(await attention.decode(q, cache, choice)).toEqual(first);
  }
});

test('NSA of fewer tokens than a window has no compressed keys', async () => {
  const compress = { data: uniform(32 * 8 * 8, 4), dims: [1, 32 * 8, 8] };
  const method = methods.nsa({ compressKeys: compress, compressValues: compress });
  const x = tensor(1, 31, 8, 5);
  const gates = { data: new Float32Array(31 * 3).fill(0.5), dims: [1, 31, 3] };
  const { branches, output } = await method.prefill(x, x, x, gates);
  expect(branches.compressed.output.data.every((value) => value === 0)).toBe(true);
  expect(branches.compressed.lse.data.every((value) => value === Number.NEGATIVE_INFINITY)).toBe(true);
  const causal = attention.plan({ pattern: patterns.dense({ queryLength: 31, causal: true }), heads: 1, headDim: 8, causal: true });
  const dense = causal.runSync(x, x, x).output.data; // both other branches see all 31 tokens
  expect(firstMismatch(output.data, dense, 1e-5)).toBeNull();
});

test('without keys every query gets 0 and -Infinity', async () => {
  const plan = attention.plan({ pattern: patterns.dense({ queryLength: 3, keyLength: 0 }), heads: 2, headDim: 8 });
  const [q, none] = [tensor(2, 3, 8, 1), { data: new Float32Array(0), dims: [1, 2, 0, 8] }];
  for (const { output, lse } of [plan.runSync(q, none, none), await plan.run(q, none, none)]) {
    expect(output.data).toEqual(new Float32Array(48));
    expect(lse.data).toEqual(new Float32Array(6).fill(Number.NEGATIVE_INFINITY));
  }
  const empty = attention.cache({ kvHeads: 2, headDim: 8, capacity: 16 });
  expect(attention.decodeSync(tensor(2, 1, 8, 1), empty).lse.data).toEqual(new Float32Array(2).fill(Number.NEGATIVE_INFINITY));
});
