/** Patterns that are known before any score is. The algebra on patterns is in algebra.ts. */
import { rangeError } from '../errors.js';
import { typedArray } from '../tensor.js';
import { flag, integer, oneOf, options } from '../validate.js';
import { type PatternSize, RowsBuilder, sizeKeys, sizesOf } from './lists.js';
import type { Pattern, Rows } from './types.js';

export { expand, perHead, transpose, union } from './algebra.js';
export { type PatternSize, rows } from './lists.js';
export { fromMask, type MaskOptions, toMask } from './masks.js';
export { type SlashOptions, slashes, type VerticalSlashOptions, verticalSlash } from './slashes.js';

/** Options of {@link dense}. */
export interface DenseOptions extends PatternSize {
  /** Leave out tiles that lie wholly behind the diagonal; default false. */
  readonly causal?: boolean;
}

/** Options of {@link band}. */
export interface BandOptions extends PatternSize {
  /** How many keys before its own position a query reaches. */
  readonly before: number;
  /** How many keys after it; default 0. */
  readonly after?: number;
  /** The first so many keys are reached by all; default 0. */
  readonly sink?: number;
}

/** Options of {@link window}. */
export interface WindowOptions extends PatternSize {
  /** Keys that a query reaches, its own position included. */
  readonly window: number;
}

/** Options of {@link streaming}. */
export interface StreamingOptions extends PatternSize {
  /** The first so many keys are reached by all. */
  readonly sink: number;
  /** Keys that a query reaches, its own position included. */
  readonly local: number;
}

/** Options of {@link fromCsr}, {@link tiles} and {@link columns}. */
export interface ListOptions extends PatternSize {
  /** Which heads have lists of their own; default `'shared'`. */
  readonly heads?: Pattern['heads'];
  /** How many head sets; default 1. */
  readonly sets?: number;
  /** Batch entries with lists of their own; default 1. */
  readonly batch?: number;
}

/** Options of {@link tiles}. */
export interface TileOptions extends ListOptions {
  /** What ids mean: blocks, or the keys that tiles begin at; default `'block'`. */
  readonly unit?: Pattern['unit'];
}

const listOptionKeys = [...sizeKeys, 'heads', 'sets', 'batch'] as const;

/**
 * All tiles: attention as usual.
 *
 * @throws TypeError `ERR_SK_TYPE`, RangeError `ERR_SK_OPTION`
 * @example
 * ```ts
 * import { attention } from 'sparse-kernels';
 * attention.patterns.dense({ queryLength: 128, causal: true }).tiles?.index; // Int32Array [0, 0, 1]
 * ```
 */
export function dense(denseOptions: DenseOptions): Pattern {
  const o = options<DenseOptions>(denseOptions, 'options', [...sizeKeys, 'causal']);
  return bandOf(o, Number.POSITIVE_INFINITY, flag(o.causal ?? false, 'causal') ? 0 : Number.POSITIVE_INFINITY, 0);
}

/**
 * Tiles that cover the keys from `before` positions before each query to `after` behind it. The edges are whole tiles: for an edge
 * that is exact to the token, plan with `causal` and `window`.
 *
 * @throws TypeError `ERR_SK_TYPE`, RangeError `ERR_SK_OPTION`
 * @example
 * ```ts
 * import { attention } from 'sparse-kernels';
 * attention.patterns.band({ queryLength: 256, before: 64, after: 64 }).tiles?.count; // Int32Array [2, 3, 3, 2]
 * ```
 */
export function band(bandOptions: BandOptions): Pattern {
  const o = options<BandOptions>(bandOptions, 'options', [...sizeKeys, 'before', 'after', 'sink']);
  const reach = (value: number, name: string) => integer(value, name, 0, 2 ** 31 - 1);
  return bandOf(o, reach(o.before, 'before'), reach(o.after ?? 0, 'after'), reach(o.sink ?? 0, 'sink'));
}

/**
 * Tiles that cover a causal sliding window. With `causal` and `window` in the plan the window is exact to the token.
 *
 * @throws TypeError `ERR_SK_TYPE`, RangeError `ERR_SK_OPTION`
 * @example
 * ```ts
 * import { attention } from 'sparse-kernels';
 * const pattern = attention.patterns.window({ queryLength: 256, window: 100 });
 * const plan = attention.plan({ pattern, heads: 2, headDim: 32, causal: true, window: 100 });
 * ```
 */
export function window(windowOptions: WindowOptions): Pattern {
  const o = options<WindowOptions>(windowOptions, 'options', [...sizeKeys, 'window']);
  return bandOf(o, integer(o.window, 'window', 1, 2 ** 31 - 1) - 1, 0, 0);
}

/**
 * A sliding window and the first keys, the attention sinks. With `causal`, `window: local` and `sinkTokens: sink` in the plan it is exact
 * to the token. Xiao et al., "Efficient Streaming Language Models with Attention Sinks" (ICLR 2024).
 *
 * @throws TypeError `ERR_SK_TYPE`, RangeError `ERR_SK_OPTION`
 * @example
 * ```ts
 * import { attention } from 'sparse-kernels';
 * const pattern = attention.patterns.streaming({ queryLength: 1024, sink: 4, local: 128 });
 * const plan = attention.plan({ pattern, heads: 2, headDim: 32, causal: true, window: 128, sinkTokens: 4 });
 * plan.density; // 0.2...
 * ```
 */
