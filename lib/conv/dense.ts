import { rangeError } from '../errors.js';
import { allocate, tensor as checkedTensor, type Tensor, type TensorLike, type TensorView } from '../tensor.js';
import { describe } from '../validate.js';
import { mostExtent, perAxis, type Sites } from './sites.js';
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
  const { data, dims } = checkedTensor(dense, 'dense', ['float32']);
  const [batchSize = 0, channels = 0, ...shape] = dims;
  if (shape.length < 1 || shape.length > 4 || dims.includes(0)) {
    throw rangeError('ERR_SK_SHAPE', `expected dense to be [batch, channels, 1 to 4 axes] but received dims ${describe(dims)}`);
  }
  const spatialShape = perAxis(shape, 'dense.dims', 1, mostExtent);
  const { coords: sites } = mask === undefined ? allSites(batchSize, spatialShape) : maskSites(mask, spatialShape, batchSize);
  const volume = spatialShape.reduce((a, b) => a * b, 1);
  const width = 1 + spatialShape.length;
  const rows = sites.length / width;
  const features = allocate('float32', rows * channels, 'the features');
  for (let row = 0; row < rows; row++) {
    let place = 0;
    for (let axis = 0; axis < spatialShape.length; axis++) {
      place = place * (spatialShape[axis] as number) + (sites[row * width + 1 + axis] as number);
    }
    const first = (sites[row * width] as number) * channels * volume + place;
    for (let c = 0; c < channels; c++) features[row * channels + c] = data[first + c * volume] as number;
  }
  return { coords: sites, features, channels, spatialShape, batchSize };
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
  const { coords, features, channels, spatialShape, batchSize } = sparseTensor(x, 'x');
  const volume = spatialShape.reduce((a, b) => a * b, 1);
  const data = allocate('float32', batchSize * channels * volume, 'the dense tensor');
  const width = 1 + spatialShape.length;
  for (let row = 0; row * width < coords.length; row++) {
    let place = 0;
    for (let axis = 0; axis < spatialShape.length; axis++) {
      place = place * (spatialShape[axis] as number) + (coords[row * width + 1 + axis] as number);
    }
    const first = (coords[row * width] as number) * channels * volume + place;
    for (let c = 0; c < channels; c++) data[first + c * volume] = features[row * channels + c] as number;
  }
  return { type: 'float32', data, dims: [batchSize, channels, ...spatialShape] };
}
