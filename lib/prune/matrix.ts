/** The arguments of this domain: float32 matrices and uint8 masks of the same dims, checked. */
import { rangeError } from '../errors.js';
import { allocate, type Tensor, type TensorLike, tensor } from '../tensor.js';
import { describe } from '../validate.js';

/**
 * Which weights stay: 1, and which go: 0. Same dims as the weight.
 *
 * @example
 * ```ts
 * import { prune } from 'sparse-kernels';
 * const mask: prune.Mask = { type: 'uint8', data: Uint8Array.of(1, 0, 0, 1), dims: [1, 4] };
 * prune.apply({ data: Float32Array.of(1, 2, 3, 4), dims: [1, 4] }, mask).data; // Float32Array [1, 0, 0, 4]
 * ```
 */
export interface Mask {
  /** Element type. */
  readonly type: 'uint8';
  /** 1 or 0 for each weight, row-major. */
  readonly data: Uint8Array;
  /** Sizes of the axes, outermost first. */
  readonly dims: readonly number[];
}

/**
 * What pruning gives: the weight with zeros where the mask has them.
 *
 * @example
 * ```ts
 * import { prune } from 'sparse-kernels';
 * const weight = { data: Float32Array.of(1, -2, 3, -4), dims: [1, 4] };
 * const pruned: prune.Pruned = prune.magnitude(weight, { scope: 'nm', pattern: '2:4' });
 * pruned.mask.data; // Uint8Array [0, 0, 1, 1]
 * ```
 */
export interface Pruned {
  /** A new float32 tensor. */
  readonly weight: Tensor;
  /** A new mask. */
  readonly mask: Mask;
}

/** A checked float32 matrix. */
export interface Matrix {
  readonly data: Float32Array;
  readonly dims: readonly [number, number];
  readonly rows: number;
  readonly columns: number;
}

/** A float32 tensor of rank 2. */
export function matrix(value: TensorLike, name: string): Matrix {
  const { data, dims } = tensor(value, name, ['float32']);
  const [rows, columns] = dims;
  if (dims.length === 2 && rows !== undefined && columns !== undefined) return { data, dims: [rows, columns], rows, columns };
  throw rangeError('ERR_SK_SHAPE', `expected ${name} to be [out, in] but received dims ${describe(dims)}`);
}

/** A matrix of given dims. */
export function matrixLike(value: TensorLike, name: string, { rows, columns }: { rows: number; columns: number }): Matrix {
  const m = matrix(value, name);
  if (m.rows === rows && m.columns === columns) return m;
  throw rangeError('ERR_SK_SHAPE', `expected ${name} to be [${rows}, ${columns}] but received dims ${describe(m.dims)}`);
}

/** The data of a mask of given dims; every element 0 or 1. */
export function maskData(mask: Mask, name: string, { rows, columns }: { rows: number; columns: number }): Uint8Array {
  const { data, dims } = tensor(mask, name, ['uint8']);
  if (dims.length !== 2 || dims[0] !== rows || dims[1] !== columns) {
    throw rangeError('ERR_SK_SHAPE', `expected ${name} to be [${rows}, ${columns}] but received dims ${describe(dims)}`);
  }
  const wrong = data.findIndex((value) => value > 1);
  if (wrong >= 0) throw rangeError('ERR_SK_OPTION', `expected ${name} to hold 0 and 1 but received ${data[wrong]} at ${wrong}`);
  return data;
}

export function newMask(data: Uint8Array, { dims }: Matrix): Mask {
  return { type: 'uint8', data, dims: [...dims] };
}

/** The weight where the mask is 1, 0 elsewhere. */
export function pruned(weight: Matrix, mask: Uint8Array): Pruned {
  const data = allocate('float32', weight.data.length, 'the pruned weight');
  for (let i = 0; i < data.length; i++) if (mask[i] === 1) data[i] = weight.data[i] as number;
  return { weight: { type: 'float32', data, dims: [...weight.dims] }, mask: newMask(mask, weight) };
}
