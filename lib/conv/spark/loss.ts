import { rangeError } from '../../errors.js';
import { type TensorLike, tensor } from '../../tensor.js';
import { describe } from '../../validate.js';
import { cellsOf } from '../mask-sites.js';

/**
 * The loss of SparK: the mean square difference between a prediction and the image, patch by patch, averaged over the masked patches, where
 * every patch of the image is normalised to mean 0 and variance 1 (unbiased, with 1e-6 added).
 *
 * @param prediction - float32 [batch, channels, height, width]: normalised patches
 * @param image - float32, as large
 * @param mask - [batch, ...cells], 1 where visible; a patch is what a cell covers, in all channels
 * @returns 0 where nothing is masked
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
  const [batch = 0, channels = 0, ...shape] = target.dims;
  if (shape.length < 1 || shape.length > 4 || target.dims.includes(0)) {
    throw rangeError('ERR_SK_SHAPE', `expected image to be [batch, channels, 1 to 4 axes] but received dims ${describe(target.dims)}`);
  }
  const { counts, tile, data } = cellsOf(mask, shape, batch);
  const volume = shape.reduce((a, b) => a * b, 1);
  const places = placesOf(tile, shape);
  const cells = data.length / batch;
  let [sum, patches] = [0, 0];
  for (let i = 0; i < data.length; i++) {
    if (data[i] !== 0) continue;
    const first = Math.floor(i / cells) * channels * volume + firstOf(i % cells, counts, tile, shape);
    sum += patchLoss(target.data, predicted.data, first, channels, volume, places);
    patches++;
  }
  return patches === 0 ? 0 : sum / patches;
}

/** Where the pixels of a patch are, from its first one on. */
function placesOf(tile: readonly number[], shape: readonly number[]): Int32Array {
  return Int32Array.from({ length: tile.reduce((a, b) => a * b, 1) }, (_, i) => {
    let [place, step, rest] = [0, 1, i];
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      place += (rest % (tile[axis] as number)) * step;
      rest = Math.floor(rest / (tile[axis] as number));
      step *= shape[axis] as number;
    }
    return place;
  });
}

/** Where the first pixel of a cell is in its plane. */
function firstOf(cell: number, counts: readonly number[], tile: readonly number[], shape: readonly number[]): number {
  let [place, step, rest] = [0, 1, cell];
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    place += (rest % (counts[axis] as number)) * (tile[axis] as number) * step;
    rest = Math.floor(rest / (counts[axis] as number));
    step *= shape[axis] as number;
  }
  return place;
}

function patchLoss(target: Float32Array, guess: Float32Array, first: number, channels: number, volume: number, places: Int32Array): number {
  const n = channels * places.length;
  let [mean, variance, loss] = [0, 0, 0];
  for (let c = 0; c < channels; c++) {
    for (let i = 0; i < places.length; i++) mean += target[first + c * volume + (places[i] as number)] as number;
  }
  mean /= n;
  for (let c = 0; c < channels; c++) {
    for (let i = 0; i < places.length; i++) {
      const centred = (target[first + c * volume + (places[i] as number)] as number) - mean;
      variance += centred * centred;
    }
  }
  const scale = 1 / Math.sqrt(variance / Math.max(1, n - 1) + 1e-6);
  for (let c = 0; c < channels; c++) {
    for (let i = 0; i < places.length; i++) {
      const at = first + c * volume + (places[i] as number);
      const error = (guess[at] as number) - ((target[at] as number) - mean) * scale;
      loss += error * error;
    }
  }
  return loss / n;
}
