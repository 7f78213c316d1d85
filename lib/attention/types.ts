import type { Isa } from '../device.js';
import type { Tensor, TensorLike } from '../tensor.js';

/**
 * Lists of ids, one per row: row r lists `index[start[r]]` to `index[start[r] + count[r] - 1]`, in any order, no id twice. CSR
 * (start = indptr without its last entry) and padded lists (start = r x capacity) are used as they are.
 *
 * @example
 * ```ts
 * import type { attention } from 'sparse-kernels';
 * // Row 0 lists 0; row 1 lists 0 and 1.
 * const rows: attention.Rows = { start: Int32Array.of(0, 1), count: Int32Array.of(1, 2), index: Int32Array.of(0, 0, 1) };
 * ```
 */
export interface Rows {
  /** Where in `index` each row begins. */
  readonly start: Int32Array;
  /** How many ids each row has. */
  readonly count: Int32Array;
  /** The ids. */
  readonly index: Int32Array;
}

/** What is kept whatever its score. Forced columns count towards k, p and the capacity, and come first. */
export interface ForceOptions {
  /** The first so many columns of a row. */
  readonly sink?: number;
  /** The last so many columns that a row may keep: those before its limit. 1: the diagonal. */
  readonly local?: number;
  /** The last so many rows keep every column. */
  readonly lastRows?: number;
}

/**
 * Which heads have lists of their own: one set of lists for all (`shared`), one per key-value head, which all query heads of its group
 * use (`kv`), or one per query head (`q`). Query head h belongs to key-value head floor(h / (heads / kvHeads)).
 */
export type HeadSets = 'shared' | 'kv' | 'q';

/**
 * Which keys each block of queries attends to: key tiles (`blockSize[1]` consecutive keys) and single key columns. Lists, never an N x T
 * mask. Row `(b * sets + s) * queryBlocks + i` belongs to batch entry b, head set s and the queries i x Bq to (i + 1) x Bq - 1, where
 * queryBlocks = ceil(queryLength / Bq).
 *
 * Within one row no key may be listed twice, be it by tiles that overlap or by a column inside a tile: it would count twice.
 */
export interface Pattern {
  /** Queries per sequence, N. */
  readonly queryLength: number;
  /** Keys per sequence, T. */
  readonly keyLength: number;
  /** 1: the lists hold for every batch entry; else lists for so many. */
  readonly batch: number;
  /** Which heads have lists of their own. */
  readonly heads: HeadSets;
  /** How many head sets: 1 for `shared`, the number of key-value heads for `kv`, of query heads for `q`. */
  readonly sets: number;
  /** Queries per row, Bq, and keys per tile, Bk; the last block of each may be shorter. */
  readonly blockSize: readonly [queries: number, keys: number];
  /** What ids of tiles mean: `block` b is the keys b x Bk and following, `token` t the keys t and following. */
  readonly unit: 'block' | 'token';
  /** Tiles that causality, the window and positions cut token by token. A tile may reach past the last key. */
  readonly tiles?: Rows;
  /** Tiles that nothing cuts: all keys of the tile are attended to, whatever the positions say. */
  readonly fullTiles?: Rows;
  /** Single keys, cut like `tiles`. */
  readonly columns?: Rows;
}

/** Lists that a run brings, on the device: at most so many ids a row. */
export interface ListCapacity {
  /** Most ids of a row. */
  readonly capacity: number;
}

/**
 * A {@link Pattern} for a CUDA device. Instead of lists it may have the room that lists of a run take there: work is cut by that room, so
 * that nothing waits for the device to say how long they are.
 *
 * @example
 * ```ts
 * import type { attention } from 'sparse-kernels';
 * // One query of 8 heads, at most 64 pages of 16 keys for each head.
 * const size = { queryLength: 1, keyLength: 32_768, blockSize: [1, 16], batch: 1, heads: 'q', sets: 8, unit: 'block' } as const;
 * const pattern: attention.CudaPattern = { ...size, tiles: { capacity: 64 } };
 * ```
 */
export interface CudaPattern extends Omit<Pattern, 'tiles' | 'fullTiles' | 'columns'> {
  /** As in {@link Pattern}. */
  readonly tiles?: Rows | ListCapacity;
  /** As in {@link Pattern}. */
  readonly fullTiles?: Rows | ListCapacity;
  /** As in {@link Pattern}. */
  readonly columns?: Rows | ListCapacity;
}

/** Order of the axes of q, k, v and output: [batch, head, token, dim] or [batch, token, head, dim]. */
export type Layout = 'BHSD' | 'BSHD';

