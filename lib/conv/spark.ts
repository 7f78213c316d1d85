/**
 * SparK: masked pre-training of convolutional networks (Tian et al., "Designing BERT for Convolutional Networks: Sparse and Hierarchical Masked
 * Modeling", ICLR 2023). The mask is drawn at the coarsest stage; each stage computes at the sites that it keeps ({@link maskSites}).
 *
 * @packageDocumentation
 */
import { rangeError } from '../errors.js';
import { allocate, type Tensor, type TensorLike, tensor, typedArray } from '../tensor.js';
import { describe, integer, options } from '../validate.js';
import { fromDense, maskSites, toDense } from './dense.js';
import { perAxis, rowsOf } from './sites.js';
import { type SparseTensor, sparseTensor, withFeatures } from './tensor.js';

/** Options of {@link mask}. */
export interface MaskOptions {
  /** Cells along each axis: the grid of the coarsest stage, 7 x 7 for images of 224 x 224 and a stride of 32. */
  readonly shape: readonly number[];
  /** Share of the cells that are masked; default 0.6. */
  readonly ratio?: number;
  /** Masks of different seeds differ; default 0. */
  readonly seed?: number;
  /** Default 1. Every sample has a mask of its own, with as many cells kept. */
  readonly batchSize?: number;
}

/** A mask: 1 where visible. */
export interface Mask {
  /** Element type. */
  readonly type: 'uint8';
  /** 1 for cells that are kept, 0 for masked ones. */
  readonly data: Uint8Array;
  /** [batch, ...cells]. */
  readonly dims: readonly number[];
}

/**
 * A random mask that keeps round(cells * (1 - ratio)) cells of every sample.
 *
 * @throws TypeError `ERR_SK_TYPE`, RangeError `ERR_SK_OPTION` / `ERR_SK_SHAPE`
 * @example
 * ```ts
 * import { conv } from 'sparse-kernels';
 * const mask = conv.spark.mask({ shape: [7, 7], ratio: 0.6, seed: 1, batchSize: 8 }); // 20 of 49 cells each
 * const x = conv.fromDense({ data: new Float32Array(8 * 3 * 224 * 224), dims: [8, 3, 224, 224] }, mask);
 * const stage = conv.maskSites(mask, [56, 56]); // the sites of a stage with a stride of 4
 * const stem = conv.map(x, { mode: 'sparse', kernelSize: 4, stride: 4, outputs: stage });
 * ```
 */
export function mask(maskOptions: MaskOptions): Mask {
  const o = options<MaskOptions>(maskOptions, 'options', ['shape', 'ratio', 'seed', 'batchSize']);
  const shape = perAxis(o.shape, 'shape', 1, 2 ** 20);
  const ratio = o.ratio ?? 0.6;
  if (typeof ratio !== 'number' || !(ratio >= 0 && ratio <= 1)) {
    throw rangeError('ERR_SK_OPTION', `expected ratio to be a number from 0 to 1 but received ${describe(ratio)}`);
  }
  const batchSize = integer(o.batchSize ?? 1, 'batchSize', 1, 2 ** 31 - 1);
  const next = generator(integer(o.seed ?? 0, 'seed', 0, 2 ** 32 - 1));
  const cells = shape.reduce((a, b) => a * b, 1);
  const kept = Math.round(cells * (1 - ratio));
  const data = allocate('uint8', batchSize * cells, 'the mask');
  for (let sample = 0; sample < batchSize; sample++) {
    const keys = Float64Array.from({ length: cells }, next);
    const order = Array.from(keys.keys()).sort((a, b) => (keys[a] as number) - (keys[b] as number));
    for (const cell of order.slice(0, kept)) data[sample * cells + cell] = 1;
  }
  return { type: 'uint8', data, dims: [batchSize, ...shape] };
}

/** Uniform in [0, 1), from Weyl's sequence through a mixing function (splitmix32). */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x9e3779b9) | 0;
    let z = state;
    z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
    z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
    return ((z ^ (z >>> 16)) >>> 0) / 2 ** 32;
  };
}

/**
 * The dense tensor that a decoder reads: the features where sites are, the mask token elsewhere.
 *
 * @param token - float32 [channels]
 * @returns float32 [batch, channels, ...spatial]
 * @throws TypeError `ERR_SK_TYPE` / `ERR_SK_BUFFER`, RangeError `ERR_SK_SHAPE`, SparseKernelsError `ERR_SK_MEMORY`
 * @example
 * ```ts
 * import { conv } from 'sparse-kernels';
 * const x = conv.tensor({ coords: Int32Array.of(0, 1), features: Float32Array.of(5), spatialShape: [3] });
 * conv.spark.densify(x, Float32Array.of(-1)).data; // Float32Array [-1, 5, -1]
 * ```
 */
export function densify(x: SparseTensor, token: Float32Array): Tensor {
  const input = sparseTensor(x, 'x');
  const { channels } = input;
  if (typedArray(token, 'float32', 'token').length !== channels) {
    throw rangeError('ERR_SK_SHAPE', `expected token to hold ${channels} numbers but received ${token.length}`);
  }
  const present = toDense(withFeatures(x, new Float32Array(rowsOf(x)).fill(1), 1)).data;
  const dense = toDense(input);
  const volume = present.length / input.batchSize;
  for (let i = 0; i < dense.data.length; i++) {
    const site = Math.floor(i / (channels * volume)) * volume + (i % volume);
    if (present[site] === 0) dense.data[i] = token[Math.floor(i / volume) % channels] as number;
  }
  return dense;
}

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
