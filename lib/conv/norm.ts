import { rangeError } from '../errors.js';
import { cancellable, guarded } from '../handle.js';
import { native } from '../native.js';
import { allocate, typedArray } from '../tensor.js';
import { describe, options } from '../validate.js';
import { type Rowwise, rowwise, rowwiseSync } from './rowwise.js';
import { withCopy } from './run.js';
import { type SparseTensor, sparseTensor } from './tensor.js';

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

/** Options of the asynchronous forms. */
export type Cancellable<Options> = Options & {
  /** Aborts the run: the promise then rejects with the signal's `reason`. */
  readonly signal?: AbortSignal;
};

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
  const [mean, variance] = [allocate('float32', channels, 'the mean'), allocate('float32', channels, 'the variance')];
  guarded(() => native.rowMoments(features, mean, variance));
  return { mean, variance };
}

/**
 * {@link moments} off the event loop: for many sites. The features of x are copied, so they must not change until the promise settles.
 *
 * @throws (rejects) as {@link moments}, SparseKernelsError `ERR_SK_MEMORY`, or the reason of `signal`
 * @example
 * ```ts
 * import { conv } from 'sparse-kernels';
 * const x = conv.tensor({ coords: Int32Array.of(0, 0, 0, 2), features: Float32Array.of(1, 3), spatialShape: [4] });
 * await conv.momentsAsync(x); // { mean: [2], variance: [1] }
 * ```
 */
export async function momentsAsync(x: SparseTensor, runOptions: Cancellable<object> = {}): Promise<Moments> {
  const { signal } = options<Cancellable<object>>(runOptions, 'options', ['signal']);
  const { features, channels } = sparseTensor(x, 'x');
  const [mean, variance] = [allocate('float32', channels, 'the mean'), allocate('float32', channels, 'the variance')];
  await cancellable(signal, (token) =>
    withCopy({ data: features, isPrivate: false }, 'x', (from) => native.rowMomentsRun(from.data, mean, variance, from.isPrivate, token)),
  );
  return { mean, variance };
}

/**
 * Normalises every channel: weight (x - mean) / sqrt(variance + epsilon) + bias. Without mean and variance those of the active sites of this
 * batch are taken (as in training; SparK's masked batch norm). Runs on the calling thread (and the pool).
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
  const input = sparseTensor(x, 'x');
  return rowwiseSync(input, batchNormOf(normOptions, input.channels));
}

/**
 * {@link batchNorm} off the event loop: for many sites. The features of x are copied, so they must not change until the promise settles.
 *
 * @throws (rejects) as {@link batchNorm}, or the reason of `signal`
 * @example
 * ```ts
 * import { conv } from 'sparse-kernels';
 * const x = conv.tensor({ coords: Int32Array.of(0, 0, 0, 2), features: Float32Array.of(1, 3), spatialShape: [4] });
 * (await conv.batchNormAsync(x, { epsilon: 0 })).features; // Float32Array [-1, 1]
 * ```
 */
export async function batchNormAsync(x: SparseTensor, normOptions: Cancellable<BatchNormOptions> = {}): Promise<SparseTensor> {
  const { signal, ...rest } = options<Cancellable<BatchNormOptions>>(normOptions, 'options', [...batchNames, 'signal']);
  const input = sparseTensor(x, 'x');
  return rowwise(input, batchNormOf(rest, input.channels), { x: false }, signal);
}

/**
 * Normalises every site over its channels (Ba et al., "Layer Normalization", 2016). Runs on the calling thread (and the pool).
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
  const input = sparseTensor(x, 'x');
  return rowwiseSync(input, layerNormOf(normOptions, input.channels));
}

/**
 * {@link layerNorm} off the event loop: for many sites. The features of x are copied, so they must not change until the promise settles.
 *
 * @throws (rejects) as {@link layerNorm}, or the reason of `signal`
 * @example
 * ```ts
 * import { conv } from 'sparse-kernels';
 * const x = conv.tensor({ coords: Int32Array.of(0, 0), features: Float32Array.of(1, 3), spatialShape: [4] });
 * (await conv.layerNormAsync(x, { epsilon: 0 })).features; // Float32Array [-1, 1]
 * ```
 */
export async function layerNormAsync(x: SparseTensor, normOptions: Cancellable<LayerNormOptions> = {}): Promise<SparseTensor> {
  const { signal, ...rest } = options<Cancellable<LayerNormOptions>>(normOptions, 'options', [...layerNames, 'signal']);
  const input = sparseTensor(x, 'x');
  return rowwise(input, layerNormOf(rest, input.channels), { x: false }, signal);
}

const layerNames = ['weight', 'bias', 'epsilon'] as const;
const batchNames = [...layerNames, 'mean', 'variance'] as const;

/** A batch norm as {@link Rowwise}. */
export function batchNormOf(normOptions: BatchNormOptions, channels: number, name = 'options'): Rowwise {
  const o = options<BatchNormOptions>(normOptions, name, batchNames);
  if ((o.mean === undefined) !== (o.variance === undefined)) {
    throw rangeError('ERR_SK_OPTION', 'expected both mean and variance or neither');
  }
  const mean = o.mean && perChannel(o.mean, 'mean', channels);
  const variance = o.variance && perChannel(o.variance, 'variance', channels);
  return { norm: 'batch', ...affine(o, channels, 1e-5), mean, variance };
}

/** A layer norm as {@link Rowwise}. */
export function layerNormOf(normOptions: LayerNormOptions, channels: number, name = 'options'): Rowwise {
  const o = options<LayerNormOptions>(normOptions, name, layerNames);
  return { norm: 'layer', ...affine(o, channels, 1e-6) };
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
