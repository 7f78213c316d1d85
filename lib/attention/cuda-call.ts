/** What companions of attention on a device share: operands, host arrays that go along, work that nobody waits for. */
import type { NativeDeviceArray, NativeDeviceCall } from '../../types/cuda.js';
import { type DeviceCallOptions, type DeviceDType, DeviceTensor, deviceCall, filled, toDevice } from '../device-tensor.js';
import { rangeError, typeError } from '../errors.js';
import type { Stream } from '../stream.js';
import { type TensorLike, typedArray } from '../tensor.js';
import { describe, oneOf } from '../validate.js';
import type { Layout } from './types.js';

/** In the order of DType in native/core/tensor.h. */
const floatTypes = ['float32', 'float16', 'bfloat16'] as const;

/** A checked [batch, heads, tokens, dim] on a device, in either layout. */
export interface DeviceHeads {
  /** The number of its element type. */
  readonly type: number;
  readonly batch: number;
  readonly heads: number;
  readonly tokens: number;
  readonly dim: number;
  readonly tokensOutside: boolean;
}

export function deviceHeads(x: DeviceTensor, name: string, layout: Layout | undefined): DeviceHeads {
  const order = oneOf(layout ?? 'BHSD', 'layout', ['BHSD', 'BSHD']);
  const type = floatTypes.indexOf(deviceTensor(x, name, floatTypes).type as (typeof floatTypes)[number]);
  if (x.dims.length !== 4) {
    const axes = order === 'BHSD' ? '[batch, heads, tokens, dim]' : '[batch, tokens, heads, dim]';
    throw rangeError('ERR_SK_SHAPE', `expected ${name} to be ${axes} but received dims ${describe(x.dims)}`);
  }
  const [batch, a, b, dim] = x.dims as [number, number, number, number];
  const tokensOutside = order === 'BSHD';
  const [heads, tokens] = tokensOutside ? [b, a] : [a, b];
  return { type, batch, heads, tokens, dim, tokensOutside };
}

/** A tensor on a device of one of the types, and of as many elements as `length` says. */
export function deviceTensor(value: unknown, name: string, types: readonly DeviceDType[], length?: number): DeviceTensor {
  if (!(value instanceof DeviceTensor)) {
    throw typeError('ERR_SK_TYPE', `expected ${name} to be a tensor on the device but received ${describe(value)}`);
  }
  if (!types.includes(value.type)) {
    throw typeError('ERR_SK_DTYPE', `expected ${name} to be ${types.join(' or ')} but received ${value.type}`);
  }
  const elements = value.dims.reduce((a, b) => a * b, 1);
  if (length === undefined || elements === length) return value;
  throw rangeError('ERR_SK_SHAPE', `expected ${name} to hold ${length} numbers but received dims ${describe(value.dims)}`);
}

/** Numbers for each row that come with the options: on the device, or in host memory and then copied. */
export async function carried<R>(
  value: Int32Array | DeviceTensor | undefined,
  name: string,
  lengths: readonly number[],
  stream: Stream | undefined,
  work: (there: DeviceTensor | undefined, length: number) => Promise<R>,
): Promise<R> {
  if (value === undefined) return work(undefined, 1);
  const length = value instanceof DeviceTensor ? value.dims.reduce((a, b) => a * b, 1) : typedArray(value, 'int32', name).length;
  if (!lengths.includes(length)) {
    throw rangeError('ERR_SK_SHAPE', `expected ${name} to hold ${[...new Set(lengths)].join(' or ')} numbers but received ${length}`);
  }
  if (value instanceof DeviceTensor) return work(deviceTensor(value, name, ['int32']), length);
  using copy = await toDevice({ data: value, dims: [length], type: 'int32' } as TensorLike, 'cuda', { stream });
  return await work(copy, length);
}

type Tensors<K extends string> = { readonly [N in K]: DeviceTensor | undefined };
type Arrays<K extends string> = { readonly [N in K]: NativeDeviceArray };

/** Has the addon put work on a stream that fills new tensors. Memory that is freed meanwhile is freed behind that work. */
export function enqueue<R extends Tensors<string>, O extends Tensors<string>>(
  where: DeviceCallOptions,
  results: R,
  operands: O,
  work: (arrays: Arrays<keyof (R & O) & string>, call: NativeDeviceCall) => Promise<void>,
): Promise<R> {
  return filled(results, () =>
    deviceCall(where, { ...operands, ...results } as Tensors<string>, (arrays, call) =>
      work(arrays as Arrays<keyof (R & O) & string>, call),
    ),
  );
}
