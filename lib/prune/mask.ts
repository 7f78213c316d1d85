import type { Tensor, TensorLike } from '../tensor.js';
import { type Mask, maskData, matrix, newMask, pruned } from './matrix.js';
import { parseScope, type Scope } from './scope.js';
import { selectMask } from './select.js';

/**
 * The mask that keeps the largest scores: what every criterion of this module comes down to. For a criterion of your own (gradients,
 * Hessian diagonals, ...) compute scores and come here.
 *
 * @param scores - float32 [out, in], larger is more important
 * @param scope - who competes with whom, and how many stay
 * @throws TypeError `ERR_SK_TYPE` / `ERR_SK_DTYPE` / `ERR_SK_BUFFER`, RangeError `ERR_SK_SHAPE` / `ERR_SK_PATTERN` / `ERR_SK_OPTION`
 * @example
 * ```ts
 * import { prune } from 'sparse-kernels';
 * const scores = { data: Float32Array.of(4, 1, 2, 3), dims: [1, 4] };
 * prune.mask(scores, { scope: 'nm', pattern: '2:4' }).data; // Uint8Array [1, 0, 0, 1]
 * ```
 */
export function mask(scores: TensorLike, scope: Scope): Mask {
  const parsed = parseScope(scope);
  const m = matrix(scores, 'scores');
  return newMask(selectMask(m.data, m.rows, m.columns, parsed), m);
}

/**
 * The weight with zeros where the mask has them: the forward weight of masked training.
 *
 * @param weight - float32 [out, in]; left as it is
 * @returns a new float32 [out, in]
 * @throws TypeError `ERR_SK_TYPE` / `ERR_SK_DTYPE` / `ERR_SK_BUFFER`, RangeError `ERR_SK_SHAPE` / `ERR_SK_OPTION`
 * @example
 * ```ts
 * import { prune } from 'sparse-kernels';
 * const weight = { data: Float32Array.of(1, 2, 3, 4), dims: [2, 2] };
 * prune.apply(weight, prune.mask(weight, { scope: 'row', sparsity: 0.5 })).data; // Float32Array [0, 2, 0, 4]
 * ```
 */
export function apply(weight: TensorLike, mask: Mask): Tensor {
  const w = matrix(weight, 'weight');
  return pruned(w, maskData(mask, 'mask', w)).weight;
}
