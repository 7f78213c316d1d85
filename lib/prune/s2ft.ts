import { rangeError } from '../errors.js';
import type { TensorLike } from '../tensor.js';
import { integer, oneOf, options } from '../validate.js';
import type { Calibration } from './calibration.js';
import { type Matrix, matrix } from './matrix.js';
import { generator } from './random.js';
import { keepLargest } from './select.js';
import { calibrationOf } from './wanda.js';

/** Options of {@link s2ft}. */
export interface S2ftOptions {
  /** How many groups of channels to train. */
  readonly count: number;
  /** Channels that go together, such as the width of an attention head. Default 1. */
  readonly group?: number;
  /** What chooses: chance, the norm of the weights, of the activations, or their product. Default `random`. */
  readonly by?: 'random' | 'weight' | 'activation' | 'product';
  /** Take the smallest rather than the largest. Default: false. */
  readonly smallest?: boolean;
  /** Inputs of the layer, for `activation` and `product`. */
  readonly calibration?: Calibration;
  /** For `random`: an integer from 0 to 2^32 - 1. Default 0. */
  readonly seed?: number;
}

/**
 * S2FT, structured sparse fine-tuning: chooses the few channels (or heads) between two coupled layers that are trained, and the order that
 * brings them to the front. After {@link permuteRows} of the layer before (in a gated layer: of both) and {@link permuteColumns} of this
 * one the network computes the same, and the trained part is a dense slice: the first `count * group` rows of the one, columns of the
 * other.
 *
 * Yang et al., "S2FT: Efficient, Scalable and Generalizable LLM Fine-tuning by Structured Sparsity" (NeurIPS 2024).
 *
 * @param weight - float32 [out, channels] of the second layer: the down or output projection
 * @returns the order: chosen channels first, all else in its old order
 * @throws TypeError `ERR_SK_TYPE` / `ERR_SK_DTYPE` / `ERR_SK_BUFFER`, RangeError `ERR_SK_SHAPE` / `ERR_SK_OPTION`
 * @example
 * ```ts
 * import { prune } from 'sparse-kernels';
 * const down = { data: Float32Array.of(1, 9, 2, 8), dims: [1, 4] };
 * prune.s2ft(down, { count: 2, by: 'weight' }); // Int32Array [1, 3, 0, 2]
 * ```
 */
export function s2ft(weight: TensorLike, s2ftOptions: S2ftOptions): Int32Array {
  const o = options<S2ftOptions>(s2ftOptions, 'options', ['count', 'group', 'by', 'smallest', 'calibration', 'seed']);
  const w = matrix(weight, 'weight');
  const group = integer(o.group ?? 1, 'group', 1, 2 ** 24);
  if (w.columns % group !== 0) throw rangeError('ERR_SK_SHAPE', `expected channels to be a multiple of ${group} but received ${w.columns}`);
  const groups = w.columns / group;
  const count = integer(o.count, 'count', 0, groups);
  const scores = groupScores(w, group, o);
  const chosen = keepLargest(o.smallest ? scores.map((score) => -score) : scores, 1, groups, count);
  const order = [1, 0].flatMap((one) => [...chosen.keys()].filter((g) => chosen[g] === one));
  return Int32Array.from(order.flatMap((g) => Array.from({ length: group }, (_, i) => g * group + i)));
}

/** Squared norms: their order is that of the norms. */
function groupScores(w: Matrix, group: number, o: S2ftOptions): Float32Array {
  const by = oneOf(o.by ?? 'random', 'by', ['random', 'weight', 'activation', 'product'] as const);
  const groups = w.columns / group;
  if (by === 'random') return new Float32Array(groups).map(generator(o.seed));
  const weights = new Float64Array(groups);
  const activations = new Float64Array(groups);
  if (by !== 'activation') {
    w.data.forEach((value, i) => {
      const at = Math.floor((i % w.columns) / group);
      weights[at] = (weights[at] as number) + value * value;
    });
  }
  if (by !== 'weight') {
    calibrationOf(o.calibration, w).squares.forEach((square, c) => {
      const at = Math.floor(c / group);
      activations[at] = (activations[at] as number) + square;
    });
  }
  return Float32Array.from({ length: groups }, (_, g) => {
    const [a, b] = [weights[g] as number, activations[g] as number];
    return by === 'weight' ? a : by === 'activation' ? b : a * b;
  });
}
