import { rangeError } from '../errors.js';
import { cancellable, guarded } from '../handle.js';
import { native } from '../native.js';
import { atOnce, inTurns, type Steps, slices } from '../slices.js';
import { allocate, tensor as checkedTensor, type TensorLike, typedArray } from '../tensor.js';
import { describe, integer, options } from '../validate.js';
import { mostExtent, perAxis, rowsOf, type Sites, sitesOf } from './sites.js';

/**
 * Features at some sites of a grid: a plain object. Rows are in ascending linear key (batch, then the axes, last axis fastest). Its arrays
 * must not change while it is in use: maps and other tensors share them.
 *
 * @example
 * ```ts
 * import { conv } from 'sparse-kernels';
 * const x: conv.SparseTensor = conv.tensor({ coords: Int32Array.of(0, 3, 4), features: Float32Array.of(1, 2), spatialShape: [8, 8] });
 * x.channels; // 2
 * ```
 */
export interface SparseTensor extends Sites {
  /** float32 [n, channels]. */
  readonly features: Float32Array;
  /** Features of a site. */
  readonly channels: number;
  /** int32 [n], where {@link tensor} sorted the rows: row i was row order[i] of its arguments. Results of layers have none. */
  readonly order?: Int32Array;
}

/** Options of {@link tensor}. */
export interface TensorOptions {
  /** int32 [n, 1 + axes] (or its bare elements): batch index, then 1 to 4 coordinates. Each site once, in any order. */
  readonly coords: TensorLike | Int32Array;
  /** float32 [n, channels] (or its bare elements, where n is not 0). */
  readonly features: TensorLike | Float32Array;
  /** Extents of the grid, 1 to 4 axes; with the batch size their product must stay below 2^63. */
  readonly spatialShape: readonly number[];
  /** Samples in the batch; default 1. */
  readonly batchSize?: number;
}

/**
 * A sparse tensor from coordinates and features. Rows that are not in ascending order are sorted, into new arrays, and `order`
 * says how. No sites at all are a legal tensor.
 *
 * @throws TypeError `ERR_SK_TYPE` / `ERR_SK_DTYPE` / `ERR_SK_BUFFER`, RangeError `ERR_SK_SHAPE` / `ERR_SK_OPTION`, SparseKernelsError
 * `ERR_SK_COORDINATES` (a site outside the grid or repeated, or a grid of 2^63 sites and more)
 * @example
 * ```ts
 * import { conv } from 'sparse-kernels';
 * // Two voxels (batch, z, y, x) with one feature each; the second comes first in the tensor.
 * const coords = Int32Array.of(0, 5, 2, 1, 0, 0, 7, 7);
 * const x = conv.tensor({ coords, features: Float32Array.of(10, 20), spatialShape: [16, 16, 16] });
 * x.features; // Float32Array [20, 10]
 * x.order; // Int32Array [1, 0]
 * ```
 */
export function tensor(tensorOptions: TensorOptions): SparseTensor {
  const x = checked(tensorOptions);
  const order = allocate('int32', rowsOf(x), 'the order of the sites');
  if (guarded(() => native.sortSites(x.coords, x.batchSize, Int32Array.from(x.spatialShape), order))) return x;
  return atOnce(inOrder(x, order));
}

/**
 * {@link tensor} off the event loop: for many sites. The coordinates are copied before the call returns.
 *
 * @throws (rejects) as {@link tensor}
 * @example
 * ```ts
 * import { conv } from 'sparse-kernels';
 * const coords = Int32Array.of(0, 5, 2, 1, 0, 0, 7, 7);
 * const x = await conv.tensorAsync({ coords, features: Float32Array.of(10, 20), spatialShape: [16, 16, 16] });
 * x.features; // Float32Array [20, 10]
 * ```
 */
export async function tensorAsync(tensorOptions: TensorOptions): Promise<SparseTensor> {
  const x = checked(tensorOptions);
  const order = allocate('int32', rowsOf(x), 'the order of the sites');
  await cancellable(undefined, () => native.sortSitesRun(x.coords, x.batchSize, Int32Array.from(x.spatialShape), order));
  return order.every((row, i) => row === i) ? x : inTurns(inOrder(x, order));
}

