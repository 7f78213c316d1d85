import { type Isa, isaOption } from '../device.js';
import { rangeError } from '../errors.js';
import { cancellable, guarded } from '../handle.js';
import { native } from '../native.js';
import { allocate, type Tensor, type TensorLike, tensor, typedArray } from '../tensor.js';
import { integer, oneOf, options } from '../validate.js';
import { type Heads, headsOf } from './heads.js';
import type { Layout } from './types.js';

/** In the order of enum PoolKind in native/pool/pool.h. */
const kinds: readonly PoolKind[] = ['mean', 'sum', 'max', 'min', 'minmax', 'weighted', 'similarity'];

/**
 * What becomes of the tokens of a window: their `mean`, `sum`, `max` or `min` of each channel; `minmax`: both; `weighted`: the sum weighted by
 * the softmax of the window's `logits`; `similarity`: one number, the mean cosine of all pairs of its tokens.
 */
export type PoolKind = 'mean' | 'sum' | 'max' | 'min' | 'minmax' | 'weighted' | 'similarity';

/** Options of {@link pool}. */
export interface PoolOptions {
  /** How to pool. */
  readonly kind: PoolKind;
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

/** What {@link pool} returns. */
export interface Pooled {
  /** float32 [batch, heads, windows, dim]; `minmax` [batch, heads, windows, 2, dim]; `similarity` [batch, heads, windows]. */
  readonly pooled: Tensor;
  /** First token of each window, int32 [windows]. */
  readonly start: Int32Array;
  /** Tokens of each window, int32 [windows]: the last may have fewer. A window of none gives zeros. */
  readonly count: Int32Array;
}

const known = ['kind', 'block', 'stride', 'tail', 'offsets', 'logits', 'layout', 'isa', 'threads', 'signal'] as const;

/** Windows over so many tokens. */
function windowsOf(o: PoolOptions, tokens: number): { start: Int32Array; count: Int32Array } {
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

function prepare(x: TensorLike, poolOptions: PoolOptions) {
  const o = options<PoolOptions>(poolOptions, 'options', known);
  const kind = oneOf(o.kind, 'kind', kinds);
  const heads: Heads = headsOf(x, 'x', oneOf(o.layout ?? 'BHSD', 'layout', ['BHSD', 'BSHD']));
  const { batch, tokens, dim } = heads;
  const { start, count } = windowsOf(o, tokens);
  const width = { minmax: [2, dim], similarity: [] as number[] }[kind as string] ?? [dim];
  const dims = [batch, heads.heads, start.length, ...width];
  const logit = o.logits === undefined ? undefined : tensor(o.logits, 'logits', ['float32']).data;
  if ((logit === undefined) === (kind === 'weighted') || (logit && logit.length !== batch * heads.heads * tokens)) {
    throw rangeError('ERR_SK_SHAPE', `expected logits [batch, heads, tokens] for the kind 'weighted' and for no other`);
  }
  const out = allocate(
    'float32',
    dims.reduce((a, b) => a * b, 1),
    'the pooled tokens',
  );
  const call = {
    x: heads.data,
    xStrides: heads.strides,
    batch,
    heads: heads.heads,
    tokens,
    dim,
    start,
    count,
    kind: kinds.indexOf(kind),
    logit,
    out,
    isa: isaOption(o.isa),
    threads: integer(o.threads ?? 1024, 'threads', 1, 1024),
  };
  const result: Pooled = { pooled: { type: 'float32', data: out, dims }, start, count };
  return { call, result, signal: o.signal };
}

/**
 * Reduces windows of tokens to one row each: the summaries of keys or queries that methods choose blocks by.
 *
 * @param x - float32 [batch, heads, tokens, dim] ('BSHD': [batch, tokens, heads, dim])
 * @throws (rejects) TypeError `ERR_SK_TYPE` / `ERR_SK_DTYPE` / `ERR_SK_BUFFER`, RangeError `ERR_SK_SHAPE` / `ERR_SK_OPTION`,
 * SparseKernelsError `ERR_SK_ISA` / `ERR_SK_MEMORY`, or the reason of `signal`
 * @example
 * ```ts
 * import { attention } from 'sparse-kernels';
 * const k = { data: Float32Array.of(1, 5, 2, 4, 9, 9), dims: [1, 1, 3, 2] };
 * const { pooled, count } = await attention.pool(k, { kind: 'max', block: 2 });
 * pooled.data; // Float32Array [2, 5, 9, 9]
 * count; // Int32Array [2, 1]
 * ```
 */
export async function pool(x: TensorLike, poolOptions: PoolOptions): Promise<Pooled> {
  const { call, result, signal } = prepare(x, poolOptions);
  await cancellable(signal, (token) => native.pool(call, token));
  return result;
}

/**
 * {@link pool} on the calling thread (and the pool); x is read in place.
 *
 * @param x - float32 [batch, heads, tokens, dim] ('BSHD': [batch, tokens, heads, dim])
 * @throws as {@link pool}
 * @example
 * ```ts
 * import { attention } from 'sparse-kernels';
 * const k = { data: Float32Array.of(1, 5, 2, 4, 9, 9), dims: [1, 1, 3, 2] };
 * attention.poolSync(k, { kind: 'mean', block: 2 }).pooled.data; // Float32Array [1.5, 4.5, 9, 9]
 * ```
 */
export function poolSync(x: TensorLike, poolOptions: Omit<PoolOptions, 'signal'>): Pooled {
  const { call, result } = prepare(x, poolOptions);
  guarded(() => native.poolSync(call));
  return result;
}
