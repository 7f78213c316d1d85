import { rangeError } from '../errors.js';
import { allocate, type Tensor, type TensorLike, tensor, typedArray } from '../tensor.js';
import { describe } from '../validate.js';
import { headsOf } from './heads.js';

/**
 * Rows of each head in another order: row t of the result is row order[t] of x. An order may leave rows out or repeat them; to undo a
 * permutation, permute with {@link inverseOrder} of it.
 *
 * @param x - float32 [batch, heads, tokens, dim]
 * @param order - int32 [n] for all heads, or a tensor [batch, heads, n]
 * @returns float32 [batch, heads, n, dim]
 * @throws TypeError `ERR_SK_TYPE` / `ERR_SK_DTYPE` / `ERR_SK_BUFFER`, RangeError `ERR_SK_SHAPE` / `ERR_SK_OPTION`, SparseKernelsError
 * `ERR_SK_MEMORY`
 * @example
 * ```ts
 * import { attention } from 'sparse-kernels';
 * const x = { data: Float32Array.of(1, 2, 3), dims: [1, 1, 3, 1] };
 * attention.permute(x, Int32Array.of(2, 0)).data; // Float32Array [3, 1]
 * ```
 */
export function permute(x: TensorLike, order: Int32Array | TensorLike): Tensor {
  const { data, batch, heads, tokens, dim } = headsOf(x, 'x', 'BHSD');
  const shared = ArrayBuffer.isView(order);
  const ids = shared ? typedArray(order, 'int32', 'order') : tensor(order, 'order', ['int32']).data;
  const n = shared ? ids.length : (order.dims.at(-1) as number);
  if (!shared && String(order.dims) !== String([batch, heads, n])) {
    throw rangeError('ERR_SK_SHAPE', `expected order to be [n] or [${batch}, ${heads}, n] but received dims ${describe(order.dims)}`);
  }
  const wrong = ids.find((id) => id < 0 || id >= tokens);
  if (wrong !== undefined) throw rangeError('ERR_SK_OPTION', `expected order to hold rows from 0 to ${tokens - 1} but received ${wrong}`);
  const moved = allocate('float32', batch * heads * n * dim, 'the rows');
  for (let s = 0; s < batch * heads; s++) {
    for (let t = 0; t < n; t++) {
      const from = (s * tokens + (ids[shared ? t : s * n + t] as number)) * dim;
      moved.set(data.subarray(from, from + dim), (s * n + t) * dim);
    }
  }
  return { type: 'float32', data: moved, dims: [batch, heads, n, dim] };
}

/**
 * The order that undoes a permutation.
 *
 * @throws TypeError `ERR_SK_TYPE`, RangeError `ERR_SK_OPTION` where a row is missing
 * @example
 * ```ts
 * import { attention } from 'sparse-kernels';
 * attention.inverseOrder(Int32Array.of(2, 0, 1)); // Int32Array [1, 2, 0]
 * ```
 */
export function inverseOrder(order: Int32Array): Int32Array {
  const ids = typedArray(order, 'int32', 'order');
  const inverse = new Int32Array(ids.length).fill(-1);
  ids.forEach((id, t) => {
    if (id < 0 || id >= ids.length || inverse[id] !== -1) {
      throw rangeError('ERR_SK_OPTION', `expected a permutation of ${ids.length} rows but received ${id} at ${t}`);
    }
    inverse[id] = t;
  });
  return inverse;
}
