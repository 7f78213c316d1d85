import type { BenchCase } from '../suite.js';

/** Of the weight; 'w8a8' and 'w4a8': int8 and int4 with int8 activations. */
export type NmDType = 'float32' | 'float16' | 'bfloat16' | 'int8' | 'w8a8' | 'int4' | 'w4a8';

export interface NmCase extends BenchCase {
  readonly shape: { readonly tokens: number; readonly in: number; readonly out: number };
  readonly dtype: NmDType;
  /** Weights come from memory, not from a cache: what a model of many layers sees when it makes one token at a time. */
  readonly coldWeights: boolean;
  /** `run` resolves a promise; the peer computes before its `run` returns, as our `runSync` does. */
  readonly call: 'runSync' | 'run';
}

/** Up to about this many tokens a layer waits for its weights, not for its arithmetic. */
const MEMORY_BOUND_TOKENS = 8;

const bytesOf: Readonly<Record<NmDType, number>> = { float32: 4, float16: 2, bfloat16: 2, int8: 1, w8a8: 1, int4: 0.5, w4a8: 0.5 };

//    tokens    in   out  pattern  goal  dtype of the weight
const rows: readonly [number, number, number, string, number | null, NmDType?][] = [
  [192, 1024, 1024, '2:4', 1.8],
  [192, 1024, 1024, '4:8', 1.8],
  [192, 1024, 1024, '1:4', 3.5],
  [192, 1024, 1024, '2:8', 3.5],
  [192, 1024, 1024, '1:8', 6],
  [192, 1024, 1024, '50%', 1.6],
  [192, 1024, 1024, '30%', 2.5],
  [192, 1024, 1024, '10%', 6.5],
  [192, 1024, 1024, '8:2:4', 1.9],
  [192, 4096, 4096, '2:4', 1.8],
  [192, 4096, 4096, '4:8', 1.8],
  [192, 4096, 4096, '1:4', 3.5],
  [192, 4096, 4096, '2:8', 3.5],
  [192, 4096, 4096, '1:8', 6],
  [192, 4096, 4096, '1:16', null],
  [192, 4096, 4096, '50%', 1.6],
  [192, 4096, 4096, '30%', 2.5],
  [192, 4096, 4096, '10%', 6.5],
  [192, 4096, 4096, '8:2:4', 1.9],
  [64, 1024, 1024, '2:4', 1.6],
  [512, 1024, 1024, '2:4', 1.6],
  [2048, 1024, 1024, '2:4', 1.6],
  [300, 1000, 3000, '2:4', null], // ragged: no multiple of any tile
  [8, 4096, 4096, '2:4', null],
  [1, 4096, 4096, '2:4', 1.5],
  [1, 4096, 4096, '8:2:4', 1.75],
  [1, 11008, 4096, '2:4', 1.5],
  [1, 11008, 4096, '8:2:4', 1.75],
  [1, 4096, 4096, '2:4', 2.5, 'float16'],
  [1, 4096, 4096, '2:4', null, 'int8'],
  [192, 1024, 1024, '2:4', 1.4, 'w8a8'],
  [192, 4096, 4096, '2:4', 1.4, 'w8a8'],
  [1, 4096, 4096, '2:4', null, 'int4'], // against a peer that quantises x as w4a8 does
  [1, 4096, 4096, '16:50%', null, 'int4'],
  [1, 4096, 4096, '2:4', 1.4, 'w4a8'],
  [1, 11008, 4096, '2:4', 1.4, 'w4a8'],
  [1, 4096, 4096, '16:50%', 1.4, 'w4a8'], // W4S50
  [1, 11008, 4096, '16:50%', 1.4, 'w4a8'],
  [1, 11008, 4096, 'top5504', 1.6], // half of the activations
  [1, 11008, 4096, 'top2202', 4],
  [64, 24576, 1024, 'top32', 20], // the decoder of a sparse autoencoder
];

/** What it costs to leave the event loop free, where it shows most: short calls of many tokens. */
const promised: readonly [number, number, number, string, number][] = [
  [192, 1024, 1024, '2:4', 1.7],
  [192, 1024, 1024, '1:4', 3.2],
  [192, 1024, 1024, '1:8', 5.5],
];

export const nmCases: readonly NmCase[] = [
  ...rows.map(([tokens, inFeatures, out, pattern, goal, dtype]) => nmCase({ tokens, in: inFeatures, out }, pattern, goal, dtype)),
  ...promised.map(([tokens, inFeatures, out, pattern, goal]) => {
    const sync = nmCase({ tokens, in: inFeatures, out }, pattern, goal);
    return { ...sync, name: `${sync.name}-run`, call: 'run' as const };
  }),
];

export function nmCase(shape: NmCase['shape'], pattern: string, goal: number | null = null, dtype: NmDType = 'float32'): NmCase {
  const coldWeights = shape.tokens === 1;
  const shortType = { float32: 'f32', float16: 'f16', bfloat16: 'bf16', int8: 'i8', w8a8: 'w8a8', int4: 'i4', w4a8: 'w4a8' }[dtype];
  return {
    name: `${shortType}-${shape.tokens}x${shape.in}x${shape.out}-${pattern}${coldWeights ? '-cold' : ''}`,
    shape,
    dtype,
    pattern,
    goal,
    limit: limitOf(shape, pattern, dtype),
    coldWeights,
    call: 'runSync',
  };
}

/** 'N:M', 'V:N:M' where V rows share their columns, 'P%' for unstructured weights of which P percent are kept, or 'G:P%' for groups of G. */
export type ParsedPattern =
  | { readonly n: number; readonly m: number; readonly rows: number }
  | { readonly kept: number; readonly group: number };

/** 'topK': the weight is dense, and each token keeps K inputs of x. undefined for any other text. */
export function parseTop(pattern: string): number | undefined {
  const top = /^top([1-9]\d*)$/.exec(pattern);
  return top ? Number(top[1]) : undefined;
}

/** undefined for any other text. */
export function parsePattern(pattern: string): ParsedPattern | undefined {
  const percent = /^(?:(16):)?([1-9]\d?)%$/.exec(pattern);
  if (percent) return { kept: Number(percent[2]) / 100, group: Number(percent[1] ?? 1) };
  const match = /^(?:(4|8|16):)?([1-9]\d?):(4|8|16|32)$/.exec(pattern);
  const [rows, n, m] = [Number(match?.[1] ?? 1), Number(match?.[2]), Number(match?.[3])];
  return match && n < m ? { n, m, rows } : undefined;
}

/** Many tokens: the share of the multiply-adds that is left. Few: the share of the bytes, a value and its index per kept weight. */
function limitOf({ tokens, in: inputs }: NmCase['shape'], pattern: string, dtype: NmDType): number | null {
  const top = parseTop(pattern);
  if (top) return Number((inputs / top).toFixed(2));
  const parsed = parsePattern(pattern);
  if (!parsed || dtype === 'int4' || dtype === 'w4a8') return null; // the peer does not wait for bytes
  const kept = 'kept' in parsed ? parsed.kept : parsed.n / parsed.m;
  if (tokens > MEMORY_BOUND_TOKENS) return Number((1 / kept).toFixed(2));
  const indexBits = 'kept' in parsed ? 8 : parsed.rows > 1 ? 8 / parsed.rows : Math.log2(parsed.m);
  return Number((32 / (kept * (8 * bytesOf[dtype] + indexBits))).toFixed(2));
}
