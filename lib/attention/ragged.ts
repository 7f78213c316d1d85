/** Sequences of different lengths, one behind the other in q, k and v, as one plan. */
import { rangeError } from '../errors.js';
import { typedArray } from '../tensor.js';
import { describe, flag, integer, options } from '../validate.js';
import { checkLists } from './check.js';
import { expectSameSize, idsOf, RowsBuilder, rowCount, sizesOf } from './lists.js';
import { blockIds } from './masks.js';
import type { Pattern, PlanOptions, RunOptions } from './types.js';

/** Options of {@link ragged}. */
export interface RaggedOptions {
  /** Where the queries of each sequence begin, and where the last ones end: int32 [sequences + 1] (`cu_seqlens_q`, `qo_indptr`). */
  readonly queryStarts: Int32Array;
  /** The same for keys (`cu_seqlens_k`, `kv_indptr`); default `queryStarts`. */
  readonly keyStarts?: Int32Array;
  /** A query sees no later key of its sequence; default false. The last query of a sequence is at the position of its last key. */
  readonly causal?: boolean;
  /** With `causal`: keys that a query reaches, its own position included; default: all. */
  readonly window?: number;
  /** Queries per row of lists and keys per tile; default [64, 64], or that of `patterns`. */
  readonly blockSize?: readonly [queries: number, keys: number];
  /**
   * Which keys each sequence attends to, one pattern each, of the sequence's lengths, all of the same block size and heads; default: all
   * keys. Sequences must begin at a multiple of the block's queries: where they do not, `patterns.expand` them to smaller blocks.
   * `fullTiles` become ordinary tiles.
   */
  readonly patterns?: readonly Pattern[];
}

/** What {@link ragged} gives. */
export interface Ragged {
  /** Part of the options of {@link plan}. The rules keep sequences apart: leave `causal`, `window` and `sinkTokens` as they are. */
  readonly plan: Pick<PlanOptions, 'pattern' | 'causal' | 'window'>;
  /** Part of the options of each run. */
  readonly run: Required<Pick<RunOptions, 'queryPositions' | 'keyPositions'>>;
}

/**
 * One plan for sequences of different lengths without padding: q is [1, heads, all queries, dim] or, in the layout 'BSHD',
 * [1, all queries, heads, dim], which is how FlashAttention and FlashInfer have it. Positions keep sequences apart, so that a block of
 * queries may hold the end of one and the beginning of another; it works through the keys of both (a NaN in v of one then reaches queries
 * of the other). Where sequences are much shorter than a block (decoding), take smaller blocks, or a batch with `keyLengths`.
 *
 * @throws TypeError `ERR_SK_TYPE` / `ERR_SK_DTYPE`, RangeError `ERR_SK_OPTION` / `ERR_SK_SHAPE`, SparseKernelsError `ERR_SK_LISTS`
 * @example
 * ```ts
 * import { attention } from 'sparse-kernels';
 * // Three prompts of 100, 30 and 170 tokens.
 * const { plan, run } = attention.ragged({ queryStarts: Int32Array.of(0, 100, 130, 300), causal: true });
 * using prefill = attention.plan({ ...plan, heads: 2, headDim: 8, layout: 'BSHD' });
 * const x = { data: new Float32Array(300 * 2 * 8).map(Math.sin), dims: [1, 300, 2, 8] };
 * const { output } = await prefill.run(x, x, x, run); // output.dims: [1, 300, 2, 8]
 * ```
 */
export function ragged(raggedOptions: RaggedOptions): Ragged {
  const known = ['queryStarts', 'keyStarts', 'causal', 'window', 'blockSize', 'patterns'] as const;
  const o = options<RaggedOptions>(raggedOptions, 'options', known);
  const causal = flag(o.causal ?? false, 'causal');
  if (o.window !== undefined && !causal) throw rangeError('ERR_SK_OPTION', 'expected window with causal only');
  const reach = o.window === undefined ? Infinity : integer(o.window, 'window', 1, 2 ** 31 - 1);
  const queries = startsOf(o.queryStarts, 'queryStarts');
  const keys = startsOf(o.keyStarts ?? o.queryStarts, 'keyStarts');
  if (queries.length !== keys.length) {
    throw rangeError('ERR_SK_SHAPE', `expected keyStarts to hold ${queries.length} numbers but received ${keys.length}`);
  }
  const sequences = Array.from({ length: queries.length - 1 }, (_, s) => sequenceOf(queries, keys, s));
  const size = { queryLength: queries.at(-1) as number, keyLength: keys.at(-1) as number };
  const pattern = o.patterns !== undefined ? joined(sequences, size, o) : denseLists(sequences, size, causal, reach, o.blockSize);
  const window = causal
    ? Math.min(
        reach,
        sequences.reduce((most, s) => Math.max(most, s.keys), 1),
      )
    : 1;
  return { plan: { pattern, causal: true, window }, run: positionsOf(sequences, size, causal, window) };
}

interface Sequence {
  readonly firstQuery: number;
  readonly queries: number;
  readonly firstKey: number;
  readonly keys: number;
}

interface Size {
  readonly queryLength: number;
  readonly keyLength: number;
}

