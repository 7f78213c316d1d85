import { rangeError } from '../errors.js';
import { inSlices } from '../slices.js';
import { allocate, tensor as checkedTensor, type Tensor, type TensorLike, typedArray } from '../tensor.js';
import { describe } from '../validate.js';
import { allSites, maskSites } from './mask-sites.js';
import { mostExtent, perAxis, rowsOf, type Sites } from './sites.js';
import { type SparseTensor, sparseTensor } from './tensor.js';

/**
 * The sites of a dense tensor that a mask keeps.
 *
 * @param dense - float32 [batch, channels, ...spatial], 1 to 4 spatial axes (NCHW for images)
 * @param mask - [batch, ...cells], float32, uint8 or int32, where not 0 means kept. Every spatial axis is a multiple of the cells along it: a
 * coarser mask counts for whole tiles (SparK, Tian et al., "Designing BERT for Convolutional Networks", ICLR 2023). Left out: all sites
 * @throws TypeError `ERR_SK_TYPE` / `ERR_SK_DTYPE` / `ERR_SK_BUFFER`, RangeError `ERR_SK_SHAPE`
 * @example
 * ```ts
 * import { conv } from 'sparse-kernels';
 * const image = { data: Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8), dims: [1, 2, 2, 2] }; // two channels of 2 x 2 pixels
 * const x = conv.fromDense(image, { data: Uint8Array.of(1, 0), dims: [1, 2, 1] }); // the upper row of pixels
 * x.features; // Float32Array [1, 5, 2, 6]
 * ```
 */
export function fromDense(dense: TensorLike, mask?: TensorLike): SparseTensor {
  const { data, ...grid } = imageOf(dense, 'dense');
  const { coords } = mask === undefined ? allSites(grid.batchSize, grid.spatialShape) : maskSites(mask, grid.spatialShape, grid.batchSize);
  const rows = coords.length / (1 + grid.spatialShape.length);
  const x = { ...grid, coords, features: allocate('float32', rows * grid.channels, 'the features') };
  copyRows(x, data, 'gather', 0, rows);
  return x;
}

/**
 * {@link fromDense}, a slice at a time, so that other turns of the event loop come in between: for large tensors.
 *
 * @throws (rejects) as {@link fromDense}, or TypeError `ERR_SK_BUFFER` if `dense` is transferred away meanwhile
 * @example
 * ```ts
 * import { conv } from 'sparse-kernels';
 * const image = { data: new Float32Array(8 * 64 * 512 * 512), dims: [8, 64, 512, 512] };
 * const x = await conv.fromDenseAsync(image, conv.spark.mask({ shape: [16, 16], batchSize: 8 }));
 * ```
 */
export async function fromDenseAsync(dense: TensorLike, mask?: TensorLike): Promise<SparseTensor> {
  const { batchSize, spatialShape } = imageOf(dense, 'dense');
  return gatherSlices(dense, 'dense', mask === undefined ? allSites(batchSize, spatialShape) : maskSites(mask, spatialShape, batchSize));
}

/** The features of a dense tensor at the sites of its grid, a slice at a time. Without sites: at all of them. */
export async function gatherSlices(dense: TensorLike, name: string, sites?: Sites): Promise<SparseTensor> {
  const { data, ...grid } = imageOf(dense, name);
  const { coords } = sites ?? allSites(grid.batchSize, grid.spatialShape);
  const rows = coords.length / (1 + grid.spatialShape.length);
  const x = { ...grid, coords, features: allocate('float32', rows * grid.channels, 'the features') };
  const { length } = data;
  await inSlices(x.features.length, grid.channels, (first, end) => {
    copyRows(x, typedArray(data, 'float32', name, length), 'gather', first / grid.channels, end / grid.channels);
  });
  return x;
}

