import { rangeError } from '../../errors.js';
import { type TensorLike, tensor } from '../../tensor.js';
import { describe } from '../../validate.js';
import { fromDense, maskSites } from '../dense.js';
import { rowsOf } from '../sites.js';

/**
 * The loss of SparK: the mean square difference between a prediction and the image, over the masked patches only, where every patch of the
 * image is normalised to mean 0 and variance 1 (unbiased, with 1e-6 added).
 *
 * @param prediction - float32 [batch, channels, height, width]: normalised patches
 * @param image - float32, as large
 * @param mask - [batch, ...cells], 1 where visible; a patch is what a cell covers
 * @throws TypeError `ERR_SK_TYPE` / `ERR_SK_DTYPE` / `ERR_SK_BUFFER`, RangeError `ERR_SK_SHAPE`
 * @example
 * ```ts
 * import { conv } from 'sparse-kernels';
 * const mask = conv.spark.mask({ shape: [2, 2], ratio: 0.5 });
 * const image = { data: new Float32Array(3 * 64 * 64).map(Math.random), dims: [1, 3, 64, 64] };
 * const prediction = { data: new Float32Array(3 * 64 * 64), dims: [1, 3, 64, 64] };
 * conv.spark.loss(prediction, image, mask); // close to 1: zeros predict nothing of what is normalised
 * ```
 */
export function loss(prediction: TensorLike, image: TensorLike, mask: TensorLike): number {
  const [predicted, target] = [tensor(prediction, 'prediction', ['float32']), tensor(image, 'image', ['float32'])];
  if (String(predicted.dims) !== String(target.dims)) {
    throw rangeError('ERR_SK_SHAPE', `expected prediction to have dims ${describe(target.dims)} but received ${describe(predicted.dims)}`);
  }
  const { data, dims } = tensor(mask, 'mask', ['float32', 'uint8', 'int32']);
  const masked = { data: Uint8Array.from(data, (m) => (m === 0 ? 1 : 0)), dims };
  const [truth, guess] = [fromDense(image, masked), fromDense(prediction, masked)];
  const patches = maskSites(masked, dims.slice(1));
  const { coords, spatialShape, channels } = truth;
  const width = 1 + spatialShape.length;
  const tile = spatialShape.map((extent, axis) => extent / (dims[1 + axis] as number));
  const patchOf = new Map(
    Array.from({ length: rowsOf(patches) }, (_, p) => [patches.coords.subarray(p * width, (p + 1) * width).join(), p]),
  );
  const values: number[][] = Array.from({ length: patchOf.size }, () => []);
  const guesses: number[][] = Array.from({ length: patchOf.size }, () => []);
  for (let row = 0; row * width < coords.length; row++) {
    const cell = Array.from(coords.subarray(row * width, (row + 1) * width), (c, i) =>
      i === 0 ? c : Math.floor(c / (tile[i - 1] as number)),
    );
    const patch = patchOf.get(cell.join()) as number;
    for (let c = 0; c < channels; c++) {
      values[patch]?.push(truth.features[row * channels + c] as number);
      guesses[patch]?.push(guess.features[row * channels + c] as number);
    }
  }
  const losses = values.map((patch, p) => patchLoss(patch, guesses[p] as number[]));
  return losses.length === 0 ? 0 : losses.reduce((a, b) => a + b, 0) / losses.length;
}

function patchLoss(values: number[], guesses: number[]): number {
  const n = values.length;
  const mean = values.reduce((a, b) => a + b, 0) / n;
  const variance = values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / Math.max(1, n - 1);
  const scale = 1 / Math.sqrt(variance + 1e-6);
  return values.reduce((sum, v, i) => sum + ((guesses[i] as number) - (v - mean) * scale) ** 2, 0) / n;
}
