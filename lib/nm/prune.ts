import { rangeError } from '../errors.js';
import { maskGroups } from '../select.js';
import { type Tensor, type TensorLike, tensor } from '../tensor.js';
import { describe, options } from '../validate.js';
import { type Pattern, parsePattern } from './pattern.js';

/** Options of {@link prune}. */
export interface PruneOptions {
  /** The pattern to prune to. */
  readonly pattern: Pattern;
}

/**
 * Magnitude pruning to N:M: of every M consecutive weights of a row, the N of largest absolute value stay, the others become 0. Among
 * equals the lower index stays; NaN counts as smallest. The last group of a row may be shorter than M.
 *
 * The one-shot criterion of Mishra et al., "Accelerating Sparse Deep Neural Networks" (2021), and Zhou et al., "Learning N:M Fine-grained
 * Structured Sparse Neural Networks From Scratch" (ICLR 2021).
 *
 * @param weight - float32 [out, in]; left as it is
 * @returns a new float32 [out, in]
 * @throws TypeError `ERR_SK_TYPE` / `ERR_SK_DTYPE` / `ERR_SK_BUFFER`, RangeError `ERR_SK_SHAPE` / `ERR_SK_PATTERN` / `ERR_SK_OPTION`
 * @example
 * ```ts
 * import { nm } from 'sparse-kernels';
 * const weight = { data: Float32Array.of(0.1, -3, 2, 0.5), dims: [1, 4] };
 * nm.prune(weight, { pattern: '2:4' }).data; // Float32Array [0, -3, 2, 0]
 * ```
 */
export function prune(weight: TensorLike, pruneOptions: PruneOptions): Tensor {
  const { n, m } = parsePattern(options<PruneOptions>(pruneOptions, 'options', ['pattern']).pattern);
  const { data, dims } = tensor(weight, 'weight', ['float32']);
  if (dims.length !== 2) throw rangeError('ERR_SK_SHAPE', `expected weight to be [out, in] but received dims ${describe(dims)}`);
  const [out, inputs] = dims as [number, number];
  const scores = { data, rows: out, columns: inputs };
  return { type: 'float32', data: maskGroups(data, scores, { n, m, magnitude: true }), dims: [out, inputs] };
}
