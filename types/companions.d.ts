/** What pool, score and select add to the addon for a device: work that is put on its stream, and that the promises do not wait for. */
import type { NativeDeviceArray, NativeDeviceCall } from './cuda.js';

export interface NativePoolCudaOptions {
  /** [batch, heads, tokens, dim], or with tokensOutside [batch, tokens, heads, dim]. */
  x: NativeDeviceArray;
  /** DType of x: float32, float16 or bfloat16. */
  type: number;
  tokensOutside: boolean;
  batch: number;
  heads: number;
  tokens: number;
  dim: number;
  /** native/pool/pool.h, enum PoolKind. */
  kind: number;
  /** Window p is the tokens [p stride, p stride + block) that exist. */
  windows: number;
  block: number;
  stride: number;
  /** int32 [windows + 1], instead of block and stride. */
  offsets: NativeDeviceArray | undefined;
  /** float32 [batch, heads, tokens], for the kind weighted. */
  logit: NativeDeviceArray | undefined;
  /** float32 */
  out: NativeDeviceArray;
}

/** native/score/cuda/score.h says what each means. */
export interface NativeScoreCudaOptions {
  /** enum ScoreCudaKind. */
  kind: number;
  q: NativeDeviceArray;
  k: NativeDeviceArray;
  qType: number;
  kType: number;
  tokensOutside: boolean;
  batch: number;
  heads: number;
  kvHeads: number;
  queries: number;
  keys: number;
  dim: number;
  /** For lines. */
  lastQueries: number | undefined;
  scale: number;
  /** int32 [queries] */
  limit?: NativeDeviceArray | undefined;
  causal: boolean;
  /** enum GroupReduce. */
  group: number;
  blockQ: number;
  blockK: number;
  /** float32 [batch, heads, queries], for mass. */
  lse?: NativeDeviceArray | undefined;
  /** The scores; for lines the vertical sums. */
  out: NativeDeviceArray;
  /** For lines. */
  slash?: NativeDeviceArray | undefined;
}

/** native/select/cuda/kernel.h, struct TopKCudaRun. */
export interface NativeTopKCudaOptions {
  /** float32 [rows, columns] */
  scores: NativeDeviceArray;
  rows: number;
  columns: number;
  k: number;
  /** int32 [rows], instead of k. */
  rowK: NativeDeviceArray | undefined;
  /** int32 [limits] */
  limit: NativeDeviceArray | undefined;
  limits: number;
  sliceRows: number;
  wholeRows: number;
  first: number;
  sink: number;
  local: number;
  /** int32 [rows, capacity] */
  index: NativeDeviceArray;
  /** int32 [rows] */
  count: NativeDeviceArray;
  capacity: number;
}

export interface NativeMaskGroupsCudaOptions {
  /** float32 [rows, columns] */
  weight: NativeDeviceArray;
  /** float32 [rows, columns] */
  masked: NativeDeviceArray;
  rows: number;
  columns: number;
  n: number;
  m: number;
}

/** Lists of at most `capacity` ids: int32 [rows] and [rows, capacity]. */
type NativeLineLists<Name extends string> = { [K in `${Name}Count` | `${Name}Index`]: NativeDeviceArray } & {
  [K in `${Name}Capacity`]: number;
};

/** native/attend/cuda/vertical_slash.h */
export type NativeVerticalSlashCudaOptions = NativeLineLists<'vertical' | 'slash' | 'tiles' | 'columns'> & {
  sequences: number;
  queries: number;
  keys: number;
  blockQueries: number;
  blockKeys: number;
};

export interface NativeCompanions {
  poolCuda(options: NativePoolCudaOptions, call: NativeDeviceCall): Promise<void>;
  scoreCuda(options: NativeScoreCudaOptions, call: NativeDeviceCall): Promise<void>;
  topKCuda(options: NativeTopKCudaOptions, call: NativeDeviceCall): Promise<void>;
  verticalSlashCuda(options: NativeVerticalSlashCudaOptions, call: NativeDeviceCall): Promise<void>;
  /** Of every m consecutive weights of a row the n largest. */
  maskGroupsCuda(options: NativeMaskGroupsCudaOptions, call: NativeDeviceCall): Promise<void>;
}
