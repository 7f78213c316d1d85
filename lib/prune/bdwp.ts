import { parsePattern } from '../pattern.js';
import type { TensorLike } from '../tensor.js';
import { options } from '../validate.js';
import { type Mask, matrix, newMask } from './matrix.js';
import { selectMask } from './select.js';

/** Options of {@link bdwp}. */
export interface BdwpOptions {
  /** Of both masks. */
  readonly pattern: `${number}:${number}`;
}

/** The masks of {@link bdwp}. */
export interface BdwpMasks {
  /** N of every M along the inputs: for `y = x Wᵀ`. */
  readonly forward: Mask;
  /** N of every M along the outputs: for `dx = dy W`. */
  readonly backward: Mask;
}

/**
 * BDWP, bidirectional weight pruning: one weight, two magnitude masks, so that forward and backward pass are both N:M sparse products.
 * The gradient of the weight stays dense. Where one mask must serve both, use the scope `transposable`.
 *
 * Fang et al., "Efficient N:M Sparse DNN Training Using Algorithm, Architecture, and Dataflow Co-Design" (TCAD 2023).
 *
 * @param weight - float32 [out, in]; left as it is
 * @throws TypeError `ERR_SK_TYPE` / `ERR_SK_DTYPE` / `ERR_SK_BUFFER`, RangeError `ERR_SK_SHAPE` / `ERR_SK_PATTERN` / `ERR_SK_OPTION`
 * @example
 * ```ts
 * import { prune } from 'sparse-kernels';
 * const weight = { data: Float32Array.of(1, 2, 4, 3), dims: [2, 2] };
 * const { forward, backward } = prune.bdwp(weight, { pattern: '1:2' });
 * [forward.data, backward.data]; // [0, 1, 1, 0] and [0, 0, 1, 1]
 * ```
 */
export function bdwp(weight: TensorLike, bdwpOptions: BdwpOptions): BdwpMasks {
  const pattern = parsePattern(options<BdwpOptions>(bdwpOptions, 'options', ['pattern']).pattern);
  const scope = { kind: 'nm', ...pattern, rows: 1 } as const;
  const w = matrix(weight, 'weight');
  const { rows, columns } = w;
  const magnitudes = w.data.map(Math.abs);
  const across = new Float32Array(magnitudes.length);
  for (let r = 0; r < rows; r++) for (let c = 0; c < columns; c++) across[c * rows + r] = magnitudes[r * columns + c] as number;
  const kept = selectMask(across, columns, rows, scope);
  const backward = new Uint8Array(kept.length);
  for (let r = 0; r < rows; r++) for (let c = 0; c < columns; c++) backward[r * columns + c] = kept[c * rows + r] as number;
  return { forward: newMask(selectMask(magnitudes, rows, columns, scope), w), backward: newMask(backward, w) };
}
