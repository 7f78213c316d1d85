/** Inputs of method tests, and what every method's result must be. */
import type { attention } from 'sparse-kernels';
import { expect } from 'vitest';
import { denseAttention, listedPairs } from '../reference/attention.js';
import { firstMismatch } from '../reference/compare.js';
import type { Input } from '../reference/methods.js';
import { uniform } from '../support/random.js';

/** q, k, v of one batch entry whose keys differ enough for choices to be clear. */
export function input(queries: number, keys: number, heads: number, kvHeads: number, dim = 16, seed = 1) {
  const q = uniform(heads * queries * dim, seed).map((x) => 2 * x);
  const k = uniform(kvHeads * keys * dim, seed + 1).map((x, i) => 2 * x + Math.sin(i / (7 * dim)));
  const v = uniform(kvHeads * keys * dim, seed + 2);
  return {
    all: { q, k, batch: 1, heads, kvHeads, queries, keys, dim } satisfies Input,
    v,
    tensors: [
      { data: q, dims: [1, heads, queries, dim] },
      { data: k, dims: [1, kvHeads, keys, dim] },
      { data: v, dims: [1, kvHeads, keys, dim] },
    ] as const,
  };
}

/** The output must be dense attention over the pairs. */
export function expectAttention(
  result: attention.AttentionResult,
  { all, v }: ReturnType<typeof input>,
  sees: (h: number, i: number, j: number) => boolean,
) {
  const { q, k, batch, heads, kvHeads, queries, keys, dim } = all;
  const expected = denseAttention({
    ...{ q, k, v, batch, heads, kvHeads, queries, keys, headDim: dim, scale: 1 / Math.sqrt(dim) },
    sees: (_, h, i, j) => sees(h, i, j),
  });
  expect(firstMismatch(result.output.data, expected.output, 1e-4)).toBeNull();
  expect(firstMismatch(result.lse.data, expected.lse, 1e-4)).toBeNull();
}

/** The result attends to exactly the pairs of its pattern, cut by causality, and the report is right about them. */
export async function expectPattern(result: attention.methods.MethodResult, x: ReturnType<typeof input>, causal = true) {
  const { heads, queries, keys } = x.all;
  const pairs = listedPairs(result.pattern);
  const set = (h: number) => ({ shared: 0, kv: Math.floor(h / (heads / x.all.kvHeads)), q: h })[result.pattern.heads];
  expectAttention(result, x, (h, i, j) => pairs[(set(h) * queries + i) * keys + j] !== 0 && (!causal || j <= i + keys - queries));
  const { density, coveredMass, leastCoveredMass } = await result.report();
  expect(density).toBe(result.density);
  const listed = pairs.reduce((sum, n) => sum + n, 0) / (pairs.length / (queries * keys));
  expect(density).toBeCloseTo(listed / (queries * keys), 10);
  expect(coveredMass).toBeGreaterThan(0);
  expect(coveredMass).toBeLessThan(1 + 1e-5);
  expect(leastCoveredMass).toBeLessThanOrEqual(coveredMass + 1e-6);
}