function imageOf(dense: TensorLike, name: string) {
  const { data, dims } = checkedTensor(dense, name, ['float32']);
  const [batchSize = 0, channels = 0, ...shape] = dims;
  if (shape.length < 1 || shape.length > 4 || dims.includes(0)) {
    throw rangeError('ERR_SK_SHAPE', `expected ${name} to be [batch, channels, 1 to 4 axes] but received dims ${describe(dims)}`);
  }
  return { data, batchSize, channels, spatialShape: perAxis(shape, `${name}.dims`, 1, mostExtent) };
}

/** The features of the rows [first, end), from or to their places in a dense tensor. */
function copyRows(x: SparseTensor, dense: Float32Array, way: 'gather' | 'scatter', first: number, end: number): void {
  const { coords, features, channels, spatialShape } = x;
  const axes = spatialShape.length;
  const volume = spatialShape.reduce((a, b) => a * b, 1);
  for (let row = first; row < end; row++) {
    const site = row * (1 + axes);
    let place = 0;
    for (let axis = 1; axis <= axes; axis++) place = place * (spatialShape[axis - 1] as number) + (coords[site + axis] as number);
    place += (coords[site] as number) * channels * volume;
    if (way === 'gather') for (let c = 0; c < channels; c++) features[row * channels + c] = dense[place + c * volume] as number;
    else for (let c = 0; c < channels; c++) dense[place + c * volume] = features[row * channels + c] as number;
  }
}

/**
 * The dense tensor of a sparse one: zeros where it has no sites. This allocates the whole volume.
 *
 * @returns float32 [batch, channels, ...spatial]
 * @throws TypeError `ERR_SK_TYPE` / `ERR_SK_BUFFER`, RangeError `ERR_SK_SHAPE`, SparseKernelsError `ERR_SK_MEMORY`
 * @example
 * ```ts
 * import { conv } from 'sparse-kernels';
 * const x = conv.tensor({ coords: Int32Array.of(0, 1), features: Float32Array.of(5, 6), spatialShape: [3] });
 * conv.toDense(x).data; // Float32Array [0, 5, 0, 0, 6, 0]
 * ```
 */
export function toDense(x: SparseTensor): Tensor {
  const input = sparseTensor(x, 'x');
  const dense = emptyDense(input);
  scatter(input, dense.data);
  return dense;
}

/**
 * {@link toDense}, a slice at a time, so that other turns of the event loop come in between: for large tensors.
 *
 * @throws (rejects) as {@link toDense}, or TypeError `ERR_SK_BUFFER` if the features are transferred away meanwhile
 * @example
 * ```ts
 * import { conv } from 'sparse-kernels';
 * const x = conv.tensor({ coords: Int32Array.of(0, 1), features: Float32Array.of(5, 6), spatialShape: [3] });
 * (await conv.toDenseAsync(x)).data; // Float32Array [0, 5, 0, 0, 6, 0]
 * ```
 */
export async function toDenseAsync(x: SparseTensor): Promise<Tensor> {
  const input = sparseTensor(x, 'x');
  const dense = emptyDense(input);
  await scatterSlices(input, dense.data);
  return dense;
}

/** Writes the features of all rows to their places in a dense tensor, a slice at a time. */
export async function scatterSlices(x: SparseTensor, dense: Float32Array): Promise<void> {
  const { coords, features, channels } = x;
  await inSlices(features.length, channels, (first, end) => {
    for (const [array, type, what] of [
      [features, 'float32', 'x.features'],
      [coords, 'int32', 'x.coords'],
    ] as const)
      typedArray(array, type, what);
    copyRows(x, dense, 'scatter', first / channels, end / channels);
  });
}

/** The features of the sites of x in a dense tensor that is there already. */
export function scatter(x: SparseTensor, dense: Float32Array): void {
  copyRows(x, dense, 'scatter', 0, rowsOf(x));
}

/** A dense tensor of zeros, on the grid of x. */
export function emptyDense({ batchSize, channels, spatialShape }: SparseTensor): Tensor {
  const volume = spatialShape.reduce((a, b) => a * b, 1);
  const data = allocate('float32', batchSize * channels * volume, 'the dense tensor');
  return { type: 'float32', data, dims: [batchSize, channels, ...spatialShape] };
}
