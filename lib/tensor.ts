import { rangeError, SparseKernelsError, typeError } from './errors.js';
import { describe } from './validate.js';

/** Element types, with the names that onnxruntime uses. */
export type DType = 'float32' | 'float64' | 'float16' | 'bfloat16' | 'int8' | 'uint8' | 'int32' | 'int64';

/**
 * A dense row-major tensor, as callers pass it: tensors of onnxruntime and transformers.js fit as they are. float16 and bfloat16 are
 * stored in a Uint16Array with their `type` given (float16 also in a Float16Array, where the runtime has it).
 *
 * @example
 * ```ts
 * import type { TensorLike } from 'sparse-kernels';
 * const x: TensorLike = { data: new Float32Array(6), dims: [2, 3] };
 * ```
 */
export interface TensorLike {
  /** The elements: a typed array on a plain ArrayBuffer (not shared, not resizable). Any byteOffset. */
  readonly data: ArrayBufferView | readonly unknown[];
  /** Sizes of the axes, outermost first. */
  readonly dims: readonly number[];
  /** Element type; may be left out where the class of `data` says it. */
  readonly type?: string;
  /** Where the data are; only 'cpu' and 'cpu-pinned' can be read. */
  readonly location?: string;
}

/**
 * A float32 tensor, as the library returns it: a plain object, so `new ort.Tensor(y.type, y.data, y.dims)` just works.
 *
 * @example
 * ```ts
 * import { nm, type Tensor } from 'sparse-kernels';
 * const pruned: Tensor = nm.prune({ data: Float32Array.of(3, 1, 2, 4), dims: [1, 4] }, { pattern: '2:4' });
 * pruned.data; // Float32Array [3, 0, 0, 4]
 * ```
 */
export interface Tensor {
  /** Element type. */
  readonly type: 'float32';
  /** The elements, row-major. */
  readonly data: Float32Array;
  /** Sizes of the axes, outermost first. */
  readonly dims: readonly number[];
}

/** A float32 tensor whose data have been checked. */
export interface Float32View {
  data: Float32Array;
  dims: readonly number[];
}

/** Which classes of array hold which element types; the first type is the one meant where `type` is left out. */
const dtypesOfArray: Record<string, readonly DType[]> = {
  Float32Array: ['float32'],
  Float64Array: ['float64'],
  Float16Array: ['float16'],
  Uint16Array: ['float16', 'bfloat16'],
  Int8Array: ['int8'],
  Uint8Array: ['uint8'],
  Int32Array: ['int32'],
  BigInt64Array: ['int64'],
};

/** Name of the typed-array class of any realm, or undefined. */
function arrayClass(data: unknown): string | undefined {
  return ArrayBuffer.isView(data) ? (data as Float32Array)[Symbol.toStringTag] : undefined;
}

/** Checks that nobody else can change or free the memory: not shared, not resizable, not detached. */
function checkBuffer(data: Float32Array, name: string, length: number): void {
  const buffer = data.buffer as ArrayBuffer;
  const refuse = (what: string) =>
    typeError('ERR_SK_BUFFER', `expected ${name} to be on a plain ArrayBuffer but received one that is ${what}`);
  if (buffer instanceof SharedArrayBuffer) throw refuse('shared (a SharedArrayBuffer)');
  if (buffer.resizable) throw refuse('resizable');
  if (data.length === 0 && length > 0 && isDetached(buffer)) throw refuse('detached (it was transferred)');
}

function isDetached(buffer: ArrayBuffer): boolean {
  try {
    new Uint8Array(buffer);
    return false;
  } catch {
    return true;
  }
}

/** A Float32Array that is safe to hand to the addon. `length` is what it should hold, if that is known. */
export function float32Array(data: unknown, name: string, length = 1): Float32Array {
  if (arrayClass(data) !== 'Float32Array') {
    throw typeError('ERR_SK_TYPE', `expected ${name} to be a Float32Array but received ${describe(data)}`);
  }
  checkBuffer(data as Float32Array, name, length);
  return data as Float32Array;
}

/** Product of dims; every one a non-negative integer and the product exactly representable. */
export function elementCount(dims: unknown, name: string): number {
  if (!Array.isArray(dims)) throw typeError('ERR_SK_TYPE', `expected ${name}.dims to be an array but received ${describe(dims)}`);
  let count = 1;
  for (const dim of dims) {
    if (!Number.isSafeInteger(dim) || dim < 0) {
      throw rangeError('ERR_SK_SHAPE', `expected ${name}.dims to be non-negative integers but received ${describe(dims)}`);
    }
    count *= dim;
  }
  if (!Number.isSafeInteger(count)) {
    throw rangeError('ERR_SK_SHAPE', `expected ${name}.dims to have less than 2^53 elements but received ${describe(dims)}`);
  }
  return count;
}

/** Checks a tensor argument that must be float32. */
export function float32Tensor(tensor: unknown, name: string): Float32View {
  if (typeof tensor !== 'object' || tensor === null || !('dims' in tensor)) {
    throw typeError('ERR_SK_TYPE', `expected ${name} to be a tensor { data, dims } but received ${describe(tensor)}`);
  }
  const { dims, type, location } = tensor as TensorLike;
  if (location !== undefined && location !== 'cpu' && location !== 'cpu-pinned') {
    throw typeError('ERR_SK_TYPE', `expected ${name} to be in CPU memory but received location ${describe(location)}`);
  }
  const count = elementCount(dims, name);
  const { data } = tensor as TensorLike;
  const dtypes = dtypesOfArray[arrayClass(data) ?? ''];
  if (dtypes === undefined) throw typeError('ERR_SK_TYPE', `expected ${name}.data to be a Float32Array but received ${describe(data)}`);
  const dtype = type ?? dtypes[0];
  if (dtype !== 'float32' || !dtypes.includes('float32')) {
    throw typeError('ERR_SK_DTYPE', `expected ${name} to be float32 but received ${dtype} in a ${arrayClass(data)}`);
  }
  const array = float32Array(data, `${name}.data`, count);
  if (array.length !== count) {
    throw rangeError(
      'ERR_SK_SHAPE',
      `expected ${name}.data to hold ${count} elements for dims ${describe(dims)} but received ${array.length}`,
    );
  }
  return { data: array, dims };
}

/** A new array of so many zeros, or ERR_SK_MEMORY. */
export function allocate(length: number, name: string): Float32Array<ArrayBuffer> {
  try {
    return new Float32Array(length);
  } catch (cause) {
    throw new SparseKernelsError('ERR_SK_MEMORY', `${name} of ${length} float32 elements does not fit in memory`, { cause });
  }
}

/** True where two arrays share bytes. */
export function overlaps(a: Float32Array, b: Float32Array): boolean {
  return a.buffer === b.buffer && a.byteOffset < b.byteOffset + b.byteLength && b.byteOffset < a.byteOffset + a.byteLength;
}
