import type { BenchCase } from '../suite.js';

export interface NmCase extends BenchCase {
  readonly shape: { readonly tokens: number; readonly in: number; readonly out: number };
  /** Weights come from memory, not from a cache: what a model of many layers sees when it makes one token at a time. */
  readonly coldWeights: boolean;
}

/** Up to about this many tokens a layer waits for its weights, not for its arithmetic. */
const MEMORY_BOUND_TOKENS = 8;

//    tokens    in   out  pattern  goal
const rows: readonly [number, number, number, string, number | null][] = [
  [192, 1024, 1024, '2:4', 1.7],
  [192, 1024, 1024, '1:4', 3.2],
  [192, 1024, 1024, '1:8', 5.5],
  [192, 1024, 1024, '4:8', null],
  [192, 4096, 4096, '2:4', 1.7],
  [192, 4096, 4096, '1:4', 3.2],
  [192, 4096, 4096, '1:8', 5.5],
  [192, 4096, 4096, '4:8', null],
  [192, 4096, 4096, '1:16', null],
  [1, 4096, 4096, '2:4', 1.3],
  [8, 4096, 4096, '2:4', null],
  [64, 4096, 4096, '2:4', null],
  [512, 4096, 4096, '2:4', null],
  [300, 1000, 3000, '2:4', null], // ragged: no multiple of any tile
];

export const nmCases: readonly NmCase[] = rows.map(([tokens, inFeatures, outFeatures, pattern, goal]) =>
  nmCase({ tokens, in: inFeatures, out: outFeatures }, pattern, goal),
);

export function nmCase(shape: NmCase['shape'], pattern: string, goal: number | null = null): NmCase {
  const coldWeights = shape.tokens === 1;
  return {
    name: `f32-${shape.tokens}x${shape.in}x${shape.out}-${pattern}${coldWeights ? '-cold' : ''}`,
    shape,
    dtype: 'float32',
    pattern,
    goal,
    limit: limitOf(shape.tokens, pattern),
    coldWeights,
  };
}

/** N and M of 'N:M', or undefined for any other text. */
export function parsePattern(pattern: string): { n: number; m: number } | undefined {
  const match = /^([1-9]\d?):(4|8|16|32)$/.exec(pattern);
  const [n, m] = [Number(match?.[1]), Number(match?.[2])];
  return match && n < m ? { n, m } : undefined;
}

/** Many tokens: the share of the multiply-adds that is left. Few: the share of the bytes, a value and its index per kept weight. */
function limitOf(tokens: number, pattern: string): number | null {
  const parsed = parsePattern(pattern);
  if (!parsed) return null;
  const { n, m } = parsed;
  if (tokens > MEMORY_BOUND_TOKENS) return m / n;
  const denseBits = 32 * m;
  const keptBits = n * (32 + Math.log2(m));
  return Number((denseBits / keptBits).toFixed(2));
}
