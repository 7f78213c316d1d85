/** What the verbs pool and score add to the addon. */
import type { NativeCancelToken } from './cancel.js';

export interface NativePoolOptions {
  /** [batch, heads, tokens, dim], as xStrides [batch, head, token] say. */
  x: Float32Array;
  xStrides: Int32Array;
  batch: number;
  heads: number;
  tokens: number;
  dim: number;
  /** [windows] */
  start: Int32Array;
  /** [windows] */
  count: Int32Array;
  /** native/pool/pool.h, enum PoolKind. */
  kind: number;
  /** [batch, heads, tokens], for the kind weighted. */
  logit: Float32Array | undefined;
  out: Float32Array;
  isa: string;
  threads: number;
}

/** native/score/score.h says what each kind gives. */
export interface NativeScoreOptions {
  /** Dot, softmax, bounds, max, mass, lines, antidiagonal. */
  kind: number;
  /** [batch, heads, queries, dim], as qStrides [batch, head, token] say. */
  q: Float32Array;
  qStrides: Int32Array;
  /** [batch, kvHeads, keys, dim]; for bounds [batch, kvHeads, keys, 2, dim]; channelsFirst: [batch, kvHeads, dim, keys], kStrides to match. */
  k: Float32Array | Uint16Array;
  /** k is bfloat16: for bounds of one query. */
  narrowKeys?: boolean;
  /** For dot products of one query. */
  channelsFirst?: boolean;
  kStrides: Int32Array;
  batch: number;
  heads: number;
  kvHeads: number;
  queries: number;
  keys: number;
  dim: number;
  scale: number;
  /** [queries] */
  limit: Int32Array | undefined;
  /** [batch, heads, queries], for mass. */
  lse: Float32Array | undefined;
  /** enum GroupReduce. */
  group: number;
  blockQ: number;
  blockK: number;
  stride: number;
  causal: boolean;
  /** The scores; for lines the vertical sums. */
  out: Float32Array;
  /** For lines. */
  slash?: Float32Array | undefined;
  isa: string;
  threads: number;
}

export interface NativePoolScoresOptions {
  /** [rows, columns] */
  x: Float32Array;
  rows: number;
  columns: number;
  stride: number;
  left: number;
  size: number;
  /** [size]; without it the greatest is taken. */
  weight: Float32Array | undefined;
  /** [rows, outColumns] */
  out: Float32Array;
  outColumns: number;
  threads: number;
}

export interface NativeScores {
  /** JavaScript must not have seen the buffer of out. */
  pool(options: NativePoolOptions, cancel: NativeCancelToken | undefined): Promise<void>;
  poolSync(options: NativePoolOptions): void;
  /** JavaScript must not have seen the buffers of out and slash. */
  score(options: NativeScoreOptions, cancel: NativeCancelToken | undefined): Promise<void>;
  scoreSync(options: NativeScoreOptions): void;
  poolScores(options: NativePoolScoresOptions): void;
}
