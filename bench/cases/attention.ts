import type { BenchCase } from '../suite.js';

/**
 * - `dense`: every tile listed. Peer: MultiHeadAttention of onnxruntime
 * - `blocks`: 64 x 64 tiles, so many percent of all. Peer: our own dense attention
 * - `own`: each query lists so many percent of the blocks of 64 keys, its own choice (NSA). Peer: our own dense attention
 * - `causal`: every tile up to the diagonal. Peer: our own dense attention
 * - `cache`: one new query over all of a cache. Peer: plain reading of as many bytes, so the ratio is the share of the bandwidth
 * - `pages`: one new query over so many percent of a cache's pages of 16 tokens. Peer: our own decoding over all of the cache
 * - `quest`, `channels`: the same with the choice of pages (Quest) or tokens (Double Sparsity) made anew for each query; `quest16` and
 *   `channels16` keep their summaries in 16 bits, as the authors do
 * - `lines`: MInference's 500 vertical and 700 slash lines, found and attended to. Peer: our own causal attention. The input has sinusoidal
 *   positions, so that its diagonals lie together, as those of the heads that the authors' tables give so many lines
 * - `budget`: a window of 2048 keys for every query. Peer: the same with 4096 tokens, so the limit is reached where cost is linear
 */
export type AttentionKind =
  | 'dense'
  | 'blocks'
  | 'own'
  | 'causal'
  | 'cache'
  | 'pages'
  | 'quest'
  | 'quest16'
  | 'channels'
  | 'channels16'
  | 'lines'
  | 'budget';

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
  ['own', 1, 1, 8192, 128, 12.5, null],
  ['own', 2, 1, 8192, 128, 12.5, null],
  ['lines', 1, 1, 32_768, 128, 100, 6],
  ['budget', 1, 1, 8192, 128, 25, null],
  ['budget', 1, 1, 32_768, 128, 6.25, null],
  ['budget', 1, 1, 131_072, 128, 1.5625, null],
  ['cache', 32, 8, 65_536, 128, 100, 0.8],
  ['pages', 32, 8, 65_536, 128, 6.25, 6],
  ['quest', 32, 8, 65_536, 128, 6.25, 6],
  ['quest16', 32, 8, 65_536, 128, 6.25, 6],
  ['channels', 32, 8, 65_536, 128, 6.25, 6],
  ['channels16', 32, 8, 65_536, 128, 6.25, 6],
];

export const attentionCases: readonly AttentionCase[] = rows.map(([pattern, heads, kv, tokens, d, percent, goal]) =>
  attentionCase({ heads, kv, tokens, d, percent }, pattern, goal),
);

export function attentionCase(shape: AttentionCase['shape'], pattern: AttentionKind, goal: number | null = null): AttentionCase {
  const { heads, kv, tokens, d, percent } = shape;
  const decoding = 100 / percent;
  const limits = {
    dense: null,
    causal: 2,
    blocks: decoding,
    own: decoding,
    cache: decoding,
    pages: decoding,
    quest: decoding,
    quest16: decoding,
    channels: decoding,
    channels16: decoding,
    lines: null,
  };
  const limit = pattern === 'budget' ? 4096 / tokens : limits[pattern];
  return { name: `f32-${pattern}${percent}-${heads}/${kv}x${tokens}x${d}`, shape, dtype: 'float32', pattern, goal, limit };
}
