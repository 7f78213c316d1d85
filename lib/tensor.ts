import { rangeError, SparseKernelsError, typeError } from './errors.js';
import { native } from './native.js';
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
 * A tensor, as the library returns it: a plain object, so `new ort.Tensor(y.type, y.data, y.dims)` just works.
 *
 * @example
 * ```ts
 * import { nm, type Tensor } from 'sparse-kernels';
 * const pruned: Tensor = nm.prune({ data: Float32Array.of(3, 1, 2, 4), dims: [1, 4] }, { pattern: '2:4' });
 * pruned.data; // Float32Array [3, 0, 0, 4]
 * ```
 */
export interface Tensor<D extends DType = 'float32'> {
  /** Element type. */
  readonly type: D;
  /** The elements, row-major. */
  readonly data: ArrayOf[D];
  /** Sizes of the axes, outermost first. */
  readonly dims: readonly number[];
}

/** The class of array that holds each element type where it meets the addon. */
export interface ArrayOf {
  /** IEEE 754 binary32. */
  float32: Float32Array;
  /** IEEE 754 binary64. */
  float64: Float64Array;
  /** The bits of IEEE 754 binary16. */
  float16: Uint16Array;
  /** The bits of bfloat16: the upper half of a float32. */
  bfloat16: Uint16Array;
  /** Signed bytes. */
  int8: Int8Array;
  /** Unsigned bytes. */
  uint8: Uint8Array;
  /** Signed 32-bit integers. */
  int32: Int32Array;
  /** Signed 64-bit integers. */
  int64: BigInt64Array;
}

/** A tensor whose data have been checked; which type it is decides the class of its data. */
export type TensorView<D extends DType = DType> = { [K in D]: { type: K; data: ArrayOf[K]; dims: readonly number[] } }[D];

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

const classOf: { [D in DType]: { new (length: number): ArrayOf[D]; readonly name: string } } = {
  float32: Float32Array,
  float64: Float64Array,
  float16: Uint16Array,
  bfloat16: Uint16Array,
  int8: Int8Array,
  uint8: Uint8Array,
  int32: Int32Array,
  int64: BigInt64Array,
};

/** Name of the typed-array class of any realm, or undefined. */
function arrayClass(data: unknown): string | undefined {
  return ArrayBuffer.isView(data) ? (data as Float32Array)[Symbol.toStringTag] : undefined;
}

/** Checks that nobody else can change or free the memory: not shared, not resizable, not detached. */
function checkBuffer(data: ArrayOf[DType], name: string, length: number): void {
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

/** An array of the class of `type` that is safe to hand to the addon. `length` is what it should hold, if that is known. */
export function typedArray<D extends DType>(data: unknown, type: D, name: string, length = 1): ArrayOf[D] {
  if (arrayClass(data) !== classOf[type].name) {
    throw typeError('ERR_SK_TYPE', `expected ${name} to be a ${classOf[type].name} but received ${describe(data)}`);
  }
  checkBuffer(data as ArrayOf[D], name, length);
  return data as ArrayOf[D];
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

/** Checks a tensor argument that must have one of the element types. */
export function tensor<D extends DType>(value: unknown, name: string, types: readonly D[]): TensorView<D> {
  if (typeof value !== 'object' || value === null || !('dims' in value)) {
    throw typeError('ERR_SK_TYPE', `expected ${name} to be a tensor { data, dims } but received ${describe(value)}`);
  }
  const { data, dims, type, location } = value as TensorLike;
  if (location !== undefined && location !== 'cpu' && location !== 'cpu-pinned') {
    throw typeError('ERR_SK_TYPE', `expected ${name} to be in CPU memory but received location ${describe(location)}`);
  }
  const count = elementCount(dims, name);
  const held = dtypesOfArray[arrayClass(data) ?? ''];
  if (held === undefined) {
    const classes = [...new Set(types.map((t) => classOf[t].name))].join(' or ');
    throw typeError('ERR_SK_TYPE', `expected ${name}.data to be a ${classes} but received ${describe(data)}`);
  }
  const dtype = (type ?? held[0]) as D;
  if (!types.includes(dtype) || !held.includes(dtype)) {
    throw typeError(
      'ERR_SK_DTYPE',
      `expected ${name} to be ${types.join(' or ')} but received ${typeof dtype === 'string' ? dtype : describe(dtype)} in a ${arrayClass(data)}`,
    );
  }
  checkBuffer(data as ArrayOf[D], `${name}.data`, count);
  const array = bitsOf(data as ArrayOf[D]);
  if (array.length !== count) {
    throw rangeError(
      'ERR_SK_SHAPE',
      `expected ${name}.data to hold ${count} elements for dims ${describe(dims)} but received ${array.length}`,
    );
  }
  return { type: dtype, data: array, dims } as TensorView<D>;
}

/** A Float16Array as the Uint16Array of its bits; any other array as it is. */
function bitsOf<T extends ArrayOf[DType]>(data: T): T | Uint16Array {
  return arrayClass(data) === 'Float16Array' ? new Uint16Array(data.buffer, data.byteOffset, data.length) : data;
}

/** From so many bytes on the page faults of a new array cost more than the call that saves most of them. */
const manyBytes = 8 << 20;

/** A new array of so many zeros, or ERR_SK_MEMORY. */
export function allocate<D extends DType>(type: D, length: number, name: string): ArrayOf[D] {
  try {
    const array = new classOf[type](length);
    if (array.byteLength >= manyBytes) native.adviseHugePages(array);
    return array;
  } catch (cause) {
    throw new SparseKernelsError('ERR_SK_MEMORY', `${name} of ${length} ${type} elements does not fit in memory`, { cause });
  }
}

/**
 * So many zeros from the start of a cache line on: for what kernels stream again and again. Half of all vectors of 32 bytes would cross lines
 * otherwise, and each of these is two loads.
 */
export function allocateLines<D extends 'float32' | 'bfloat16'>(type: D, length: number, name: string): ArrayOf[D] {
  const room: Float32Array | Uint16Array = allocate(type, length + 31, name);
  const first = ((64 - native.lineOffset(room)) % 64) / room.BYTES_PER_ELEMENT;
  return room.subarray(first, first + length) as ArrayOf[D];
}

/** True where two arrays share bytes. */
export function overlaps(a: ArrayBufferView, b: ArrayBufferView): boolean {
  return a.buffer === b.buffer && a.byteOffset < b.byteOffset + b.byteLength && b.byteOffset < a.byteOffset + a.byteLength;
}