function checked(tensorOptions: TensorOptions): SparseTensor {
  const o = options<TensorOptions>(tensorOptions, 'options', ['coords', 'features', 'spatialShape', 'batchSize']);
  const spatialShape = perAxis(o.spatialShape, 'spatialShape', 1, mostExtent);
  const batchSize = integer(o.batchSize ?? 1, 'batchSize', 1, mostExtent);
  const coords = coordinates(o.coords, 1 + spatialShape.length);
  const { features, channels } = featuresOf(o.features, coords.length / (1 + spatialShape.length));
  return { coords, features, channels, spatialShape, batchSize };
}

function coordinates(value: TensorLike | Int32Array, width: number): Int32Array {
  const view = typeof value === 'object' && value !== null && 'dims' in value ? checkedTensor(value, 'coords', ['int32']) : undefined;
  const coords = view?.data ?? typedArray(value, 'int32', 'coords');
  if (coords.length % width === 0 && (view === undefined || (view.dims.length === 2 && view.dims[1] === width))) return coords;
  throw rangeError(
    'ERR_SK_SHAPE',
    `expected coords to be [n, ${width}] (batch index and ${width - 1} axes) but received ${view ? `dims ${describe(view.dims)}` : `${coords.length} numbers`}`,
  );
}

function featuresOf(value: TensorLike | Float32Array, rows: number): { features: Float32Array; channels: number } {
  if (typeof value === 'object' && value !== null && 'dims' in value) {
    const { data, dims } = checkedTensor(value, 'features', ['float32']);
    if (dims.length === 2 && dims[0] === rows && (dims[1] as number) > 0) return { features: data, channels: dims[1] as number };
    throw rangeError('ERR_SK_SHAPE', `expected features to be [${rows}, channels] but received dims ${describe(dims)}`);
  }
  const features = typedArray(value, 'float32', 'features');
  const channels = features.length / rows;
  if (Number.isInteger(channels) && channels > 0) return { features, channels };
  const hint = rows === 0 ? 'features of no sites to be a tensor of dims [0, channels]' : `features to hold ${rows} x channels numbers`;
  throw rangeError('ERR_SK_SHAPE', `expected ${hint} but received ${features.length} numbers`);
}

/** Row i of the result is row order[i]. */
function* inOrder(x: SparseTensor, order: Int32Array): Steps<SparseTensor> {
  const coords = allocate('int32', order.length * (1 + x.spatialShape.length), 'the coordinates');
  const features = allocate('float32', order.length * x.channels, 'the features');
  for (const [from, to, width, type] of [
    [x.coords, coords, 1 + x.spatialShape.length, 'int32'],
    [x.features, features, x.channels, 'float32'],
  ] as const) {
    for (const [first, end] of slices(to.length, width)) {
      typedArray(from, type, type === 'int32' ? 'coords' : 'features'); // it may have been transferred away
      for (let at = first; at < end; at += width) {
        const row = (order[at / width] as number) * width;
        for (let j = 0; j < width; j++) to[at + j] = from[row + j] as number;
      }
      yield;
    }
  }
  return { ...x, coords, features, order };
}

/** Checks a sparse tensor argument. */
export function sparseTensor(value: unknown, name: string): SparseTensor {
  const rows = rowsOf(sitesOf(value, name));
  const { features, channels } = value as SparseTensor;
  integer(channels, `${name}.channels`, 1, mostExtent);
  if (typedArray(features, 'float32', `${name}.features`, rows).length !== rows * channels) {
    throw rangeError(
      'ERR_SK_SHAPE',
      `expected ${name}.features to hold ${rows} x ${channels} numbers for its coords but received ${features.length}`,
    );
  }
  return value as SparseTensor;
}

/** Other features at the same sites. */
export function withFeatures(sites: Sites, features: Float32Array, channels: number): SparseTensor {
  const { coords, spatialShape, batchSize } = sites;
  return { coords, features, channels, spatialShape, batchSize };
}
