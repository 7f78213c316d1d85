import type { NativeDeviceArray, NativeDeviceCall, NativeStream } from '../types/cuda.js';
import { rangeError, typeError } from './errors.js';
import { cancellable, guarded, NativeHandle } from './handle.js';
import { native } from './native.js';
import { type Stream, type StreamOption, streamOption } from './stream.js';
import { allocate, type DType, elementCount, type Tensor, type TensorLike, tensor } from './tensor.js';
import { oneOf, options } from './validate.js';

/** Element types that tensors on a device may have. */
export type DeviceDType = 'float32' | 'float16' | 'bfloat16' | 'int8' | 'int32';

const bytesOf: { readonly [D in DeviceDType]: number } = { float32: 4, float16: 2, bfloat16: 2, int8: 1, int32: 4 };
const deviceTypes = Object.keys(bytesOf) as DeviceDType[];

/**
 * A dense row-major tensor in the memory of a CUDA device. Plans with `device: 'cuda'` take and give such tensors without a copy through the
 * host. Made by {@link toDevice} and by plans.
 *
 * @example
 * ```ts
 * import { devices, toDevice } from 'sparse-kernels';
 * if (devices().some((d) => d.type === 'cuda' && d.available)) {
 *   using x = await toDevice({ data: Float32Array.of(1, 2, 3, 4), dims: [2, 2] }, 'cuda');
 *   const back = await x.to('cpu'); // { type: 'float32', data: Float32Array [1, 2, 3, 4], dims: [2, 2] }
 * }
 * ```
 */
export class DeviceTensor<D extends DeviceDType = DeviceDType> {
  /** Where the elements are. */
  readonly location = 'cuda';
  /** Element type. */
  readonly type: D;
  /** Sizes of the axes, outermost first. */
  readonly dims: readonly number[];
  readonly #handle: NativeHandle<NativeDeviceArray>;

  /** In `array`, or in new memory that is first used on `stream`. @internal */
  constructor(type: D, dims: readonly number[], stream?: Stream, array?: NativeDeviceArray) {
    this.type = type;
    this.dims = dims;
    const bytes = elementCount(dims, 'tensor') * bytesOf[type];
    this.#handle = new NativeHandle('the device tensor', () => array ?? new native.DeviceArray(bytes, streamOption(stream)?.live()));
  }

  /**
   * A copy in host memory.
   *
   * @throws (rejects) TypeError `ERR_SK_TYPE`, RangeError `ERR_SK_OPTION`, SparseKernelsError `ERR_SK_DISPOSED` / `ERR_SK_MEMORY` / `ERR_SK_CUDA`
   */
  async to(device: 'cpu', copyOptions: StreamOption = {}): Promise<Tensor<D>> {
    oneOf(device, 'device', ['cpu']);
    const { stream } = options<StreamOption>(copyOptions, 'options', ['stream']);
    const data = allocate(this.type as DType, elementCount(this.dims, 'tensor'), 'the copy of a device tensor');
    await onStream(stream, (there) => this.use((array) => guarded(() => array.download(data, there))));
    return { type: this.type, data, dims: this.dims } as Tensor<D>;
  }

  /** Calls the addon with the memory, which stays until the promise settles. @internal */
  use<R>(work: (array: NativeDeviceArray) => Promise<R>): Promise<R> {
    return this.#handle.use(work);
  }

  /** Frees the memory as soon as no run is under way; later use throws `ERR_SK_DISPOSED`. Calling it twice is fine. */
  dispose(): void {
    this.#handle.dispose();
  }

  /** `using x = await toDevice(...)` disposes at the end of the block. */
  [Symbol.dispose](): void {
    this.dispose();
  }
}

/**
 * Copies a tensor to a device, off the event loop. The data are read before the call returns, into a staging buffer.
 *
 * @param value - float32, float16, bfloat16, int8 or int32, of any shape
 * @throws (rejects) TypeError `ERR_SK_TYPE` / `ERR_SK_DTYPE` / `ERR_SK_BUFFER`, RangeError `ERR_SK_SHAPE` / `ERR_SK_OPTION`, SparseKernelsError
 * `ERR_SK_DEVICE` (no such device, and why) / `ERR_SK_DISPOSED` (the stream) / `ERR_SK_MEMORY` / `ERR_SK_CUDA`
 * @example
 * ```ts
 * import { SparseKernelsError, toDevice } from 'sparse-kernels';
 * try {
 *   using x = await toDevice({ data: new Float32Array(6), dims: [2, 3] }, 'cuda');
 * } catch (error) {
 *   if (!(error instanceof SparseKernelsError && error.code === 'ERR_SK_DEVICE')) throw error;
 * }
 * ```
 */
