import { DeviceTensor } from '../device-tensor.js';
import { rangeError } from '../errors.js';
import { cancellable } from '../handle.js';
import { native } from '../native.js';
import { inSlices } from '../slices.js';
import { allocate, type Tensor, typedArray } from '../tensor.js';
import { oneOf, options } from '../validate.js';
import { reduceOnDevice } from './cuda-pool.js';
import type { ConvMap } from './map.js';
import { expectMapOf, rowsOf, type Sites } from './sites.js';
import { type SparseTensor, sparseTensor, withFeatures } from './tensor.js';

/** In the order of enum Reduction in native/mapreduce/mapreduce.h. */
export const reductions = { sum: 0, max: 1, maxGradient: 2 } as const;

/** Options of {@link maxPool}. */
export interface MaxPoolOptions {
  /**
   * What sites that are not there count as: `'skip'` (default) nothing, `'zero'` 0, as in a dense tensor with a mask (SparK). Sites outside
   * the grid never count.
   */
  readonly inactive?: 'skip' | 'zero';
  /** Aborts the run: the promise then rejects with the signal's `reason`. */
  readonly signal?: AbortSignal;
}

/** Options of {@link avgPool}. */
export interface AvgPoolOptions {
  /**
   * What sums are divided by: `'active'` (default) the sites that are there, `'inside'` all of the window that lie inside the grid,
   * `'kernel'` the whole window; the last two are those of dense layers without and with padding. `'none'`: nothing, a sum.
   */
  readonly divisor?: 'active' | 'inside' | 'kernel' | 'none';
  /** Aborts the run: the promise then rejects with the signal's `reason`. */
  readonly signal?: AbortSignal;
}

/**
 * The largest input of every output, channel by channel; 0 where an output (of given sites) has no input. NaN spreads.
 *
 * @param x - a tensor at the input sites of `map`; or features [input sites, channels] on a device (float32, float16, bfloat16), whose result
 * is there too: the promise then settles when the work is on the stream of the device
 * @param map - usually of mode `pool`
 * @throws (rejects) TypeError `ERR_SK_TYPE` / `ERR_SK_BUFFER`, RangeError `ERR_SK_SHAPE` / `ERR_SK_OPTION`, SparseKernelsError
 * `ERR_SK_COORDINATES` (the map of another tensor) / `ERR_SK_DISPOSED` / `ERR_SK_MEMORY`, or the reason of `signal`
 * @example
 * ```ts
 * import { conv } from 'sparse-kernels';
 * const x = conv.tensor({ coords: Int32Array.of(0, 0, 0, 1, 0, 2), features: Float32Array.of(-1, -5, -3), spatialShape: [4] });
 * const map = conv.map(x, { mode: 'pool', kernelSize: 2 });
 * (await conv.maxPool(x, map)).features; // Float32Array [-1, -3]
 * (await conv.maxPool(x, map, { inactive: 'zero' })).features; // Float32Array [-1, 0]
 * ```
 */
export async function maxPool(x: DeviceTensor, map: ConvMap, poolOptions?: MaxPoolOptions): Promise<DeviceTensor>;
export async function maxPool(x: SparseTensor, map: ConvMap, poolOptions?: MaxPoolOptions): Promise<SparseTensor>;
export async function maxPool(
  x: SparseTensor | DeviceTensor,
  map: ConvMap,
  poolOptions: MaxPoolOptions = {},
): Promise<SparseTensor | DeviceTensor> {
  const { inactive, signal } = options<MaxPoolOptions>(poolOptions, 'options', ['inactive', 'signal']);
  const row = () => leastOf(map, inactive);
  if (x instanceof DeviceTensor) return reduceOnDevice(x, map, true, `max ${inactive ?? 'skip'}`, row, signal);
  return reduce(x, map, reductions.max, row, signal);
}

/** Where the maximum of every output starts. */
export async function leastOf(map: ConvMap, inactive: MaxPoolOptions['inactive'] = 'skip'): Promise<Float32Array> {
  const zero = oneOf(inactive, 'inactive', ['skip', 'zero']) === 'zero';
  const counts = map.countInputs();
  const inside = zero ? windowSize(map) : undefined;
  return perRow(counts.length, (row) => {
    const count = counts[row] as number;
    return count === 0 || (inside !== undefined && count < inside(row)) ? 0 : Number.NEGATIVE_INFINITY;
  });
}

/** A number for every output row, without holding the event loop. */
async function perRow(rows: number, of: (row: number) => number): Promise<Float32Array> {
  const numbers = allocate('float32', rows, 'a number for each output');
  await inSlices(rows, 1, (first, end) => {
    for (let row = first; row < end; row++) numbers[row] = of(row);
  });
  return numbers;
}

/**
 * The mean (or sum) of the inputs of every output, channel by channel; 0 where an output (of given sites) has no input.
 *
 * @param x - as for {@link maxPool}
 * @param map - usually of mode `pool`
 * @throws as {@link maxPool}
 * @example
 * ```ts
 * import { conv } from 'sparse-kernels';
 * const x = conv.tensor({ coords: Int32Array.of(0, 0, 0, 1, 0, 2), features: Float32Array.of(1, 5, 3), spatialShape: [4] });
 * const map = conv.map(x, { mode: 'pool', kernelSize: 2 });
 * (await conv.avgPool(x, map)).features; // Float32Array [3, 3]
 * (await conv.avgPool(x, map, { divisor: 'kernel' })).features; // Float32Array [3, 1.5]
 * ```
 */
