import { rangeError } from '../errors.js';
import { cancellable } from '../handle.js';
import { native } from '../native.js';
import { inSlices } from '../slices.js';
import { allocate, typedArray } from '../tensor.js';
import { options } from '../validate.js';
import type { ConvMap } from './conv-map.js';
import { reductions } from './pool.js';
import { withCopy } from './run.js';
import { expectMapOf, rowsOf } from './sites.js';
import { type SparseTensor, sparseTensor, withFeatures } from './tensor.js';

/** Options of {@link momentPool}. */
export interface MomentPoolOptions {
  /** Aborts the run: the promise then rejects with the signal's `reason`. */
  readonly signal?: AbortSignal;
}

/** Mean and variance of every window, or the gradients of a loss towards them. */
export interface WindowMoments {
  /** At the output sites of the map. */
  readonly mean: SparseTensor;
  /** At the same sites; of the population: divided by the number of inputs. */
  readonly variance: SparseTensor;
}

/**
 * Mean and variance of the inputs of every output, channel by channel; zeros where an output (of given sites) has no input. What local
 * normalisations are made of.
 *
 * @param x - a tensor at the input sites of `map`
 * @throws (rejects) TypeError `ERR_SK_TYPE` / `ERR_SK_BUFFER`, RangeError `ERR_SK_SHAPE` / `ERR_SK_OPTION`, SparseKernelsError
 * `ERR_SK_COORDINATES` (the map of another tensor) / `ERR_SK_DISPOSED` / `ERR_SK_MEMORY`, or the reason of `signal`
 * @example
 * ```ts
 * import { conv } from 'sparse-kernels';
 * const x = conv.tensor({ coords: Int32Array.of(0, 0, 0, 1, 0, 2), features: Float32Array.of(1, 5, 3), spatialShape: [4] });
 * const { mean, variance } = await conv.momentPool(x, conv.map(x, { mode: 'pool', kernelSize: 2 }));
 * mean.features; // Float32Array [3, 3]
 * variance.features; // Float32Array [4, 0]
 * ```
 */
export async function momentPool(x: SparseTensor, map: ConvMap, poolOptions: MomentPoolOptions = {}): Promise<WindowMoments> {
  const { signal } = options<MomentPoolOptions>(poolOptions, 'options', ['signal']);
  const { features, channels } = sparseTensor(x, 'x');
  expectMapOf(x, map.input);
  const [mean, variance] = [outputOf(map, channels, 'the means'), outputOf(map, channels, 'the variances')];
  await cancellable(signal, (token) =>
    map.handle.use((live) =>
      withCopy({ data: features, isPrivate: false }, 'x', (from) => {
        const settings = { reduction: reductions.moments, channels, privateX: from.isPrivate, variance };
        return native.mapReduce(live, from.data, settings, mean, token);
      }),
    ),
  );
  return { mean: withFeatures(map.output, mean, channels), variance: withFeatures(map.output, variance, channels) };
}

/**
 * The gradient of {@link momentPool} towards its input.
 *
 * @param x - the input of the pooling
 * @param dy - the gradients of its means and variances
 * @throws (rejects) as {@link momentPool}
 * @example
 * ```ts
 * import { conv } from 'sparse-kernels';
 * const x = conv.tensor({ coords: Int32Array.of(0, 0, 0, 1), features: Float32Array.of(1, 5), spatialShape: [2] });
 * const map = conv.map(x, { mode: 'pool', kernelSize: 2 });
 * const { mean, variance } = await conv.momentPool(x, map);
 * const dy = { mean: { ...mean, features: Float32Array.of(0) }, variance: { ...variance, features: Float32Array.of(1) } };
 * (await conv.momentPoolGradient(x, dy, map)).features; // Float32Array [-2, 2]
 * ```
 */
export async function momentPoolGradient(
  x: SparseTensor,
  dy: WindowMoments,
  map: ConvMap,
  poolOptions: MomentPoolOptions = {},
): Promise<SparseTensor> {
  const { signal } = options<MomentPoolOptions>(poolOptions, 'options', ['signal']);
  const { features, channels } = sparseTensor(x, 'x');
  expectMapOf(x, map.input);
  const given = options<WindowMoments>(dy, 'dy', ['mean', 'variance']);
  const [ofMean, ofVariance] = [gradientOf(given.mean, 'dy.mean', map, channels), gradientOf(given.variance, 'dy.variance', map, channels)];
  const [centre, unused] = [outputOf(map, channels, 'the means'), outputOf(map, channels, 'the variances')];
  const [base, slope] = [outputOf(map, channels, 'the gradient'), outputOf(map, channels, 'the gradient')];
  const dx = allocate('float32', features.length, 'the gradient');
  await cancellable(signal, (token) =>
    map.handle.use((live) =>
      withCopy({ data: features, isPrivate: false }, 'x', async (from) => {
        const moments = { reduction: reductions.moments, channels, privateX: from.isPrivate, variance: unused };
        await native.mapReduce(live, from.data, moments, centre, token);
        const counts = await map.countInputs();
        await inSlices(base.length, channels, (first, end) => {
          const [means, variances] = [typedArray(ofMean, 'float32', 'dy.mean'), typedArray(ofVariance, 'float32', 'dy.variance')];
          for (let i = first; i < end; i++) {
            const n = Math.max(1, counts[Math.floor(i / channels)] as number);
            base[i] = (means[i] as number) / n;
            slope[i] = (2 * (variances[i] as number)) / n;
          }
        });
        const at = { at: from.data, privateAt: from.isPrivate };
        const settings = { reduction: reductions.momentsGradient, channels, privateX: true, slope, centre, ...at };
        await native.mapReduce(new native.KernelMap({ swapped: live }), base, settings, dx, token);
      }),
    ),
  );
  return withFeatures(map.input, dx, channels);
}

function outputOf(map: ConvMap, channels: number, name: string): Float32Array {
  return allocate('float32', rowsOf(map.output) * channels, name);
}

function gradientOf(dy: SparseTensor, name: string, map: ConvMap, channels: number): Float32Array {
  const gradient = sparseTensor(dy, name);
  expectMapOf(gradient, map.output, name);
  if (gradient.channels === channels) return gradient.features;
  throw rangeError('ERR_SK_SHAPE', `expected ${name} to have ${channels} channels but received ${gradient.channels}`);
}
