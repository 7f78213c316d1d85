import { DeviceTensor, toDevice } from '../device-tensor.js';
import { rangeError } from '../errors.js';
import { native } from '../native.js';
import type { StreamOption } from '../stream.js';
import type { TensorLike } from '../tensor.js';
import { oneOf, options } from '../validate.js';
import { deviceHeads, deviceTensor, enqueue } from './cuda-call.js';
import { kinds, type PoolOptions, widthOf, windowsOf } from './pooling.js';

/** Options of `attention.pool` for a tensor on a device. */
export interface CudaPoolOptions extends Omit<PoolOptions, 'logits' | 'isa' | 'threads'>, StreamOption {
  /** For `'weighted'`: float32 [batch, heads, tokens]. */
  readonly logits?: DeviceTensor;
}

/**
 * What `attention.pool` makes of a tensor on a device. The promise settles when the work is on its stream: nothing waits for it but a
 * copy to the host, a run of a plan, or `stream.synchronize()`; an error of the device comes out there.
 */
export interface CudaPooled {
  /** float32 [batch, heads, windows, dim]; `minmax` [batch, heads, windows, 2, dim]; `similarity` [batch, heads, windows]. */
  readonly pooled: DeviceTensor<'float32'>;
  /** First token of each window, int32 [windows], in host memory. */
  readonly start: Int32Array;
  /** Tokens of each window, int32 [windows], in host memory. */
  readonly count: Int32Array;
}

const known = ['kind', 'block', 'stride', 'tail', 'offsets', 'logits', 'layout', 'signal', 'stream'] as const;

export async function poolOnDevice(x: DeviceTensor, poolOptions: CudaPoolOptions): Promise<CudaPooled> {
  const o = options<CudaPoolOptions>(poolOptions, 'options', known);
  const kind = oneOf(o.kind, 'kind', kinds);
  const shape = deviceHeads(x, 'x', o.layout);
  const { batch, heads, tokens, dim } = shape;
  const { start, count } = windowsOf(o, tokens);
  if ((o.logits !== undefined) !== (kind === 'weighted')) {
    throw rangeError('ERR_SK_SHAPE', `expected logits [batch, heads, tokens] for the kind 'weighted' and for no other`);
  }
  const logit = o.logits && deviceTensor(o.logits, 'logits', ['float32'], batch * heads * tokens);
  using offsets =
    o.offsets && (await toDevice({ data: o.offsets, dims: [o.offsets.length], type: 'int32' } as TensorLike, 'cuda', { stream: o.stream }));
  const block = o.block ?? 1;
  const sizes = { ...shape, kind: kinds.indexOf(kind), windows: start.length, block, stride: o.stride ?? block };
  const out = new DeviceTensor('float32', [batch, heads, start.length, ...widthOf(kind, dim)], o.stream);
  await enqueue(o, { out }, { x, logit, offsets }, (arrays, call) => native.poolCuda({ ...sizes, ...arrays }, call));
  return { pooled: out, start, count };
}
