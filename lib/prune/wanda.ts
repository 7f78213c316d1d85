import { typeError } from '../errors.js';
import type { TensorLike } from '../tensor.js';
import { describe } from '../validate.js';
import { Calibration } from './calibration.js';
import { type Matrix, matrix, type Pruned, pruned } from './matrix.js';
import { parseScope, type Scope } from './scope.js';
import { selectMask } from './select.js';

/**
 * Wanda: the score of a weight is its magnitude times the norm of its input, `|W_ij| ||x_j||`. No weight changes. The paper uses the
 * scopes `row` and `nm`.
 *
 * Sun et al., "A Simple and Effective Pruning Approach for Large Language Models" (ICLR 2024).
 *
 * @param weight - float32 [out, in]; left as it is
 * @param wandaOptions - a scope, and the `calibration` of the layer's inputs
 * @throws TypeError `ERR_SK_TYPE` / `ERR_SK_DTYPE` / `ERR_SK_BUFFER`, RangeError `ERR_SK_SHAPE` / `ERR_SK_PATTERN` / `ERR_SK_OPTION`
 * @example
 * ```ts
 * import { prune } from 'sparse-kernels';
 * const calibration = new prune.Calibration(4);
 * calibration.add({ data: Float32Array.of(9, 1, 1, 1), dims: [1, 4] });
 * const weight = { data: Float32Array.of(1, 2, 3, 4), dims: [1, 4] };
 * prune.wanda(weight, { scope: 'nm', pattern: '2:4', calibration }).weight.data; // Float32Array [1, 0, 0, 4]
 * ```
 */
export function wanda(weight: TensorLike, wandaOptions: Scope & { readonly calibration: Calibration }): Pruned {
  const scope = parseScope(wandaOptions, ['calibration']);
  const w = matrix(weight, 'weight');
  const calibration = calibrationOf(wandaOptions.calibration, w);
  return pruned(w, selectMask(wandaScores(w, calibration), w.rows, w.columns, scope));
}

export function wandaScores({ data, columns }: Matrix, { squares }: Calibration): Float32Array {
  const norms = squares.map(Math.sqrt);
  return data.map((value, i) => Math.abs(value) * (norms[i % columns] as number));
}

/** The calibration of a layer with as many inputs as the weight. */
export function calibrationOf(value: unknown, { columns }: Matrix): Calibration {
  if (!(value instanceof Calibration)) {
    throw typeError('ERR_SK_TYPE', `expected calibration to be a Calibration but received ${describe(value)}`);
  }
  if (value.inFeatures === columns && value.tokens > 0) return value;
  const got = `one of ${value.inFeatures} inputs with ${value.tokens} tokens`;
  throw typeError('ERR_SK_TYPE', `expected a calibration of ${columns} inputs with at least one token but received ${got}`);
}
