import { rangeError } from '../errors.js';
import { cancellable } from '../handle.js';
import { native } from '../native.js';
import { inSlices } from '../slices.js';
import { allocate, typedArray } from '../tensor.js';
import { options } from '../validate.js';
import type { ConvMap } from './conv-map.js';
import { type AvgPoolOptions, type MaxPoolOptions, reductions } from './pool.js';
import { withCopy } from './run.js';
import { expectMapOf, rowsOf } from './sites.js';
import { type SparseTensor, sparseTensor, withFeatures } from './tensor.js';
import { leastOf, weightsOf } from './windows.js';

/**
 * The gradient of {@link maxPool} towards its input: that of an output goes to the first input that is its maximum.
 *
 * @param x - the input of the pooling
 * @param dy - the gradient of its output
 * @throws (rejects) as the pooling
 * @example
 * ```ts
 * import { conv } from 'sparse-kernels';
 * const x = conv.tensor({ coords: Int32Array.of(0, 0, 0, 1), features: Float32Array.of(1, 5), spatialShape: [2] });
 * const map = conv.map(x, { mode: 'pool', kernelSize: 2 });
 * const dy = { ...(await conv.maxPool(x, map)), features: Float32Array.of(7) };
 * (await conv.maxPoolGradient(x, dy, map)).features; // Float32Array [0, 7]
 * ```
 */
export async function maxPoolGradient(
  x: SparseTensor,
  dy: SparseTensor,
  map: ConvMap,
  poolOptions: MaxPoolOptions = {},
): Promise<SparseTensor> {
  const { inactive, signal } = options<MaxPoolOptions>(poolOptions, 'options', ['inactive', 'signal']);
  const { features, channels } = sparseTensor(x, 'x');
  const gradient = poolOutput(dy, map, channels);
  expectMapOf(x, map.input);
  const winner = allocate('int32', gradient.length, 'the winners');
  const unused = allocate('float32', gradient.length, 'the maxima');
  const dx = allocate('float32', features.length, 'the gradient');
  await cancellable(signal, (token) =>
    map.handle.use(async (live) => {
      const row = await leastOf(map, inactive);
      await withCopy({ data: features, isPrivate: false }, 'x', (from) => {
        const maxima = { reduction: reductions.max, channels, privateX: from.isPrivate, row, winner };
        return native.mapReduce(live, from.data, maxima, unused, token);
      });
      await withCopy({ data: gradient, isPrivate: false }, 'dy', (slope) => {
        const settings = { reduction: reductions.maxGradient, channels, privateX: slope.isPrivate, winner };
        return native.mapReduce(new native.KernelMap({ swapped: live }), slope.data, settings, dx, token);
      });
    }),
  );
  return withFeatures(map.input, dx, channels);
}

/**
 * The gradient of {@link avgPool} towards its input.
 *
 * @param dy - the gradient of the pooling's output
 * @throws (rejects) as the pooling
 * @example
 * ```ts
 * import { conv } from 'sparse-kernels';
 * const x = conv.tensor({ coords: Int32Array.of(0, 0, 0, 1), features: Float32Array.of(1, 5), spatialShape: [2] });
 * const map = conv.map(x, { mode: 'pool', kernelSize: 2 });
 * const dy = { ...(await conv.avgPool(x, map)), features: Float32Array.of(8) };
 * (await conv.avgPoolGradient(dy, map)).features; // Float32Array [4, 4]
 * ```
 */
export async function avgPoolGradient(dy: SparseTensor, map: ConvMap, poolOptions: AvgPoolOptions = {}): Promise<SparseTensor> {
  const { divisor, signal } = options<AvgPoolOptions>(poolOptions, 'options', ['divisor', 'signal']);
  const { channels } = sparseTensor(dy, 'dy');
  const gradient = poolOutput(dy, map, channels);
  const { length } = gradient;
  const scaled = allocate('float32', length, 'the scaled gradient');
  const dx = allocate('float32', rowsOf(map.input) * channels, 'the gradient');
  await cancellable(signal, (token) =>
    map.handle.use(async (live) => {
      const weights = await weightsOf(map, divisor);
      await inSlices(length, channels, (first, end) => {
        const from = typedArray(gradient, 'float32', 'dy', length); // it may have been transferred away
        for (let i = first; i < end; i++) scaled[i] = (from[i] as number) * (weights?.[Math.floor(i / channels)] ?? 1);
      });
      const settings = { reduction: reductions.sum, channels, privateX: true };
      await native.mapReduce(new native.KernelMap({ swapped: live }), scaled, settings, dx, token);
    }),
  );
  return withFeatures(map.input, dx, channels);
}

function poolOutput(dy: SparseTensor, map: ConvMap, channels: number): Float32Array {
  const gradient = sparseTensor(dy, 'dy');
  expectMapOf(gradient, map.output, 'dy');
  if (gradient.channels === channels) return gradient.features;
  throw rangeError('ERR_SK_SHAPE', `expected dy to have ${channels} channels but received ${gradient.channels}`);
}