export function streaming(streamingOptions: StreamingOptions): Pattern {
  const o = options<StreamingOptions>(streamingOptions, 'options', [...sizeKeys, 'sink', 'local']);
  return bandOf(o, integer(o.local, 'local', 1, 2 ** 31 - 1) - 1, 0, integer(o.sink, 'sink', 0, 2 ** 31 - 1));
}

function bandOf(size: PatternSize, before: number, after: number, sink: number): Pattern {
  const base = sizesOf(size);
  const { queryLength, keyLength, blockSize } = base;
  const [bq, bk] = blockSize;
  const builder = new RowsBuilder();
  const sinkBlocks = Math.ceil(Math.min(sink, keyLength) / bk);
  const perRow = Math.min(Math.ceil(keyLength / bk), Math.ceil((bq + before + after) / bk) + 1 + sinkBlocks);
  if (Math.ceil(queryLength / bq) * perRow > 2 ** 31 - 1) {
    throw rangeError(
      'ERR_SK_OPTION',
      `expected less than 2^31 tiles but received ${queryLength} x ${keyLength} in blocks of ${bq} x ${bk}`,
    );
  }
  for (let first = 0; first < queryLength; first += bq) {
    const shift = keyLength - queryLength;
    const last = Math.min(first + bq, queryLength) - 1;
    const begin = Math.floor(Math.max(first + shift - before, 0) / bk);
    const end = Math.floor(Math.min(last + shift + after, keyLength - 1) / bk); // inclusive; negative where nothing is reached
    builder.row();
    for (let block = 0; block < Math.min(sinkBlocks, begin, end + 1); block++) builder.push(block);
    for (let block = begin; block <= end; block++) builder.push(block);
  }
  return { ...base, unit: 'block', tiles: builder.done() };
}

/**
 * Single keys for each row (query block), in place: nothing is copied.
 *
 * @throws TypeError `ERR_SK_TYPE`, RangeError `ERR_SK_OPTION`
 * @example
 * ```ts
 * import { attention } from 'sparse-kernels';
 * const { rows, columns } = attention.patterns;
 * // One query, three of a thousand keys.
 * columns(rows([[1, 20, 999]]), { queryLength: 1, keyLength: 1000, blockSize: [1, 64] });
 * ```
 */
export function columns(lists: Rows, listOptions: ListOptions): Pattern {
  return { ...listSizes(listOptions), unit: 'token', columns: lists };
}

/**
 * Tiles for each row (query block) from lists, in place: padded lists and their counts, as FlexAttention, MInference and OpenVINO have them.
 *
 * @param lists - ids of blocks of `blockSize[1]` keys, or with `unit: 'token'` the keys that tiles begin at
 * @throws TypeError `ERR_SK_TYPE`, RangeError `ERR_SK_OPTION`
 * @example
 * ```ts
 * import { attention } from 'sparse-kernels';
 * const { rows, tiles } = attention.patterns;
 * // Two blocks of 64 queries; the second attends to both blocks of keys.
 * tiles(rows([[0], [0, 1]]), { queryLength: 128 });
 * ```
 */
export function tiles(lists: Rows, tileOptions: TileOptions): Pattern {
  const { unit = 'block', ...rest } = options<TileOptions>(tileOptions, 'options', [...listOptionKeys, 'unit']);
  return { ...listSizes(rest), unit: oneOf(unit, 'unit', ['block', 'token']), tiles: lists };
}

/**
 * Tiles from compressed rows of block ids: row r has `indices[indptr[r]]` to `indices[indptr[r + 1] - 1]`, as in FlashInfer, SciPy and
 * onnxruntime. The ids are used in place.
 *
 * @throws TypeError `ERR_SK_TYPE`, RangeError `ERR_SK_OPTION` / `ERR_SK_SHAPE`
 * @example
 * ```ts
 * import { attention } from 'sparse-kernels';
 * attention.patterns.fromCsr(Int32Array.of(0, 1, 3), Int32Array.of(0, 0, 1), { queryLength: 128 });
 * ```
 */
export function fromCsr(indptr: Int32Array, indices: Int32Array, listOptions: ListOptions): Pattern {
  const base = listSizes(listOptions);
  const pointers = typedArray(indptr, 'int32', 'indptr');
  const rowCount = base.batch * base.sets * Math.ceil(base.queryLength / base.blockSize[0]);
  if (pointers.length !== rowCount + 1) {
    throw rangeError('ERR_SK_SHAPE', `expected indptr to hold ${rowCount + 1} numbers but received ${pointers.length}`);
  }
  const start = pointers.subarray(0, rowCount);
  const count = start.map((begin, r) => (pointers[r + 1] as number) - begin);
  return { ...base, unit: 'block', tiles: { start, count, index: typedArray(indices, 'int32', 'indices') } };
}

function listSizes(listOptions: ListOptions) {
  const o = options<ListOptions>(listOptions, 'options', listOptionKeys);
  const most = 2 ** 20;
  return {
    ...sizesOf(o),
    heads: oneOf(o.heads ?? 'shared', 'heads', ['shared', 'kv', 'q']),
    sets: integer(o.sets ?? 1, 'sets', 1, most),
    batch: integer(o.batch ?? 1, 'batch', 1, most),
  };
}