export async function toDevice(value: TensorLike, device: 'cuda', copyOptions: StreamOption = {}): Promise<DeviceTensor> {
  oneOf(device, 'device', ['cuda']);
  const { stream } = options<StreamOption>(copyOptions, 'options', ['stream']);
  const view = tensor(value, 'tensor', deviceTypes);
  const { result } = await filled({ result: new DeviceTensor(view.type, view.dims, stream) }, ({ result }) =>
    onStream(stream, (there) => result.use((array) => guarded(() => array.upload(view.data, there)))),
  );
  return result;
}

/** Calls the addon with a stream, which stays until the promise settles; undefined for the device's own. */
async function onStream<R>(stream: unknown, work: (there: NativeStream | undefined) => Promise<R>): Promise<R> {
  const named = streamOption(stream);
  return named ? named.use(work) : work(undefined);
}

/** A tensor on a device whose last axis has so many elements, or a named error. */
export function deviceOperand(value: DeviceTensor, name: string, types: readonly DeviceDType[], last: number): number {
  if (!types.includes(value.type)) {
    throw typeError('ERR_SK_DTYPE', `expected ${name} to be ${types.join(' or ')} but received ${value.type}`);
  }
  if (value.dims.at(-1) !== last) {
    throw rangeError('ERR_SK_SHAPE', `expected ${name} to be [..., ${last}] but received dims [${value.dims.join(', ')}]`);
  }
  return elementCount(value.dims.slice(0, -1), name);
}

/** Things by name, some of which may not be given. */
type Named<K, T> = { readonly [N in keyof K]: T | undefined };
/** For each that is given another thing. */
type Each<T, R> = { readonly [N in keyof T]: undefined extends T[N] ? R | undefined : R };

/** Where work on a device goes, and what aborts it. */
export interface DeviceCallOptions extends StreamOption {
  readonly signal?: AbortSignal;
}

/** Work on a device, of every verb: with the memory of tensors and a stream, which stay until the promise settles. */
export function deviceCall<T extends Named<T, DeviceTensor>, R>(
  { stream, signal }: DeviceCallOptions,
  tensors: T,
  work: (arrays: Each<T, NativeDeviceArray>, call: NativeDeviceCall) => Promise<R>,
): Promise<R> {
  return cancellable(signal, (cancel) => onStream(stream, (there) => useAll(tensors, (arrays) => work(arrays, { cancel, stream: there }))));
}

function useAll<T extends Named<T, DeviceTensor>, R>(tensors: T, work: (arrays: Each<T, NativeDeviceArray>) => Promise<R>): Promise<R> {
  const arrays: Record<string, NativeDeviceArray | undefined> = {};
  const next = ([first, ...rest]: [string, DeviceTensor | undefined][]): Promise<R> => {
    if (first === undefined) return work(arrays as Each<T, NativeDeviceArray>);
    const [name, tensor] = first;
    if (tensor === undefined) return next(rest);
    return tensor.use((array) => {
      arrays[name] = array;
      return next(rest);
    });
  };
  return next(Object.entries<DeviceTensor | undefined>(tensors));
}

/** New tensors that `work` fills; where it fails they are freed. */
export async function filled<T extends Named<T, DeviceTensor>>(results: T, work: (results: T) => Promise<unknown>): Promise<T> {
  try {
    await work(results);
    return results;
  } catch (error) {
    disposeAll(results);
    throw error;
  }
}

/** What `work` makes on the device of copies of host tensors, as host tensors; nothing of it stays on the device. */
export async function throughDevice<T extends Named<T, TensorLike>, R extends Named<R, DeviceTensor>>(
  operands: T,
  where: StreamOption,
  work: (there: Each<T, DeviceTensor>) => Promise<R>,
): Promise<Each<R, Tensor>> {
  const there: Record<string, DeviceTensor | undefined> = {};
  try {
    const copied = await Promise.allSettled(
      Object.entries<TensorLike | undefined>(operands).map(async ([name, value]) => {
        if (value !== undefined) there[name] = await toDevice(value, 'cuda', where);
      }),
    );
    for (const copy of copied) if (copy.status === 'rejected') throw copy.reason;
    const results = await work(there as Each<T, DeviceTensor>);
    try {
      const back: Record<string, Tensor> = {};
      for (const [name, result] of Object.entries<DeviceTensor | undefined>(results))
        if (result) back[name] = (await result.to('cpu', where)) as Tensor;
      return back as Each<R, Tensor>;
    } finally {
      disposeAll(results);
    }
  } finally {
    disposeAll(there);
  }
}

function disposeAll<T extends Named<T, DeviceTensor>>(tensors: T): void {
  for (const tensor of Object.values<DeviceTensor | undefined>(tensors)) tensor?.dispose();
}