export async function avgPool(x: DeviceTensor, map: ConvMap, poolOptions?: AvgPoolOptions): Promise<DeviceTensor>;
export async function avgPool(x: SparseTensor, map: ConvMap, poolOptions?: AvgPoolOptions): Promise<SparseTensor>;
export async function avgPool(
  x: SparseTensor | DeviceTensor,
  map: ConvMap,
  poolOptions: AvgPoolOptions = {},
): Promise<SparseTensor | DeviceTensor> {
  const { divisor, signal } = options<AvgPoolOptions>(poolOptions, 'options', ['divisor', 'signal']);
  const row = () => weightsOf(map, divisor);
  if (x instanceof DeviceTensor) return reduceOnDevice(x, map, false, `avg ${divisor ?? 'active'}`, row, signal);
  return reduce(x, map, reductions.sum, row, signal);
}

/** What the sum of every output is multiplied by. */
export async function weightsOf(map: ConvMap, divisor: AvgPoolOptions['divisor'] = 'active'): Promise<Float32Array | undefined> {
  const rows = rowsOf(map.output);
  switch (oneOf(divisor, 'divisor', ['active', 'inside', 'kernel', 'none'])) {
    case 'none':
      return undefined;
    case 'kernel':
      return perRow(rows, () => 1 / map.kernelVolume);
    case 'inside': {
      const size = windowSize(map);
      return perRow(rows, (row) => 1 / size(row));
    }
    default: {
      const counts = map.countInputs();
      return perRow(rows, (row) => 1 / Math.max(1, counts[row] as number));
    }
  }
}

async function reduce(
  x: SparseTensor,
  map: ConvMap,
  reduction: number,
  rowOf: () => Promise<Float32Array | undefined>,
  signal: AbortSignal | undefined,
): Promise<SparseTensor> {
  const { features, channels } = sparseTensor(x, 'x');
  const { length } = features;
  expectMapOf(x, map.input);
  const y = allocate('float32', rowsOf(map.output) * channels, 'the output');
  await cancellable(signal, (token) =>
    map.handle.use(async (live) => {
      const row = await rowOf();
      typedArray(features, 'float32', 'x', length); // it may have been transferred away
      await native.mapReduce(live, features, { reduction, row, channels, winner: undefined }, y, token);
    }),
  );
  return withFeatures(map.output, y, channels);
}

/** How many cells of an output's window lie inside the grid of the input: a product over the axes. */
function windowSize({ geometry, mode, input, output, kernelSize }: ConvMap): (row: number) => number {
  if (geometry === undefined || kernelSize === undefined || mode === 'transposed') {
    throw rangeError(
      'ERR_SK_OPTION',
      `expected a map with windows (of a kernelSize, not transposed or inverse) but received mode '${mode}'`,
    );
  }
  const axes = kernelSize.length;
  // The cells of one axis: the offsets of the others do not matter.
  const cells = kernelSize.map((k, axis) => {
    const step = kernelSize.slice(axis + 1).reduce((a, b) => a * b, 1);
    return Array.from({ length: k }, (_, r) => geometry.offsets[r * step * axes + axis] as number);
  });
  const known = cells.map(() => new Map<number, number>());
  const inside = (axis: number, o: number) => {
    const found = known[axis]?.get(o);
    if (found !== undefined) return found;
    const first = o * (geometry.stride[axis] as number);
    const count = cells[axis]?.filter((d) => first + d >= 0 && first + d < (input.spatialShape[axis] as number)).length ?? 0;
    known[axis]?.set(o, count);
    return count;
  };
  return (row) => {
    let size = 1;
    for (let axis = 0; axis < axes; axis++) size *= inside(axis, output.coords[row * (1 + axes) + 1 + axis] as number);
    return size;
  };
}

/**
 * Every channel of every sample over all its sites.
 *
 * @param op - `'max'`, `'avg'` or `'sum'`; samples without sites give 0
 * @returns float32 [batch, channels]
 * @throws TypeError `ERR_SK_TYPE` / `ERR_SK_BUFFER`, RangeError `ERR_SK_SHAPE` / `ERR_SK_OPTION`
 * @example
 * ```ts
 * import { conv } from 'sparse-kernels';
 * const x = conv.tensor({ coords: Int32Array.of(0, 0, 0, 2), features: Float32Array.of(1, 2, 3, 6), spatialShape: [4] });
 * conv.globalPool(x, 'avg').data; // Float32Array [2, 4]
 * ```
 */
export function globalPool(x: SparseTensor, op: 'max' | 'avg' | 'sum'): Tensor {
  const { features, channels, batchSize } = sparseTensor(x, 'x');
  oneOf(op, 'op', ['max', 'avg', 'sum']);
  const sums = new Float64Array(batchSize * channels);
  const counts = new Int32Array(batchSize);
  forEachSample(x, (sample, row) => {
    const first = (counts[sample] as number) === 0;
    counts[sample] = (counts[sample] as number) + 1;
    for (let c = 0; c < channels; c++) {
      const value = features[row * channels + c] as number;
      const at = sample * channels + c;
      const sum = sums[at] as number;
      sums[at] = op !== 'max' ? sum + value : first ? value : Math.max(sum, value);
    }
  });
  if (op === 'avg')
    for (let i = 0; i < sums.length; i++) sums[i] = (sums[i] as number) / Math.max(1, counts[Math.floor(i / channels)] as number);
  return { type: 'float32', data: Float32Array.from(sums), dims: [batchSize, channels] };
}

function forEachSample({ coords, spatialShape }: Sites, use: (sample: number, row: number) => void): void {
  const width = 1 + spatialShape.length;
  for (let row = 0; row * width < coords.length; row++) use(coords[row * width] as number, row);
}
