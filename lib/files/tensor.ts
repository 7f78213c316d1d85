/** Tensors as files have them: more element types than the kernels take, each in the typed array that holds its bits. */
import { rangeError, SparseKernelsError, typeError } from '../errors.js';
import { elementCount } from '../tensor.js';
import { describe } from '../validate.js';

const arrayOf = {
  float64: Float64Array,
  float32: Float32Array,
  float16: Uint16Array,
  bfloat16: Uint16Array,
  float8e4m3fn: Uint8Array,
  float8e5m2: Uint8Array,
  int64: BigInt64Array,
  uint64: BigUint64Array,
  int32: Int32Array,
  uint32: Uint32Array,
  int16: Int16Array,
  uint16: Uint16Array,
  int8: Int8Array,
  uint8: Uint8Array,
  bool: Uint8Array,
} satisfies Record<FileType, unknown>;

/** Element types of files, with the names that onnxruntime uses. */
export type FileType =
  | 'float64'
  | 'float32'
  | 'float16'
  | 'bfloat16'
  | 'float8e4m3fn'
  | 'float8e5m2'
  | 'int64'
  | 'uint64'
  | 'int32'
  | 'uint32'
  | 'int16'
  | 'uint16'
  | 'int8'
  | 'uint8'
  | 'bool';

/** The typed array that holds elements of a type. */
export type FileArray =
  | Float64Array
  | Float32Array
  | BigInt64Array
  | BigUint64Array
  | Int32Array
  | Uint32Array
  | Int16Array
  | Uint16Array
  | Int8Array
  | Uint8Array;

/**
 * A dense tensor of a file. Types that JavaScript has no array for are kept as bits: float16 and bfloat16 in a Uint16Array, float8 and bool
 * in a Uint8Array. {@link toFloat32} converts.
 *
 * @example
 * ```ts
 * import { files } from 'sparse-kernels';
 * const one: files.FileTensor = { type: 'bfloat16', data: Uint16Array.of(0x3f80), dims: [1] };
 * files.toFloat32(one).data; // Float32Array [1]
 * ```
 */
export interface FileTensor {
  /** Element type. */
  readonly type: FileType;
  /** The elements, row-major. */
  readonly data: FileArray;
  /** Sizes of the axes, outermost first; none for a scalar. */
  readonly dims: readonly number[];
}

export function elementBytes(type: FileType): number {
  return arrayOf[type].BYTES_PER_ELEMENT;
}

/** A tensor with a copy of the bytes. The caller has checked that they are as many as type and dims need. */
export function tensorOfBytes(type: FileType, dims: readonly number[], bytes: Uint8Array): FileTensor {
  const { buffer } = new Uint8Array(bytes); // slice() of a Buffer would not copy
  return { type, data: new arrayOf[type](buffer), dims };
}

/** A tensor that a caller passed: type and data fit each other, and dims the data. */
export function fileTensor(value: unknown, name: string): FileTensor {
  const { type, data, dims } = (value ?? {}) as Partial<FileTensor>;
  if (typeof type !== 'string' || !Object.hasOwn(arrayOf, type)) {
    throw typeError('ERR_SK_DTYPE', `expected ${name}.type to be one of ${Object.keys(arrayOf).join(', ')} but received ${describe(type)}`);
  }
  if (!(data instanceof arrayOf[type])) {
    throw typeError('ERR_SK_TYPE', `expected ${name}.data to be a ${arrayOf[type].name} but received ${describe(data)}`);
  }
  const count = elementCount(dims, name);
  if (data.length === count) return { type, data, dims: dims as readonly number[] };
  throw rangeError(
    'ERR_SK_SHAPE',
    `expected ${name}.data to hold ${count} elements for dims ${describe(dims)} but received ${data.length}`,
  );
}

/** The bytes of a typed array. */
export function bytesOf(data: ArrayBufferView): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

/** Bytes that a caller passed. */
export function byteArray(value: unknown, name: string): Uint8Array {
  if (value instanceof Uint8Array) return value;
  throw typeError('ERR_SK_TYPE', `expected ${name} to be a Uint8Array but received ${describe(value)}`);
}

/** What is wrong with a file. */
export function damaged(what: string): SparseKernelsError {
  return new SparseKernelsError('ERR_SK_FILE', what);
}

/** True for a value that is not 0: bits of float16 and bfloat16 arrive as integers, whose -0 is 0x8000. */
export function isNonZero(value: number | bigint): boolean {
  return value !== 0 && value !== 0n;
}

/** Which elements of a tensor are not 0. */
export function nonZero({ type, data }: FileTensor): (i: number) => boolean {
  const mask = type === 'float16' || type === 'bfloat16' ? 0x7fff : type === 'float8e4m3fn' || type === 'float8e5m2' ? 0x7f : 0;
  return mask ? (i) => ((data[i] as number) & mask) !== 0 : (i) => isNonZero(data[i] as number | bigint);
}

/** Zeros of the type of another tensor. */
export function newArray({ data }: FileTensor, length: number): FileArray {
  try {
    return new (data.constructor as new (length: number) => FileArray)(length);
  } catch (cause) {
    throw new SparseKernelsError('ERR_SK_MEMORY', `${length} elements do not fit in memory`, { cause });
  }
}

/** Sets an element of a matrix unless it is in the padding. */
export function put(data: FileArray, out: number, inputs: number, row: number, column: number, value: number | bigint | undefined): void {
  if (row < out && column < inputs) data[row * inputs + column] = value as never;
}
