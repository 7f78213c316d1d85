/** The verbs below conv but map, part of the contract of the raw addon. */
import type { NativeCancelToken } from './cancel.js';
import type { NativeDeviceArray, NativeDeviceCall } from './cuda.js';
import type { NativeDeviceMap, NativeKernelMap, NativeMaps } from './map.js';

export interface NativeMapmmOptions {
  /** [splits * out, groups, in], or if transposed [splits * in, groups, out] */
  weight: Float32Array;
  transposed: boolean;
  /** Of the map: kernel offsets. */
  groups: number;
  /** Channels of one split. */
  in: number;
  out: number;
  /** Channel groups of a grouped convolution. */
  splits: number;
  /** [splits * out] */
  bias: Float32Array | undefined;
  /** native/mapmm/kernel.h, enum MapActivation. */
  activation: number;
  isa: string;
  threads: number;
}

/** Pooling on a device: native/mapreduce/cuda/mapreduce.h. */
export interface NativeMapReduceCudaOptions {
  map: NativeDeviceMap;
  /** [inRows, channels] of DType 0, 1 or 2. */
  x: NativeDeviceArray;
  /** [outRows, channels], of the same type. */
  y: NativeDeviceArray;
  type: number;
  channels: number;
  /** The largest, else the sum. */
  max: boolean;
  /** float32 [outRows]: where a maximum starts, or what a sum is multiplied by. */
  row: NativeDeviceArray | undefined;
}

export interface NativeMapmmCudaOperands {
  map: NativeDeviceMap;
  /** [inRows, in] */
  x: NativeDeviceArray;
  /** DType 0, 1 or 2. */
  xType: number;
  /** [outRows, out] */
  y: NativeDeviceArray;
  yType: number;
}

export interface NativeMapmmCudaPlan {
  run(operands: NativeMapmmCudaOperands, call: NativeDeviceCall): Promise<void>;
  dispose(): void;
  readonly kernel: string;
  readonly bytes: number;
}

export interface NativeMapmmPlan {
  /** x [inRows, splits * in], y [outRows, splits * out]; private: JavaScript has not seen the buffer, so that it is not copied. */
  run(
    map: NativeKernelMap,
    x: Float32Array,
    y: Float32Array,
    privateX: boolean,
    privateY: boolean,
    cancel: NativeCancelToken | undefined,
  ): Promise<void>;
  runSync(map: NativeKernelMap, x: Float32Array, y: Float32Array): void;
  /** Whether a run over the map takes the windows of its tiles. */
  gathersTiles(map: NativeKernelMap): boolean;
  dispose(): void;
  readonly kernel: string;
  readonly bytes: number;
}

export interface NativeReduceOptions {
  /** native/mapreduce/mapreduce.h, enum Reduction. */
  reduction: number;
  channels: number;
  /** JavaScript has not seen the buffer of x, so that it is not copied. */
  privateX: boolean;
  /** [outRows]: weight of a sum, least of a maximum. */
  row?: Float32Array | undefined;
  /** A maximum writes it [outRows, channels], its gradient reads it [inRows, channels]. */
  winner?: Int32Array | undefined;
  /** Moments write it: [outRows, channels]. */
  variance?: Float32Array;
  /** The gradient of moments reads [inRows, channels] both, and at [outRows, channels]. */
  slope?: Float32Array;
  centre?: Float32Array;
  at?: Float32Array;
  privateAt?: boolean;
}

export interface NativeNormOptions {
  channels: number;
  /** [rows, channels] */
  added: Float32Array | undefined;
  /** native/norm/norm.h, enum Norm. */
  norm: number;
  /** [channels] each. */
  weight: Float32Array | undefined;
  bias: Float32Array | undefined;
  mean: Float32Array | undefined;
  variance: Float32Array | undefined;
  epsilon: number;
  /** native/norm/norm.h, enum NormActivation. */
  activation: number;
  /** Of an asynchronous run: JavaScript has not seen the buffers, so that they are not copied. */
  privateX: boolean;
  privateAdded: boolean;
}

export interface NativeOuterOptions {
  in: number;
  out: number;
  splits: number;
  isa: string;
  /** JavaScript has not seen the buffers, so that they are not copied. */
  privateX: boolean;
  privateDy: boolean;
}

export interface NativePlanesOptions {
  /** [out, in] */
  weight: Float32Array;
  in: number;
  out: number;
  /** Output channels that share their inputs: 1, 2 or 4. */
  block: number;
  bias: Float32Array | undefined;
  /** native/planes/kernel.h, enum PlanesActivation. */
  activation: number;
  isa: string;
  threads: number;
}

export interface NativePlanesPlan {
  /** x [images, in, pixels], y [images, out, pixels]; private: JavaScript has not seen the buffer, so that it is not copied. */
  run(
    x: Float32Array,
    images: number,
    pixels: number,
    y: Float32Array,
    privateX: boolean,
    privateY: boolean,
    cancel: NativeCancelToken | undefined,
  ): Promise<void>;
  runSync(x: Float32Array, images: number, pixels: number, y: Float32Array): void;
  dispose(): void;
  readonly kernel: string;
  readonly bytes: number;
  /** Weights that are not zero. */
  readonly kept: number;
}

export interface NativeConv extends NativeMaps {
  PlanesPlan: new (options: NativePlanesOptions) => NativePlanesPlan;
  /** The promise does not wait for the device. */
  mapReduceCuda(options: NativeMapReduceCudaOptions, call: NativeDeviceCall): Promise<void>;
  /** `values`: the DType to store the weight as. */
  MapmmCudaPlan: new (
    options: NativeMapmmOptions,
    values: number,
  ) => NativeMapmmCudaPlan;
  MapmmPlan: new (options: NativeMapmmOptions) => NativeMapmmPlan;
  /** x [inRows, channels]; JavaScript must not have seen the buffers of y [outRows, channels] and of the options, but for `at`. */
  mapReduce(
    map: NativeKernelMap,
    x: Float32Array,
    options: NativeReduceOptions,
    y: Float32Array,
    cancel: NativeCancelToken | undefined,
  ): Promise<void>;
  /** x, y [rows, channels]; y may be x. */
  norm(x: Float32Array, options: NativeNormOptions, y: Float32Array): void;
  /** The same off the event loop; JavaScript must not have seen the buffer of y. */
  normRun(x: Float32Array, options: NativeNormOptions, y: Float32Array, cancel: NativeCancelToken | undefined): Promise<void>;
  /** Of x [rows, channels]: mean and variance [channels]. */
  rowMoments(x: Float32Array, mean: Float32Array, variance: Float32Array): void;
  /** The same off the event loop; JavaScript must not have seen the buffers of mean and variance, nor that of x where it is private. */
  rowMomentsRun(
    x: Float32Array,
    mean: Float32Array,
    variance: Float32Array,
    privateX: boolean,
    cancel: NativeCancelToken | undefined,
  ): Promise<void>;
  /** x [inRows, splits * in], dy [outRows, splits * out]; JavaScript must not have seen the buffer of dw [splits * out, groups, in]. */
  mapOuter(
    map: NativeKernelMap,
    x: Float32Array,
    dy: Float32Array,
    options: NativeOuterOptions,
    dw: Float32Array,
    cancel: NativeCancelToken | undefined,
  ): Promise<void>;
}
