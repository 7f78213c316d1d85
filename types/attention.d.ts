/** What native/napi/attend_napi.cc exports. */
import type { NativeCancelToken } from './cancel.js';
import type { NativeDeviceArray, NativeDeviceCall } from './cuda.js';

/** Lists of ids: native/attend/lists.h. */
export interface NativeLists {
  start: Int32Array;
  count: Int32Array;
  index: Int32Array;
}

/** native/attend/attend.h, struct AttendOptions. */
export interface NativeAttendOptions {
  batch: number;
  heads: number;
  kvHeads: number;
  headDim: number;
  queries: number;
  keys: number;
  tokensOutside: boolean;
  /** enum HeadSets */
  headSets: number;
  listsBatch: number;
  blockQueries: number;
  blockKeys: number;
  tokenIds: boolean;
  tiles: NativeLists | undefined;
  fullTiles: NativeLists | undefined;
  columns: NativeLists | undefined;
  validate: boolean;
  causal: boolean;
  /** 0: none. */
  window: number;
  sinkTokens: number;
  scale: number;
  /** 0: none. */
  softcap: number;
  /** 0: none. */
  pvSkip: number;
  dtype: string;
  isa: string;
  threads: number;
}

/** Operands of a run beside q, k and v. */
export interface NativeAttendModifiers {
  queryPositions: Int32Array | undefined;
  keyPositions: Int32Array | undefined;
  keyLengths: Int32Array | undefined;
  keyBias: Float32Array | undefined;
  logWeight: number;
  sink: Float32Array | undefined;
}

/** Operands and results of a run; those that depend on heads hold the units [firstUnit, firstUnit + units): native/attend/attend.h. */
export interface NativeAttendOperands extends NativeAttendModifiers {
  firstUnit: number;
  units: number;
  q: Float32Array | Uint16Array;
  /** Absent where there are caches, one for each batch entry. */
  k?: Float32Array | Uint16Array;
  v?: Float32Array | Uint16Array;
  caches?: readonly NativeKvCache[];
  initialOutput: Float32Array | undefined;
  initialLse: Float32Array | undefined;
  output: Float32Array;
  lse: Float32Array;
  rowMax: Float32Array | undefined;
  /** JavaScript has not seen the buffers of output, lse and rowMax: the worker may write them in place. */
  privateResults: boolean;
}

export interface NativeAttendPlan {
  run(operands: NativeAttendOperands, cancel: NativeCancelToken | undefined): Promise<void>;
  runSync(operands: NativeAttendOperands): void;
  dispose(): void;
  readonly kernel: string;
  readonly bytes: number;
  /** Pairs of query and key that the lists name, over all query heads and the lists' batch entries. */
  readonly listed: number;
}

/** q, k and v of the plan's dtype, states and results float32, whole and on the device: native/attend/cuda/plan.h. */
export interface NativeAttendCudaOperands extends NativeAttendModifiers {
  q: NativeDeviceArray;
  k: NativeDeviceArray;
  v: NativeDeviceArray;
  initialOutput: NativeDeviceArray | undefined;
  initialLse: NativeDeviceArray | undefined;
  output: NativeDeviceArray;
  lse: NativeDeviceArray;
  rowMax: NativeDeviceArray | undefined;
  /** int32 [batch, ceil(keys / pageTokens)]; then k and v are `pages` pages. */
  pageTable: NativeDeviceArray | undefined;
  pages: number;
  pageTokens: number;
  /** int32 [rows] and [rows, capacity] of each kind of lists that has a capacity. */
  tilesCount?: NativeDeviceArray | undefined;
  tilesIndex?: NativeDeviceArray | undefined;
  fullTilesCount?: NativeDeviceArray | undefined;
  fullTilesIndex?: NativeDeviceArray | undefined;
  columnsCount?: NativeDeviceArray | undefined;
  columnsIndex?: NativeDeviceArray | undefined;
}

/** Most ids of a row of each kind of lists that runs bring; undefined: the plan has them. */
export interface NativeListCapacity {
  tiles: number | undefined;
  fullTiles: number | undefined;
  columns: number | undefined;
}

export interface NativeAttendCudaPlan {
  run(operands: NativeAttendCudaOperands, call: NativeDeviceCall): Promise<void>;
  dispose(): void;
  readonly kernel: string;
  readonly bytes: number;
  readonly listed: number;
}

export interface NativeKvCacheOptions {
  kvHeads: number;
  headDim: number;
  pageTokens: number;
  /** Tokens, of the cache and its forks together. */
  capacity: number;
  elementBytes: number;
}

export interface NativeKvCache {
  /** k and v [kvHeads, tokens, headDim], or [tokens, kvHeads, headDim] where tokensOutside. */
  append(k: ArrayBufferView, v: ArrayBufferView, tokens: number, tokensOutside: boolean): void;
  truncate(length: number): void;
  /** Becomes a copy of the other, which shares its pages until one of the two writes. */
  fork(from: NativeKvCache): void;
  /** Copies tokens to k and v [kvHeads, tokens, headDim]. */
  read(begin: number, tokens: number, k: ArrayBufferView, v: ArrayBufferView): void;
  dispose(): void;
  readonly length: number;
  /** Of its pages, shared ones included. */
  readonly bytes: number;
}

/** Results 0 .. count - 1, and the merged one: outputs [rows, headDim] and lses [rows]. */
export type NativeAttendMergeCudaOptions = { count: number; rows: number; headDim: number } & {
  readonly [operand in `output${number | ''}` | `lse${number | ''}`]: NativeDeviceArray;
};

export interface NativeAttention {
  AttendPlan: new (options: NativeAttendOptions) => NativeAttendPlan;
  AttendCudaPlan: new (options: NativeAttendOptions, capacity: NativeListCapacity) => NativeAttendCudaPlan;
  /** The same as attendMerge; on the device. */
  attendMergeCuda(options: NativeAttendMergeCudaOptions, call: NativeDeviceCall): Promise<void>;
  KvCache: new (options: NativeKvCacheOptions) => NativeKvCache;
  /** Results of disjoint keys, outputs [rows, headDim] and lses [rows], into one; output and lse must be new. */
  attendMerge(
    outputs: readonly Float32Array[],
    lses: readonly Float32Array[],
    rows: number,
    headDim: number,
    output: Float32Array,
    lse: Float32Array,
  ): Promise<void>;
}
