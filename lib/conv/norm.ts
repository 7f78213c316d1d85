import { rangeError } from '../errors.js';
import { allocate, typedArray } from '../tensor.js';
import { describe, options } from '../validate.js';
import { type SparseTensor, sparseTensor, withFeatures } from './tensor.js';

/** Mean and variance of every channel. */
export interface Moments {
  /** float32 [channels]. */
  readonly mean: Float32Array;
  /** float32 [channels], of the population: divided by the number of sites. */
  readonly variance: Float32Array;
}

/** Options of {@link batchNorm}. */
export interface BatchNormOptions extends Partial<Moments> {
  /** float32 [channels]: default 1. */
  readonly weight?: Float32Array;
  /** float32 [channels]: default 0. */
  readonly bias?: Float32Array;
  /** Added to the variance; default 1e-5. */
  readonly epsilon?: number;
}

/** Options of {@link layerNorm}. */
export interface LayerNormOptions {
  /** float32 [channels]: default 1. */
  readonly weight?: Float32Array;
  /** float32 [channels]: default 0. */
  readonly bias?: Float32Array;
  /** Added to the variance; default 1e-6. */
  readonly epsilon?: number;
}

/**
 * Mean and variance of every channel over all active sites of the batch.
 *
 * @throws TypeError `ERR_SK_TYPE` / `ERR_SK_BUFFER`, RangeError `ERR_SK_SHAPE`
 * @example
 * ```ts
 * import { conv } from 'sparse-kernels';
 * const x = conv.tensor({ coords: Int32Array.of(0, 0, 0, 2), features: Float32Array.of(1, 3), spatialShape: [4] });
 * conv.moments(x); // { mean: [2], variance: [1] }
 * ```
 */
export function moments(x: SparseTensor): Moments {
  const { features, channels } = sparseTensor(x, 'x');
  const rows = Math.max(1, features.length / channels);
  const mean = new Float64Array(channels);
  const variance = new Float64Array(channels);
  eachRow(features, channels, (value, c) => {
    mean[c] = (mean[c] as number) + value / rows;
  });
  eachRow(features, channels, (value, c) => {
    variance[c] = (variance[c] as number) + (value - (mean[c] as number)) ** 2 / rows;
  });
  return { mean: Float32Array.from(mean), variance: Float32Array.from(variance) };
}

function eachRow(features: Float32Array, channels: number, use: (value: number, channel: number, index: number) => void): void {
  for (let first = 0; first < features.length; first += channels) {
    for (let c = 0; c < channels; c++) use(features[first + c] as number, c, first + c);
  }
}

/**
 * Normalises every channel: weight (x - mean) / sqrt(variance + epsilon) + bias. Without mean and variance those of the active sites of this
 * batch are taken (as in training; SparK's masked batch norm). Runs on the calling thread.
 *
 * @throws TypeError `ERR_SK_TYPE` / `ERR_SK_BUFFER`, RangeError `ERR_SK_SHAPE` / `ERR_SK_OPTION`
 * @example
 * ```ts
 * import { conv } from 'sparse-kernels';
 * const x = conv.tensor({ coords: Int32Array.of(0, 0, 0, 2), features: Float32Array.of(1, 3), spatialShape: [4] });
 * conv.batchNorm(x, { epsilon: 0 }).features; // Float32Array [-1, 1]
 * ```
 */
export function batchNorm(x: SparseTensor, normOptions: BatchNormOptions = {}): SparseTensor {
  const o = options<BatchNormOptions>(normOptions, 'options', ['mean', 'variance', 'weight', 'bias', 'epsilon']);
  const { features, channels } = sparseTensor(x, 'x');
  if ((o.mean === undefined) !== (o.variance === undefined)) {
    throw rangeError('ERR_SK_OPTION', 'expected both mean and variance or neither');
  }
  const { weight, bias, epsilon } = affine(o, channels, 1e-5);
  const of =
    o.mean && o.variance
      ? { mean: perChannel(o.mean, 'mean', channels), variance: perChannel(o.variance, 'variance', channels) }
      : moments(x);
  const scale = Float64Array.from(of.variance, (v, c) => (weight?.[c] ?? 1) / Math.sqrt(v + epsilon));
  const shift = Float64Array.from(of.mean, (m, c) => (bias?.[c] ?? 0) - m * (scale[c] as number));
  const y = allocate('float32', features.length, 'the output');
  eachRow(features, channels, (value, c, i) => {
    y[i] = value * (scale[c] as number) + (shift[c] as number);
  });
  return withFeatures(x, y, channels);
}

/**
 * Normalises every site over its channels (Ba et al., "Layer Normalization", 2016). Runs on the calling thread.
 *
 * @throws TypeError `ERR_SK_TYPE` / `ERR_SK_BUFFER`, RangeError `ERR_SK_SHAPE` / `ERR_SK_OPTION`
 * @example
 * ```ts
 * import { conv } from 'sparse-kernels';
 * const x = conv.tensor({ coords: Int32Array.of(0, 0), features: Float32Array.of(1, 3), spatialShape: [4] });
 * conv.layerNorm(x, { epsilon: 0 }).features; // Float32Array [-1, 1]
 * ```
 */
export function layerNorm(x: SparseTensor, normOptions: LayerNormOptions = {}): SparseTensor {
  const o = options<LayerNormOptions>(normOptions, 'options', ['weight', 'bias', 'epsilon']);
  const { features, channels } = sparseTensor(x, 'x');
  const { weight, bias, epsilon } = affine(o, channels, 1e-6);
  const y = allocate('float32', features.length, 'the output');
  for (let first = 0; first < features.length; first += channels) {
    let mean = 0;
    let variance = 0;
    for (let c = 0; c < channels; c++) mean += (features[first + c] as number) / channels;
    for (let c = 0; c < channels; c++) variance += ((features[first + c] as number) - mean) ** 2 / channels;
    const scale = 1 / Math.sqrt(variance + epsilon);
    for (let c = 0; c < channels; c++) {
      y[first + c] = ((features[first + c] as number) - mean) * scale * (weight?.[c] ?? 1) + (bias?.[c] ?? 0);
    }
  }
  return withFeatures(x, y, channels);
}

function affine(o: LayerNormOptions, channels: number, usual: number) {
  const epsilon = o.epsilon ?? usual;
  if (typeof epsilon !== 'number' || !(epsilon >= 0)) {
    throw rangeError('ERR_SK_OPTION', `expected epsilon to be a number of at least 0 but received ${describe(epsilon)}`);
  }
  return {
    weight: o.weight && perChannel(o.weight, 'weight', channels),
    bias: o.bias && perChannel(o.bias, 'bias', channels),
    epsilon,
  };
}

function perChannel(value: unknown, name: string, channels: number): Float32Array {
  const data = typedArray(value, 'float32', name);
  if (data.length === channels) return data;
  throw rangeError('ERR_SK_SHAPE', `expected ${name} to hold ${channels} numbers but received ${data.length}`);
}