/** Sizes and rules of an attention: what a {@link Pattern} does not say. */
export interface AttentionShape {
  /** Query heads. */
  readonly heads: number;
  /** Key-value heads, a divisor of `heads`; default `heads`. */
  readonly kvHeads?: number;
  /** Dims of one head of q, k and v: a multiple of 8 from 8 to 256. */
  readonly headDim: number;
  /** Sequences; default 1. */
  readonly batch?: number;
}

/** What decides the weight of a key that is listed. */
export interface AttentionRules {
  /** A query sees no key of a later position; default false. Positions are bottom-right aligned: query i is at i + T - N. */
  readonly causal?: boolean;
  /** A query at position p sees only keys of positions above p - window; default: all. */
  readonly window?: number;
  /** The first so many positions are seen in spite of `window`; default 0. */
  readonly sinkTokens?: number;
  /** Factor of q k; default 1 / sqrt(headDim). */
  readonly scale?: number;
  /** c: scores s become c tanh(s / c), before biases; default: none. */
  readonly softcap?: number;
}

/** Options of {@link plan}. */
export interface PlanOptions extends AttentionShape, AttentionRules {
  /** Which keys each query block attends to. */
  readonly pattern: Pattern;
  /**
   * Leaves out values that hardly count (SpargeAttn): up to 128 keys, for 16 or 32 query rows, all of whose scores lie more than this below
   * the largest score that their row has met so far; each such key would have had a weight below exp(-pvSkip). They are missing in `lse`,
   * too. Keys in descending order of importance are skipped best. Blocks of 8 rows or fewer skip nothing. Default: nothing is skipped.
   */
  readonly pvSkip?: number;
  /** Order of the axes of q, k, v and output; default `'BHSD'`. */
  readonly layout?: Layout;
  /** Element type of q, k and v; default float32. Sums and results are float32. */
  readonly dtype?: 'float32' | 'float16' | 'bfloat16';
  /** Looks for keys that a row lists twice; default true. What memory safety needs is always checked. */
  readonly validate?: boolean;
  /** Where the plan runs; default `'cpu'`. See {@link CudaPlanOptions} for `'cuda'`. */
  readonly device?: 'cpu';
  /** Instruction set; default: the best that the machine has. */
  readonly isa?: Isa;
  /** Most threads of one run; default: all of the pool. */
  readonly threads?: number;
}

/** Options of a plan for a CUDA device. */
export interface CudaPlanOptions extends Omit<PlanOptions, 'pattern' | 'dtype' | 'device' | 'isa' | 'threads' | 'pvSkip'> {
  /** Which keys each query block attends to. */
  readonly pattern: CudaPattern;
  /** Element type of q, k and v. Sums and results are float32, weights (the exponentials) are of this type. */
  readonly dtype: 'float16' | 'bfloat16';
  /** A CUDA device. */
  readonly device: 'cuda';
}

/** Options of {@link Plan.run}. */
export interface RunOptions {
  /** Position of each query, int32 [N] or [batch, N]; default i + (length of this sequence) - N. */
  readonly queryPositions?: Int32Array;
  /** Position of each key, int32 [T] or [batch, T]; default its index. */
  readonly keyPositions?: Int32Array;
  /** Keys of each sequence that exist, int32 [batch]; default T for all. */
  readonly keyLengths?: Int32Array;
  /** Added to the scores of each key, float32 [T], [kvHeads, T] or [batch, kvHeads, T]; -Infinity removes the key. */
  readonly keyBias?: TensorLike | Float32Array;
  /** Added to all scores: ln c where each key stands for c. Default 0. */
  readonly logWeight?: number;
  /** Logit of a key without value, float32 [heads]: takes its share of the weights. It is not part of `lse`. */
  readonly sink?: Float32Array;
  /** A result to continue from: the same as merging with it afterwards. */
  readonly initial?: AttentionResult;
  /** Also return the largest score of each query. */
  readonly rowMax?: boolean;
  /** Aborts the run. */
  readonly signal?: AbortSignal;
}

/** What attention over a set of keys gives; results over disjoint sets can be merged. */
export interface AttentionResult {
  /** float32, shape and layout of q. Queries that see no key have 0. */
  readonly output: Tensor;
  /** ln of the sum of exp(score), float32 [batch, heads, N] in either layout. Queries that see no key have -Infinity. */
  readonly lse: Tensor;
  /** Order of the axes of `output` where it is not `'BHSD'`. */
  readonly layout?: Layout;
  /** Largest score, float32 [batch, heads, N], where it was asked for. */
  readonly rowMax?: Tensor;
}
