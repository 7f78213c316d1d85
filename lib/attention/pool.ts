import { isaOption } from '../device.js';
import { DeviceTensor } from '../device-tensor.js';
import { rangeError } from '../errors.js';
import { cancellable, guarded } from '../handle.js';
import { native } from '../native.js';
import { allocate, type Tensor, type TensorLike, tensor } from '../tensor.js';
import { integer, oneOf, options } from '../validate.js';
import { type CudaPooled, type CudaPoolOptions, poolOnDevice } from './cuda-pool.js';
import { type Heads, headsOf } from './heads.js';
import { kinds, type PoolKind, type PoolOptions, widthOf, windowsOf } from './pooling.js';

export type { PoolKind, PoolOptions };

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

function prepare(x: TensorLike, poolOptions: PoolOptions) {
  const o = options<PoolOptions>(poolOptions, 'options', known);
  const kind = oneOf(o.kind, 'kind', kinds);
  const heads: Heads = headsOf(x, 'x', oneOf(o.layout ?? 'BHSD', 'layout', ['BHSD', 'BSHD']));
  const { batch, tokens, dim } = heads;
  const { start, count } = windowsOf(o, tokens);
  const dims = [batch, heads.heads, start.length, ...widthOf(kind, dim)];
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
 * Reduces windows of tokens to one row each: the summaries of keys or queries that methods choose blocks by. What is on a device stays
 * there: see {@link CudaPooled}.
 *
 * @param x - float32 [batch, heads, tokens, dim] ('BSHD': [batch, tokens, heads, dim]); on a device float16 and bfloat16, too
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
export async function pool(x: DeviceTensor, poolOptions: CudaPoolOptions): Promise<CudaPooled>;
export async function pool(x: TensorLike, poolOptions: PoolOptions): Promise<Pooled>;
export async function pool(x: TensorLike | DeviceTensor, poolOptions: PoolOptions | CudaPoolOptions): Promise<Pooled | CudaPooled> {
  if (x instanceof DeviceTensor) return poolOnDevice(x, poolOptions as CudaPoolOptions);
  return poolOnCpu(x, poolOptions as PoolOptions);
}

async function poolOnCpu(x: TensorLike, poolOptions: PoolOptions): Promise<Pooled> {
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
