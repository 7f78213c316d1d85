import { rangeError, typeError } from '../errors.js';
import type { TensorLike } from '../tensor.js';
import { describe, options } from '../validate.js';
import { type Mask, maskData, matrix, matrixLike } from './matrix.js';
import { nonNegative } from './scope.js';

/** What {@link srSte} updates and from what. */
export interface SrSteTensors {
  /** float32 [out, in], the dense weight; changed in place. */
  readonly weight: TensorLike;
  /** Gradient of the loss by the masked weight, which passes straight through to all weights. */
  readonly gradient: TensorLike;
  /** The mask of the forward pass. */
  readonly mask: Mask;
}

/** Options of {@link srSte}. */
export interface SrSteOptions {
  /** Learning rate. */
  readonly rate: number;
  /** How strongly masked weights are pulled to 0. Default 2e-4. */
  readonly lambda?: number;
}

/**
 * One step of SR-STE, sparse-refined straight-through training: `W -= rate (g + lambda (1 - m) W)`. Each step the loop takes a new mask of
 * the dense weight, runs forward with {@link apply}, and passes the gradient here. The decay of masked weights keeps masks from flipping.
 *
 * Zhou et al., "Learning N:M Fine-grained Structured Sparse Neural Networks From Scratch" (ICLR 2021).
 *
 * @throws TypeError `ERR_SK_TYPE` / `ERR_SK_DTYPE` / `ERR_SK_BUFFER`, RangeError `ERR_SK_SHAPE` / `ERR_SK_OPTION`
 * @example
 * ```ts
 * import { prune } from 'sparse-kernels';
 * const weight = { data: Float32Array.of(1, -2, 3, -4), dims: [1, 4] };
 * const { mask } = prune.magnitude(weight, { scope: 'nm', pattern: '2:4' });
 * const gradient = { data: new Float32Array(4), dims: [1, 4] }; // from the backward pass of the masked weight
 * prune.srSte({ weight, gradient, mask }, { rate: 0.1 });
 * ```
 */
export function srSte(tensors: SrSteTensors, srSteOptions: SrSteOptions): void {
  const t = options<SrSteTensors>(tensors, 'tensors', ['weight', 'gradient', 'mask']);
  const o = options<SrSteOptions>(srSteOptions, 'options', ['rate', 'lambda']);
  const [rate, lambda] = [nonNegative(o.rate, 'rate'), nonNegative(o.lambda ?? 2e-4, 'lambda')];
  const weight = matrix(t.weight, 'weight');
  const { data: w } = weight;
  const { data: g } = matrixLike(t.gradient, 'gradient', weight);
  const mask = maskData(t.mask, 'mask', weight);
  for (let i = 0; i < w.length; i++) {
    const value = w[i] as number;
    w[i] = value - rate * ((g[i] as number) + (mask[i] === 1 ? 0 : lambda * value));
  }
}

/**
 * SAD, sparse architecture divergence: how many weights joined or left the masks of a network between two steps. It falls as training
 * settles; divide by the number of weights to compare networks.
 *
 * Zhou et al. (ICLR 2021), see {@link srSte}.
 *
 * @param before - the masks of all layers at one step
 * @param after - the masks of the same layers at a later step
 * @throws TypeError `ERR_SK_TYPE`, RangeError `ERR_SK_SHAPE` / `ERR_SK_OPTION`
 * @example
 * ```ts
 * import { prune } from 'sparse-kernels';
 * const mask = (...data: number[]): prune.Mask => ({ type: 'uint8', data: Uint8Array.from(data), dims: [1, data.length] });
 * prune.sad([mask(1, 1, 0, 0)], [mask(1, 0, 1, 0)]); // 2
 * ```
 */
export function sad(before: readonly Mask[], after: readonly Mask[]): number {
  for (const masks of [before, after]) {
    if (!Array.isArray(masks)) throw typeError('ERR_SK_TYPE', `expected an array of masks but received ${describe(masks)}`);
  }
  if (before.length !== after.length) {
    throw rangeError('ERR_SK_SHAPE', `expected as many masks before as after but received ${before.length} and ${after.length}`);
  }
  let changed = 0;
  before.forEach((mask, layer) => {
    const [rows, columns] = mask?.dims ?? [];
    const dims = { rows: rows as number, columns: columns as number };
    const [old, now] = [maskData(mask, `before[${layer}]`, dims), maskData(after[layer] as Mask, `after[${layer}]`, dims)];
    for (let i = 0; i < old.length; i++) if (old[i] !== now[i]) changed++;
  });
  return changed;
}
