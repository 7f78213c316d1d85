import { DeviceTensor } from '../device-tensor.js';
import { rangeError, typeError } from '../errors.js';
import { native } from '../native.js';
import type { StreamOption } from '../stream.js';
import { describe, integer, options } from '../validate.js';
import { enqueue } from './cuda-call.js';
import { CudaRows } from './cuda-rows.js';
import { devicePair, scoreCall } from './cuda-score.js';
import { type PatternSize, rowCount, sizeKeys, sizesOf } from './lists.js';
import type { CommonOptions } from './scoring.js';
import type { CudaPattern, HeadSets } from './types.js';

/** Options of `attention.lines` for tensors on a device. */
export interface CudaLinesOptions extends Omit<CommonOptions, 'isa' | 'threads'>, StreamOption {
  /** How many of the last queries to look at; default 64, at most all. */
  readonly lastQueries?: number;
}

/** What `attention.lines` gives of tensors on a device. */
export interface CudaLines {
  /** Sum over the queries of the attention to each key, float32 [batch, heads, T]. */
  readonly vertical: DeviceTensor<'float32'>;
  /** Sum over each diagonal: entry o holds the attention of positions p to keys p - o, float32 [batch, heads, T]. */
  readonly slash: DeviceTensor<'float32'>;
}

export async function linesOnDevice(q: DeviceTensor, k: DeviceTensor, linesOptions: CudaLinesOptions): Promise<CudaLines> {
  const o = options<CudaLinesOptions>(linesOptions, 'options', ['scale', 'layout', 'signal', 'stream', 'lastQueries']);
  const shape = devicePair(q, k, o.layout, false);
  const { batch, heads, queries, keys } = shape;
  const lastQueries = Math.min(integer(o.lastQueries ?? 64, 'lastQueries', 1, 2 ** 20), queries);
  if (lastQueries < 1 || queries > keys) {
    throw rangeError('ERR_SK_SHAPE', `expected at least one query and not more than keys but received ${queries} and ${keys}`);
  }
  const sums = () => new DeviceTensor('float32', [batch, heads, keys], o.stream);
  const results = { out: sums(), slash: sums() };
  const shapes = { ...scoreCall(shape, 'lines', o.scale), lastQueries };
  const { out, slash } = await enqueue(o, results, { q, k }, (arrays, call) => native.scoreCuda({ ...shapes, ...arrays }, call));
  return { vertical: out, slash };
}

/** Options of {@link verticalSlash}. */
export interface CudaVerticalSlashOptions extends PatternSize, StreamOption {
  /** Which heads have lines of their own; default `'q'`, as `attention.lines` gives them. */
  readonly heads?: HeadSets;
  /** How many head sets: the query heads for `'q'`. */
  readonly sets: number;
  /** Batch entries with lines of their own; default 1. */
  readonly batch?: number;
  /** Aborts the run. */
  readonly signal?: AbortSignal;
}

/** What {@link verticalSlash} gives: a pattern to plan with, and its lists for the run. */
export interface CudaVerticalSlash {
  /** With the capacity of `tiles` and `columns`. */
  readonly pattern: CudaPattern;
  /** Tiles that cover the diagonals, for `run`. */
  readonly tiles: CudaRows;
  /** Single keys that no tile holds, for `run`. */
  readonly columns: CudaRows;
}

