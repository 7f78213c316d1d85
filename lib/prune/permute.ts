/** Reordering the channels between two layers: the rows of the first and the columns of the second. */
import { rangeError, typeError } from '../errors.js';
import { allocate, type Tensor, type TensorLike } from '../tensor.js';
import { describe } from '../validate.js';
import { matrix } from './matrix.js';

/**
 * Reorders input channels: column c of the result is column `order[c]`. What feeds this layer needs {@link permuteRows} with the same
 * order, and nothing else changes.
 *
 * @param weight - float32 [out, in]; left as it is
 * @param order - each channel once, as {@link permutationSearch} and {@link s2ft} give it
 * @returns a new float32 [out, in]
 * @throws TypeError `ERR_SK_TYPE` / `ERR_SK_DTYPE` / `ERR_SK_BUFFER`, RangeError `ERR_SK_SHAPE` / `ERR_SK_OPTION`
 * @example
 * ```ts
 * import { prune } from 'sparse-kernels';
 * const weight = { data: Float32Array.of(1, 2, 3, 4), dims: [2, 2] };
 * prune.permuteColumns(weight, Int32Array.of(1, 0)).data; // Float32Array [2, 1, 4, 3]
 * ```
 */
export function permuteColumns(weight: TensorLike, order: Int32Array): Tensor {
  const { data, dims, rows, columns } = matrix(weight, 'weight');
  checkOrder(order, columns);
  const permuted = allocate('float32', data.length, 'the permuted weight');
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++) permuted[r * columns + c] = data[r * columns + (order[c] as number)] as number;
  }
  return { type: 'float32', data: permuted, dims: [...dims] };
}

/**
 * Reorders output channels: row r of the result is row `order[r]`. A bias is the weight [out, 1].
 *
 * @param weight - float32 [out, in]; left as it is
 * @param order - each channel once
 * @returns a new float32 [out, in]
 * @throws TypeError `ERR_SK_TYPE` / `ERR_SK_DTYPE` / `ERR_SK_BUFFER`, RangeError `ERR_SK_SHAPE` / `ERR_SK_OPTION`
 * @example
 * ```ts
 * import { prune } from 'sparse-kernels';
 * const weight = { data: Float32Array.of(1, 2, 3, 4), dims: [2, 2] };
 * prune.permuteRows(weight, Int32Array.of(1, 0)).data; // Float32Array [3, 4, 1, 2]
 * ```
 */
export function permuteRows(weight: TensorLike, order: Int32Array): Tensor {
  const { data, dims, rows, columns } = matrix(weight, 'weight');
  checkOrder(order, rows);
  const permuted = allocate('float32', data.length, 'the permuted weight');
  for (let r = 0; r < rows; r++) {
    const from = (order[r] as number) * columns;
    permuted.set(data.subarray(from, from + columns), r * columns);
  }
  return { type: 'float32', data: permuted, dims: [...dims] };
}

function checkOrder(order: unknown, count: number): void {
  if (!(order instanceof Int32Array)) throw typeError('ERR_SK_TYPE', `expected order to be an Int32Array but received ${describe(order)}`);
  const seen = new Uint8Array(count);
  for (const channel of order) if (channel >= 0 && channel < count) seen[channel] = 1;
  if (order.length === count && !seen.includes(0)) return;
  throw rangeError('ERR_SK_OPTION', `expected order to have each of ${count} channels once but received ${order.length} that do not`);
}
