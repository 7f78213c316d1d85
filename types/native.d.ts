/** The contract of the raw addon: what native/napi exports and lib/native.ts returns. Nobody but lib/ calls it. */

import type { NativeAttention } from './attention.js';
import type { NativeCancelToken } from './cancel.js';
import type { NativeCompanions } from './companions.js';
import type { NativeConv } from './conv.js';
import type { NativeCuda, NativeDeviceArray, NativeDeviceCall } from './cuda.js';
import type { NativeScores } from './scores.js';
import type { NativeSelect } from './select.js';

export type { NativeCancelToken, NativeDeviceArray };

/** One row of a verb's kernels.def. */
export interface NativeKernelRow {
  name: string;
  verb: string;
  dtype: string;
  pattern: string;
  isa: string;
  /** Lanes of the vector that the kernel is written for. */
  lanes: number;
  /** This machine can run it. */
  supported: boolean;
}

/** Elements of a DType (native/core/tensor.h): 0 float32, 1 float16 and 2 bfloat16 (both as bits), 3 int8. */
export type NativeElements = Float32Array | Uint16Array | Int8Array;

export interface NativeSpmmOptions {
  /** [out, in], row-major. */
  weight: NativeElements;
  /** DType of the weight. */
  type: number;
  /** DType that the plan stores the weight as. */
  values: number;
  /** [out], of an int8 weight; stored as int4: [out, groups]. */
  scale: Float32Array | undefined;
  /** Of int4 values: inputs that share a scale. Default 0. */
  group?: number | undefined;
  /** Of int4 values: each group has a zero of its own. */
  zeroPoint?: boolean | undefined;
  out: number;
  in: number;
  n: number;
  m: number;
  /** Output rows that share their columns. Default 1. */
  rows?: number | undefined;
  venom?: boolean | undefined;
  /** x is quantised to int8, for each token by itself. */
  int8Activations?: boolean | undefined;
  /** On a CUDA device: float32 may be multiplied as tf32. */
  allowTf32?: boolean | undefined;
  /** [out] */
  bias: Float32Array | undefined;
  /** As the weight. */
  gate?: NativeElements | undefined;
  /** As `scale`, of an int8 gate. */
  gateScale?: Float32Array | undefined;
  /** [out] */
  gateBias?: Float32Array | undefined;
  /** native/spmm/kernel.h, enum Activation. */
  activation: number;
  /** Empty string: the best that the machine has. */
  isa: string;
  tokens: number;
  /** 0: all threads of the pool. */
  threads: number;
}

export interface NativeSpmmPlan {
  /**
   * x [tokens, in] is read before the call returns. y [tokens, out]: if `privateY`, JavaScript must not have seen its buffer and the
   * worker writes it in place; else the result is copied into it when the promise settles. Types are DTypes. `residual` is as y, and
   * read before the call returns.
   */
  run(
    x: NativeElements,
    xType: number,
    tokens: number,
    y: NativeElements,
    yType: number,
    privateY: boolean,
    cancel: NativeCancelToken | undefined,
    residual?: NativeElements | undefined,
  ): Promise<void>;
  runSync(x: NativeElements, xType: number, tokens: number, y: NativeElements, yType: number, residual?: NativeElements | undefined): void;
  /** The weight [out, in], then the gate, if there is one. */
  toDense(dense: Float32Array): void;
  /** Of int8 values: the scales [out] of the weight, then those of the gate; of int4: [out, groups], 0 for groups that were dropped. */
  scales(scales: Float32Array): void;
  dispose(): void;
  readonly kernel: string;
  readonly bytes: number;
}

export interface NativeSpmmCudaOperands {
  /** [tokens, in] */
  x: NativeDeviceArray;
  /** DType 0, 1 or 2. */
  xType: number;
  tokens: number;
  /** [tokens, out] */
  y: NativeDeviceArray;
  yType: number;
  /** As y. */
  residual: NativeDeviceArray | undefined;
}

export interface NativeSpmmCudaPlan {
  run(operands: NativeSpmmCudaOperands, call: NativeDeviceCall): Promise<void>;
  /** The weight [out, in], then the gate, if there is one. */
  toDense(dense: Float32Array): void;
  dispose(): void;
  readonly kernel: string;
  readonly bytes: number;
}

export interface NativeKHotOptions {
  /** [out, in], of a DType 0, 1 or 2. */
  weight: NativeElements;
  type: number;
  /** DType that the plan stores the weight as: 0, 1 or 2. */
  values: number;
  out: number;
  in: number;
  bias: Float32Array | undefined;
  /** As that of NativeSpmmOptions. */
  activation: number;
  isa: string;
  /** 0: all threads of the pool. */
  threads: number;
}

export interface NativeKHotPlan {
  /**
   * The list of token t is [offsets[t], offsets[t + 1]) of indices and values (float32); without indices and offsets `values` is x
   * [tokens, in] of a DType 0, 1 or 2. All are read before the call returns. y and residual [tokens, out] of yType: as those of NativeSpmmPlan.
   */
  run(
    values: NativeElements,
    type: number,
    tokens: number,
    y: NativeElements,
    yType: number,
    indices: Int32Array | undefined,
    offsets: Int32Array | undefined,
    privateY: boolean,
    cancel: NativeCancelToken | undefined,
    residual: NativeElements | undefined,
  ): Promise<void>;
  runSync(
    values: NativeElements,
    type: number,
    tokens: number,
    y: NativeElements,
    yType: number,
    indices: Int32Array | undefined,
    offsets: Int32Array | undefined,
    residual: NativeElements | undefined,
  ): void;
  /** dense [out, in]. */
  toDense(dense: Float32Array): void;
  dispose(): void;
  readonly kernel: string;
  readonly bytes: number;
}

export interface NativeSddmmOptions {
  tokens: number;
  out: number;
  in: number;
  isa: string;
  /** 0: all threads of the pool. */
  threads: number;
}

export interface NativeAddon extends NativeAttention, NativeCompanions, NativeConv, NativeCuda, NativeScores, NativeSelect {
  SpmmPlan: new (options: NativeSpmmOptions) => NativeSpmmPlan;
  SpmmCudaPlan: new (options: NativeSpmmOptions) => NativeSpmmCudaPlan;
  KHotPlan: new (options: NativeKHotOptions) => NativeKHotPlan;
  /** a [tokens, out], b [tokens, in], mask [out, in]; JavaScript must not have seen the buffer of d [out, in]. */
  sddmm(
    a: Float32Array,
    b: Float32Array,
    mask: Uint8Array,
    options: NativeSddmmOptions,
    d: Float32Array,
    cancel: NativeCancelToken | undefined,
  ): Promise<void>;
  CancelToken: new () => NativeCancelToken;
  kernels(): NativeKernelRow[];
  /** ISAs that this machine supports, best first. */
  isas(): string[];
  getNumThreads(): number;
  setNumThreads(threads: number): void;
  physicalParallelism(): number;
  /** Before anything is written to a large new array: its memory may come in huge pages. */
  adviseHugePages(array: ArrayBufferView): void;
  /** Bytes from the start of a cache line of 64 to that of the array. */
  lineOffset(array: ArrayBufferView): number;
}
