/** The contract of the raw addon: what native/napi exports and lib/native.ts returns. Nobody but lib/ calls it. */

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

export interface NativeSpmmOptions {
  /** [out, in], row-major. */
  weight: Float32Array;
  out: number;
  in: number;
  n: number;
  m: number;
  /** [out] */
  bias: Float32Array | undefined;
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
   * x [tokens, in] is copied before the call returns. y [tokens, out]: if `privateY`, JavaScript must not have seen its buffer and the
   * worker writes it in place; else the result is copied into it when the promise settles.
   */
  run(x: Float32Array, tokens: number, y: Float32Array, privateY: boolean, cancel: NativeCancelToken | undefined): Promise<void>;
  runSync(x: Float32Array, tokens: number, y: Float32Array): void;
  toDense(dense: Float32Array): void;
  dispose(): void;
  readonly kernel: string;
  readonly bytes: number;
}

export interface NativeCancelToken {
  cancel(): void;
}

export interface NativeAddon {
  SpmmPlan: new (options: NativeSpmmOptions) => NativeSpmmPlan;
  CancelToken: new () => NativeCancelToken;
  kernels(): NativeKernelRow[];
  /** ISAs that this machine supports, best first. */
  isas(): string[];
  getNumThreads(): number;
  setNumThreads(threads: number): void;
  physicalParallelism(): number;
}