function startsOf(value: unknown, name: string): Int32Array {
  const starts = typedArray(value, 'int32', name);
  const wrong = starts.findIndex((start, i) => start < (i === 0 ? 0 : (starts[i - 1] as number)));
  if (starts.length >= 2 && starts[0] === 0 && wrong < 0) return starts;
  throw rangeError('ERR_SK_SHAPE', `expected ${name} to be two numbers or more that ascend from 0 but received ${describe([...starts])}`);
}

function sequenceOf(queries: Int32Array, keys: Int32Array, s: number): Sequence {
  const [firstQuery, firstKey] = [queries[s] as number, keys[s] as number];
  return { firstQuery, queries: (queries[s + 1] as number) - firstQuery, firstKey, keys: (keys[s + 1] as number) - firstKey };
}

/**
 * Causal: positions of a sequence are consecutive, and its first query is so far behind the last key before it that the window ends there.
 * Else all of a sequence is at one position: a causal window of one is then the sequence.
 */
function positionsOf(sequences: readonly Sequence[], size: Size, causal: boolean, window: number): Ragged['run'] {
  const queryPositions = new Int32Array(size.queryLength);
  const keyPositions = new Int32Array(size.keyLength);
  let next = 0;
  for (const [s, { firstQuery, queries, firstKey, keys }] of sequences.entries()) {
    const base = causal ? next + Math.max(0, queries - keys) : s;
    const step = causal ? 1 : 0;
    const shift = causal ? keys - queries : 0;
    next = base + keys + window - 1;
    if (next >= 2 ** 31) throw rangeError('ERR_SK_SHAPE', 'expected sequences whose positions, a window apart, are less than 2^31');
    for (let i = 0; i < queries; i++) queryPositions[firstQuery + i] = base + shift + step * i;
    for (let j = 0; j < keys; j++) keyPositions[firstKey + j] = base + step * j;
  }
  return { queryPositions, keyPositions };
}

/** All keys that a query of the block may see, sequence by sequence, no key twice. */
function denseLists(
  sequences: readonly Sequence[],
  size: Size,
  causal: boolean,
  reach: number,
  blockSize: RaggedOptions['blockSize'],
): Pattern {
  const base = sizesOf({ ...size, ...(blockSize !== undefined && { blockSize }) });
  const [bq, bk] = base.blockSize;
  const tiles = new RowsBuilder();
  for (let first = 0, s = 0; first < size.queryLength; first += bq) {
    const end = Math.min(first + bq, size.queryLength);
    tiles.row();
    let covered = 0;
    for (; s < sequences.length; s++) {
      const { firstQuery, queries, firstKey, keys } = sequences[s] as Sequence;
      const shift = keys - queries - firstQuery; // from a query's place to its position
      const last = Math.min(end, firstQuery + queries);
      const begin = causal ? Math.max(0, Math.max(first, firstQuery) + shift - reach + 1) : 0;
      const stop = firstKey + (causal ? Math.min(keys, last + shift) : keys);
      const seen = queries > 0 && firstQuery < end;
      for (let key = Math.max(firstKey + begin, covered); seen && key < stop; key += bk) {
        tiles.push(key);
        covered = key + bk;
      }
      if (firstQuery + queries > end) break; // the next block goes on with this sequence
    }
  }
  return { ...base, unit: 'token', tiles: tiles.done() };
}

/** The lists of each sequence's pattern, moved to where its keys are. */
function joined(sequences: readonly Sequence[], size: Size, o: RaggedOptions): Pattern {
  const all: unknown = o.patterns;
  if (!Array.isArray(all) || all.length !== sequences.length) {
    throw rangeError('ERR_SK_SHAPE', `expected ${sequences.length} patterns but received ${describe(all)}`);
  }
  if (o.blockSize !== undefined) throw rangeError('ERR_SK_OPTION', 'expected no blockSize with patterns, which have their own');
  const patterns = all.map((pattern, s) => checkLists(pattern, `patterns[${s}]`));
  expectSameSize(patterns, ['blockSize', 'heads', 'sets', 'batch']);
  const [{ blockSize, heads, sets, batch }] = patterns as [Pattern];
  const [bq, bk] = blockSize;
  for (const [s, { queryLength, keyLength }] of patterns.entries()) {
    const { firstQuery, queries, keys } = sequences[s] as Sequence;
    if (queryLength !== queries || keyLength !== keys || batch !== 1 || firstQuery % bq !== 0) {
      const got = `${queryLength} and ${keyLength}, ${batch} and ${firstQuery}`;
      throw rangeError(
        'ERR_SK_SHAPE',
        `expected patterns[${s}] of ${queries} queries and ${keys} keys, a batch of 1, and a sequence that begins at a multiple of ${bq} but received ${got}`,
      );
    }
  }
  const [tiles, columns] = [new RowsBuilder(), new RowsBuilder()];
  for (let set = 0; set < sets; set++) {
    for (const [s, pattern] of patterns.entries()) {
      const { firstKey } = sequences[s] as Sequence;
      const rows = rowCount(pattern) / sets;
      for (let r = set * rows; r < (set + 1) * rows; r++) {
        tiles.row();
        columns.row();
        for (const id of blockIds(pattern, r)) tiles.push(firstKey + (pattern.unit === 'block' ? id * bk : id));
        if (pattern.columns) for (const id of idsOf(pattern.columns, r)) columns.push(firstKey + id);
      }
    }
  }
  return { ...size, batch: 1, heads, sets, blockSize, unit: 'token', tiles: tiles.done(), columns: columns.done() };
}
