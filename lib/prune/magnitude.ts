import { typeError } from '../errors.js';
import { allocate, type TensorLike } from '../tensor.js';
import { describe, options } from '../validate.js';
import { type Matrix, matrix, type Pruned, pruned } from './matrix.js';
import { fraction, parseScope, type Scope } from './scope.js';
import { keepLargest, keptOf, selectMask } from './select.js';

/**
 * Magnitude pruning: the largest absolute values stay. `nm.prune` is the short way to the N:M scope.
 *
 * Mishra et al., "Accelerating Sparse Deep Neural Networks" (2021) for N:M; Han et al., "Learning both Weights and Connections for
 * Efficient Neural Networks" (NeurIPS 2015).
 *
 * @param weight - float32 [out, in]; left as it is
 * @param scope - who competes with whom, and how many stay
 * @throws TypeError `ERR_SK_TYPE` / `ERR_SK_DTYPE` / `ERR_SK_BUFFER`, RangeError `ERR_SK_SHAPE` / `ERR_SK_PATTERN` / `ERR_SK_OPTION`
 * @example
 * ```ts
 * import { prune } from 'sparse-kernels';
 * const weight = { data: Float32Array.of(0.1, -3, 2, 0.5), dims: [1, 4] };
 * prune.magnitude(weight, { scope: 'nm', pattern: '2:4' }).weight.data; // Float32Array [0, -3, 2, 0]
 * ```
 */
export function magnitude(weight: TensorLike, scope: Scope): Pruned {
  const parsed = parseScope(scope);
  const w = matrix(weight, 'weight');
  return pruned(w, selectMask(w.data.map(Math.abs), w.rows, w.columns, parsed));
}

/** Options of {@link essential}. */
export interface EssentialOptions {
  /** The fraction of all weights of all layers that goes, in [0, 1). */
  readonly sparsity: number;
}

/**
 * One-shot global magnitude pruning: all weights of all layers compete, so that each layer gets the sparsity that it bears. Raise the
 * sparsity until accuracy drops sharply: below that knee lies the essential sparsity of a pretrained model.
 *
 * Jaiswal et al., "The Emergence of Essential Sparsity in Large Pre-trained Models" (NeurIPS 2023).
 *
 * @param weights - one float32 [out, in] for each layer; left as they are
 * @returns one result for each layer
 * @throws TypeError `ERR_SK_TYPE` / `ERR_SK_DTYPE` / `ERR_SK_BUFFER`, RangeError `ERR_SK_SHAPE` / `ERR_SK_OPTION`
 * @example
 * ```ts
 * import { prune } from 'sparse-kernels';
 * const layers = [Float32Array.of(1, 2), Float32Array.of(3, 4)].map((data) => ({ data, dims: [1, 2] }));
 * prune.essential(layers, { sparsity: 0.5 }).map(({ mask }) => mask.data); // [0, 0] and [1, 1]
 * ```
 */
export function essential(weights: readonly TensorLike[], essentialOptions: EssentialOptions): Pruned[] {
  const sparsity = fraction(options<EssentialOptions>(essentialOptions, 'options', ['sparsity']).sparsity, 'sparsity');
  if (!Array.isArray(weights)) throw typeError('ERR_SK_TYPE', `expected weights to be an array but received ${describe(weights)}`);
  const layers: Matrix[] = weights.map((weight, i) => matrix(weight, `weights[${i}]`));
  const count = layers.reduce((sum, { data }) => sum + data.length, 0);
  const keys = allocate('float32', count, 'the magnitudes of all layers');
  let at = 0;
  for (const { data } of layers) {
    keys.set(data.map(Math.abs), at);
    at += data.length;
  }
  const mask = keepLargest(keys, 1, count, keptOf(count, sparsity));
  at = 0;
  return layers.map((layer) => {
    const end = at + layer.data.length;
    const result = pruned(layer, mask.slice(at, end));
    at = end;
    return result;
  });
}
