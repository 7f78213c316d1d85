import type { BenchCase } from '../suite.js';

/**
 * - `dense`: every tile listed. Peer: MultiHeadAttention of onnxruntime
 * - `blocks`: 64 x 64 tiles, so many percent of all. Peer: our own dense attention
 * - `causal`: every tile up to the diagonal. Peer: our own dense attention
 * - `pages`: one new query over so many percent of a cache's pages of 16 tokens. Peer: our own decoding over all of the cache
 */
export type AttentionKind = 'dense' | 'blocks' | 'causal' | 'pages';

export interface AttentionCase extends BenchCase {
  readonly shape: { readonly heads: number; readonly kv: number; readonly tokens: number; readonly d: number; readonly percent: number };
  readonly pattern: AttentionKind;
}

//    pattern   heads kv  tokens    d  percent goal
const rows: readonly [AttentionKind, number, number, number, number, number, number | null][] = [
  ['dense', 4, 4, 4096, 64, 100, 1],
  ['dense', 4, 4, 4096, 128, 100, 1],
  ['causal', 4, 4, 4096, 128, 100, null],
  ['blocks', 1, 1, 16_384, 128, 5, 12.5],
  ['blocks', 1, 1, 16_384, 128, 10, 7.69],
  ['blocks', 1, 1, 16_384, 128, 25, 3.57],
  ['pages', 32, 8, 65_536, 128, 6.25, 6],
];

export const attentionCases: readonly AttentionCase[] = rows.map(([pattern, heads, kv, tokens, d, percent, goal]) =>
  attentionCase({ heads, kv, tokens, d, percent }, pattern, goal),
);

export function attentionCase(shape: AttentionCase['shape'], pattern: AttentionKind, goal: number | null = null): AttentionCase {
  const { heads, kv, tokens, d, percent } = shape;
  const limit = { dense: null, causal: 2, blocks: 100 / percent, pages: 100 / percent }[pattern];
  return { name: `f32-${pattern}${percent}-${heads}/${kv}x${tokens}x${d}`, shape, dtype: 'float32', pattern, goal, limit };
}
