import { DeviceTensor } from '../device-tensor.js';
import { cancellable } from '../handle.js';
import { native } from '../native.js';
import type { StreamOption } from '../stream.js';
import { allocate } from '../tensor.js';
import { oneOf, options } from '../validate.js';
import type { ConvMap } from './conv-map.js';
import type { CudaMap } from './cuda-conv-map.js';
import { anyMap } from './cuda-map.js';
import { reduceOnDevice } from './cuda-pool.js';
import { withCopy } from './run.js';
import { convMap } from './settings.js';
import { expectMapOf, rowsOf } from './sites.js';
import { type SparseTensor, sparseTensor, withFeatures } from './tensor.js';
import { leastOf, weightsOf } from './windows.js';

/** In the order of enum Reduction in native/mapreduce/mapreduce.h. */
export const reductions = { sum: 0, mean: 1, max: 2, moments: 3, maxGradient: 4, momentsGradient: 5 } as const;

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
 * is there too: the promise then settles when the work is on its stream
 * @param map - usually of mode `pool`; for features on a device it may have been built there
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
export async function maxPool(x: DeviceTensor, map: ConvMap | CudaMap, poolOptions?: MaxPoolOptions & StreamOption): Promise<DeviceTensor>;
export async function maxPool(x: SparseTensor, map: ConvMap, poolOptions?: MaxPoolOptions): Promise<SparseTensor>;
export async function maxPool(
  x: SparseTensor | DeviceTensor,
  map: ConvMap | CudaMap,
  poolOptions: MaxPoolOptions & StreamOption = {},
): Promise<SparseTensor | DeviceTensor> {
  const where = options<MaxPoolOptions & StreamOption>(poolOptions, 'options', ['inactive', 'signal', ...deviceKeys(x)]);
  const { inactive, signal } = where;
  const kind = oneOf(inactive ?? 'skip', 'inactive', ['skip', 'zero']);
  const row = (there: ConvMap) => leastOf(there, kind);
  if (x instanceof DeviceTensor) return reduceOnDevice(x, anyMap(map), `max ${kind}`, row, where);
  return reduce(x, convMap(map), reductions.max, row, signal);
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
export async function avgPool(x: DeviceTensor, map: ConvMap | CudaMap, poolOptions?: AvgPoolOptions & StreamOption): Promise<DeviceTensor>;
export async function avgPool(x: SparseTensor, map: ConvMap, poolOptions?: AvgPoolOptions): Promise<SparseTensor>;
export async function avgPool(
  x: SparseTensor | DeviceTensor,
  map: ConvMap | CudaMap,
  poolOptions: AvgPoolOptions & StreamOption = {},
): Promise<SparseTensor | DeviceTensor> {
  const where = options<AvgPoolOptions & StreamOption>(poolOptions, 'options', ['divisor', 'signal', ...deviceKeys(x)]);
  const { divisor, signal } = where;
  const kind = oneOf(divisor ?? 'active', 'divisor', ['active', 'inside', 'kernel', 'none']);
  const row = (there: ConvMap) => weightsOf(there, kind);
  if (x instanceof DeviceTensor) return reduceOnDevice(x, anyMap(map), `avg ${kind}`, row, where);
  if (kind === 'active') return reduce(x, convMap(map), reductions.mean, async () => undefined, signal);
  return reduce(x, convMap(map), reductions.sum, row, signal);
}

/** What only work on a device takes. */
function deviceKeys(x: SparseTensor | DeviceTensor): 'stream'[] {
  return x instanceof DeviceTensor ? ['stream'] : [];
}

async function reduce(
  x: SparseTensor,
  map: ConvMap,
  reduction: number,
  rowOf: (map: ConvMap) => Promise<Float32Array | undefined>,
  signal: AbortSignal | undefined,
): Promise<SparseTensor> {
  const { features, channels } = sparseTensor(x, 'x');
  expectMapOf(x, map.input);
  const y = allocate('float32', rowsOf(map.output) * channels, 'the output');
  await cancellable(signal, (token) =>
    map.handle.use(async (live) => {
      const row = await rowOf(map);
      await withCopy({ data: features, isPrivate: false }, 'x', (from) =>
        native.mapReduce(live, from.data, { reduction, row, channels, privateX: from.isPrivate }, y, token),
      );
    }),
  );
  return withFeatures(map.output, y, channels);
}