/**
 * The pattern `patterns.verticalSlash` on a device, for the lines of each head at once: nothing waits for it.
 *
 * Jiang et al., "MInference 1.0" (NeurIPS 2024).
 *
 * @param verticals - keys that all later queries reach: batch x sets rows, ascending as `attention.select` gives them
 * @param slashes - diagonals, likewise: o stands for the keys at the query's position - o
 * @throws (rejects) TypeError `ERR_SK_TYPE`, RangeError `ERR_SK_SHAPE` / `ERR_SK_OPTION`, SparseKernelsError `ERR_SK_DISPOSED` /
 * `ERR_SK_MEMORY` / `ERR_SK_CUDA`, or the reason of `signal`
 * @example
 * ```ts
 * import { attention, devices, toDevice } from 'sparse-kernels';
 * if (devices().some((d) => d.type === 'cuda' && d.available)) {
 *   const x = await toDevice({ data: new Uint16Array(2 * 256 * 64), dims: [1, 2, 256, 64], type: 'float16' }, 'cuda');
 *   const { vertical, slash } = await attention.lines(x, x);
 *   const verticals = await attention.select(vertical, { topK: 30, force: { sink: 4 } });
 *   const slashes = await attention.select(slash, { topK: 50, force: { sink: 10 } });
 *   const { pattern, tiles, columns } = await attention.verticalSlash(verticals, slashes, { queryLength: 256, sets: 2 });
 *   using plan = attention.plan({ pattern, heads: 2, headDim: 64, causal: true, dtype: 'float16', device: 'cuda' });
 *   const { output } = await plan.run(x, x, x, { tiles, columns });
 * }
 * ```
 */
export async function verticalSlash(
  verticals: CudaRows,
  slashes: CudaRows,
  verticalSlashOptions: CudaVerticalSlashOptions,
): Promise<CudaVerticalSlash> {
  const keys = [...sizeKeys, 'heads', 'sets', 'batch', 'signal', 'stream'] as const;
  const o = options<CudaVerticalSlashOptions>(verticalSlashOptions, 'options', keys);
  const sets = integer(o.sets, 'sets', 1, 2 ** 20);
  const base = { ...sizesOf(o), heads: o.heads ?? 'q', sets, batch: integer(o.batch ?? 1, 'batch', 1, 2 ** 20), unit: 'token' as const };
  const sequences = base.batch * sets;
  for (const [name, rows] of Object.entries({ verticals, slashes })) {
    if (!(rows instanceof CudaRows)) throw typeError('ERR_SK_TYPE', `expected ${name} to be CudaRows but received ${describe(rows)}`);
    if (rows.rows === sequences) continue;
    throw rangeError('ERR_SK_SHAPE', `expected ${name} of ${sequences} rows, batch x sets, but received ${rows.rows}`);
  }
  const [bq, bk] = base.blockSize;
  const tilesCapacity = Math.min(slashes.capacity * Math.ceil(bq / bk), base.keyLength);
  const columnsCapacity = Math.min(verticals.capacity, base.keyLength);
  const rows = rowCount(base);
  if (rows * Math.max(tilesCapacity, columnsCapacity) >= 2 ** 31) {
    throw rangeError(
      'ERR_SK_OPTION',
      `expected rows x capacity below 2^31 but received ${rows} x ${Math.max(tilesCapacity, columnsCapacity)}`,
    );
  }
  const lists = (capacity: number) => ({
    count: new DeviceTensor('int32', [rows], o.stream),
    index: new DeviceTensor('int32', [rows, capacity], o.stream),
  });
  const [tiles, columns] = [lists(tilesCapacity), lists(columnsCapacity)];
  const results = { tilesCount: tiles.count, tilesIndex: tiles.index, columnsCount: columns.count, columnsIndex: columns.index };
  const lines = { verticalCount: verticals.count, verticalIndex: verticals.index, slashCount: slashes.count, slashIndex: slashes.index };
  const capacities = { verticalCapacity: verticals.capacity, slashCapacity: slashes.capacity, tilesCapacity, columnsCapacity };
  const sizes = { sequences, queries: base.queryLength, keys: base.keyLength, blockQueries: bq, blockKeys: bk };
  await enqueue(o, results, lines, (arrays, call) => native.verticalSlashCuda({ ...sizes, ...capacities, ...arrays }, call));
  return {
    pattern: { ...base, tiles: { capacity: tilesCapacity }, columns: { capacity: columnsCapacity } },
    tiles: new CudaRows(tiles.count, tiles.index),
    columns: new CudaRows(columns.count, columns.index),
  };
}
