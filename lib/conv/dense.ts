import { rangeError } from '../errors.js';
import { inSlices } from '../slices.js';
import { allocate, tensor as checkedTensor, type Tensor, type TensorLike, type TensorView, typedArray } from '../tensor.js';
import { describe } from '../validate.js';
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

/** {@link fromDense} of all sites, a slice at a time, so that other turns of the event loop come in between; `known`: the same sites. */
export async function fromDenseSlices(dense: TensorLike, name: string, known: Sites | undefined): Promise<SparseTensor> {
  const { data, ...grid } = imageOf(dense, name);
  const { coords } = known ?? allSites(grid.batchSize, grid.spatialShape);
  const x = { ...grid, coords, features: allocate('float32', data.length, 'the features') };
  const { length } = data;
  await inSlices(length, grid.channels, (first, end) => {
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

type Mask = TensorView<'float32' | 'uint8' | 'int32'>;

/**
 * The sites that a mask keeps: the stages of a masked network (SparK) are its mask on grids of different extents.
 *
 * @param mask - [batch, ...cells], as {@link fromDense} takes it
 * @param spatialShape - extents of the grid, multiples of the cells
 * @throws TypeError `ERR_SK_TYPE` / `ERR_SK_DTYPE` / `ERR_SK_BUFFER`, RangeError `ERR_SK_SHAPE` / `ERR_SK_OPTION`
 * @example
 * ```ts
 * import { conv } from 'sparse-kernels';
 * const mask = { data: Uint8Array.of(0, 1), dims: [1, 1, 2] };
 * conv.maskSites(mask, [1, 4]).coords; // Int32Array [0, 0, 2,  0, 0, 3]
 * ```
 */
export function maskSites(mask: TensorLike, spatialShape: readonly number[], batchSize?: number): Sites {
  const shape = perAxis(spatialShape, 'spatialShape', 1, mostExtent);
  const view = checkedTensor(mask, 'mask', ['float32', 'uint8', 'int32']);
  const [batch = 0, ...cells] = view.dims;
  const fits = cells.length === shape.length && cells.every((n, axis) => n > 0 && (shape[axis] as number) % n === 0);
  if (fits && batch > 0 && (batchSize ?? batch) === batch) {
    return { coords: keptSites(batch, shape, view), spatialShape: shape, batchSize: batch };
  }
  throw rangeError(
    'ERR_SK_SHAPE',
    `expected mask to be [${batchSize ?? 'batch'}, ...cells] with cells that divide ${shape.join(' x ')} but received dims ${describe(view.dims)}`,
  );
}

function allSites(batchSize: number, spatialShape: readonly number[]): Sites {
  return { coords: keptSites(batchSize, spatialShape, undefined), spatialShape, batchSize };
}

/** Coordinates in ascending order: a counter that runs through the grid, last axis fastest. */
function keptSites(batchSize: number, spatialShape: readonly number[], mask: Mask | undefined): Int32Array {
  const axes = spatialShape.length;
  const cells = mask?.dims.slice(1) ?? [];
  const tile = cells.map((n, axis) => (spatialShape[axis] as number) / n);
  let active: number | undefined;
  if (mask) {
    active = 0;
    for (const m of mask.data) if (m !== 0) active++;
  }
  const volume = spatialShape.reduce((a, b) => a * b, 1);
  const rows = active === undefined ? batchSize * volume : active * tile.reduce((a, b) => a * b, 1);
  const coords = allocate('int32', rows * (1 + axes), 'the coordinates');
  const site = new Array<number>(1 + axes).fill(0);
  for (let i = 0, row = 0; row < rows && i < batchSize * volume; i++) {
    let cell = site[0] as number;
    for (let axis = 0; axis < cells.length; axis++) {
      cell = cell * (cells[axis] as number) + Math.floor((site[1 + axis] as number) / (tile[axis] as number));
    }
    if (mask === undefined || mask.data[cell] !== 0) coords.set(site, row++ * (1 + axes));
    for (let axis = axes; axis >= 0; axis--) {
      site[axis] = (site[axis] as number) + 1;
      if (axis === 0 || (site[axis] as number) < (spatialShape[axis - 1] as number)) break;
      site[axis] = 0;
    }
  }
  return coords;
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
  copyRows(input, dense.data, 'scatter', 0, rowsOf(input));
  return dense;
}

/** {@link toDense}, a slice at a time. */
export async function toDenseSlices(x: SparseTensor): Promise<Tensor> {
  const dense = emptyDense(x);
  await inSlices(x.features.length, x.channels, (first, end) => copyRows(x, dense.data, 'scatter', first / x.channels, end / x.channels));
  return dense;
}

function emptyDense({ batchSize, channels, spatialShape }: SparseTensor): Tensor {
  const volume = spatialShape.reduce((a, b) => a * b, 1);
  const data = allocate('float32', batchSize * channels * volume, 'the dense tensor');
  return { type: 'float32', data, dims: [batchSize, channels, ...spatialShape] };
}
