/** What pooling on both kinds of device shares: kinds, options, windows. */
import type { Isa } from '../device.js';
import { rangeError } from '../errors.js';
import { type TensorLike, typedArray } from '../tensor.js';
import { integer, oneOf } from '../validate.js';
import type { Layout } from './types.js';

/** In the order of enum PoolKind in native/pool/pool.h. */
export const kinds: readonly PoolKind[] = ['mean', 'sum', 'max', 'min', 'minmax', 'weighted', 'similarity'];

/**
 * What becomes of the tokens of a window: their `mean`, `sum`, `max` or `min` of each channel; `minmax`: both; `weighted`: the sum weighted by
 * the softmax of the window's `logits`; `similarity`: one number, the mean cosine of all pairs of its tokens.
 */
export type PoolKind = 'mean' | 'sum' | 'max' | 'min' | 'minmax' | 'weighted' | 'similarity';

/** Where windows lie. */
export interface WindowOptions {
  /** Tokens of a window. */
  readonly block?: number;
  /** Tokens from one window to the next; default `block`. */
  readonly stride?: number;
  /**
   * Where the last window would reach past the end: `'keep'` the shorter window, or `'drop'` it. Default `'keep'` where windows do not
   * overlap, else `'drop'`.
   */
  readonly tail?: 'keep' | 'drop';
  /** Instead of `block`: window p is the tokens offsets[p] to offsets[p + 1] - 1; int32 [windows + 1], not descending. */
  readonly offsets?: Int32Array;
}

/** Options of `attention.pool`. */
export interface PoolOptions extends WindowOptions {
  /** How to pool. */
  readonly kind: PoolKind;
  /** For `'weighted'`: float32 [batch, heads, tokens]. */
  readonly logits?: TensorLike;
  /** Order of the axes of x; default `'BHSD'`. */
  readonly layout?: Layout;
  /** Instruction set; default: the best that the machine has. */
  readonly isa?: Isa;
  /** Most threads; default: all of the pool. */
  readonly threads?: number;
  /** Aborts the run. */
  readonly signal?: AbortSignal;
}

/** Windows over so many tokens. */
export function windowsOf(o: WindowOptions, tokens: number): { start: Int32Array; count: Int32Array } {
  if (o.offsets !== undefined) {
    if (o.block !== undefined || o.stride !== undefined) throw rangeError('ERR_SK_OPTION', 'expected either block or offsets');
    const offsets = typedArray(o.offsets, 'int32', 'offsets');
    const count = offsets.slice(1).map((end, p) => end - (offsets[p] as number));
    const wrong = offsets.length === 0 || (offsets[0] as number) < 0 || count.some((n) => n < 0) || (offsets.at(-1) as number) > tokens;
    if (wrong) throw rangeError('ERR_SK_OPTION', `expected offsets not to descend, from 0 to ${tokens}`);
    return { start: offsets.slice(0, -1), count };
  }
  const block = integer(o.block, 'block', 1, 2 ** 31 - 1);
  const stride = integer(o.stride ?? block, 'stride', 1, 2 ** 31 - 1);
  const tail = oneOf(o.tail ?? (stride >= block ? 'keep' : 'drop'), 'tail', ['keep', 'drop']);
  const whole = tokens < block ? 0 : Math.floor((tokens - block) / stride) + 1;
  const windows = tail === 'keep' ? Math.ceil(tokens / stride) : whole;
  const start = Int32Array.from({ length: windows }, (_, p) => p * stride);
  return { start, count: start.map((first) => Math.min(block, tokens - first)) };
}

/** Dims of what becomes of the window. */
export function widthOf(kind: PoolKind, dim: number): number[] {
  return kind === 'minmax' ? [2, dim] : kind === 'similarity' ? [] : [dim];
}
