/** Patterns made of patterns. */
import { rangeError, typeError } from '../errors.js';
import { describe, integer, oneOf } from '../validate.js';
import { checkLists } from './check.js';
import { expectSameSize, idsOf, keyBlocks, RowsBuilder, rowCount } from './lists.js';
import { blockIds, blocksOf } from './masks.js';
import type { Pattern, Rows } from './types.js';

/**
 * The same pairs seen from the keys: row (b, set, key block) lists query blocks, and queries and keys have changed places.
 *
 * @param blocks - of block tiles, without columns
 * @throws TypeError `ERR_SK_TYPE` / `ERR_SK_BUFFER`, RangeError `ERR_SK_OPTION` / `ERR_SK_SHAPE`, SparseKernelsError `ERR_SK_LISTS`
 * @example
 * ```ts
 * import { attention } from 'sparse-kernels';
 * const { dense, transpose } = attention.patterns;
 * transpose(dense({ queryLength: 128, causal: true })).tiles?.index; // Int32Array [0, 1, 1]
 * ```
 */
export function transpose(blocks: Pattern): Pattern {
  const pattern = blocksOf(blocks);
  const queryBlocks = Math.ceil(pattern.queryLength / pattern.blockSize[0]);
  const columns = keyBlocks(pattern);
  const groups = pattern.batch * pattern.sets;
  const count = new Int32Array(groups * columns);
  /** Calls `visit` with the key block's row and the query block of each tile. */
  const visitTiles = (visit: (row: number, queryBlock: number) => void) => {
    for (let r = 0; r < groups * queryBlocks; r++) {
      for (const id of blockIds(pattern, r)) visit(Math.floor(r / queryBlocks) * columns + id, r % queryBlocks);
    }
  };
  visitTiles((row) => {
    count[row] = (count[row] as number) + 1;
  });
  const start = new Int32Array(count.length);
  for (let r = 1; r < start.length; r++) start[r] = (start[r - 1] as number) + (count[r - 1] as number);
  const next = start.slice();
  const index = new Int32Array((start.at(-1) ?? 0) + (count.at(-1) ?? 0));
  visitTiles((row, queryBlock) => {
    const at = next[row] as number;
    index[at] = queryBlock;
    next[row] = at + 1;
  });
  const { fullTiles: _, ...rest } = pattern;
  return {
    ...rest,
    queryLength: pattern.keyLength,
    keyLength: pattern.queryLength,
    blockSize: [pattern.blockSize[1], pattern.blockSize[0]],
    tiles: { start, count, index },
  };
}

/**
 * The same pairs in smaller blocks, for instance pages of 16 keys instead of blocks of 64, or a row for each query.
 *
 * @param coarse - lists of any kind
 * @param blockSize - divisors of the pattern's own
 * @throws TypeError `ERR_SK_TYPE` / `ERR_SK_BUFFER`, RangeError `ERR_SK_OPTION` / `ERR_SK_SHAPE`, SparseKernelsError `ERR_SK_LISTS`
 * @example
 * ```ts
 * import { attention } from 'sparse-kernels';
 * const { dense, expand } = attention.patterns;
 * expand(dense({ queryLength: 64, keyLength: 128 }), [64, 32]).tiles?.index; // Int32Array [0, 1, 2, 3]
 * ```
 */
export function expand(coarse: Pattern, blockSize: readonly [queries: number, keys: number]): Pattern {
  const pattern = checkLists(coarse);
  if (!Array.isArray(blockSize) || blockSize.length !== 2) {
    throw typeError('ERR_SK_TYPE', `expected blockSize to be [queries, keys] but received ${describe(blockSize)}`);
  }
  const [bq, bk] = blockSize.map((size, i) => {
    const whole = pattern.blockSize[i] as number;
    if (whole % integer(size, `blockSize[${i}]`, 1, whole) === 0) return size;
    throw rangeError('ERR_SK_OPTION', `expected blockSize[${i}] to divide ${whole} but received ${size}`);
  }) as [number, number];
  const parts = pattern.blockSize[1] / bk;
  const { queryLength, keyLength } = pattern;
  const oldBlocks = Math.ceil(queryLength / pattern.blockSize[0]);
  const newBlocks = Math.ceil(queryLength / bq);
  const limit = pattern.unit === 'block' ? Math.ceil(keyLength / bk) : keyLength;
  const refine = (lists: Rows, expandId: (id: number, push: (id: number) => void) => void): Rows => {
    const builder = new RowsBuilder();
    for (let group = 0; group < pattern.batch * pattern.sets; group++) {
      for (let block = 0; block < newBlocks; block++) {
        builder.row();
        const row = group * oldBlocks + Math.floor((block * bq) / pattern.blockSize[0]);
        for (const id of idsOf(lists, row)) expandId(id, (part) => builder.push(part));
      }
    }
    return builder.done();
  };
  const tile = (id: number, push: (id: number) => void) => {
    const [first, step] = pattern.unit === 'block' ? [id * parts, 1] : [id, bk];
    for (let part = 0; part < parts; part++) if (first + part * step < limit) push(first + part * step);
  };
  return {
    ...pattern,
    blockSize: [bq, bk],
    ...(pattern.tiles && { tiles: refine(pattern.tiles, tile) }),
    ...(pattern.fullTiles && { fullTiles: refine(pattern.fullTiles, tile) }),
    ...(pattern.columns && { columns: refine(pattern.columns, (id, push) => push(id)) }),
  };
}

/**
 * What any of several patterns lists, every key once. Tiles that overlap are joined, so tiles that begin between blocks may come to cover
 * up to a tile's length more than their union. `fullTiles` become ordinary tiles.
 *
 * @throws TypeError `ERR_SK_TYPE` / `ERR_SK_BUFFER`, RangeError `ERR_SK_OPTION` / `ERR_SK_SHAPE`, SparseKernelsError `ERR_SK_LISTS`
 * @example
 * ```ts
 * import { attention } from 'sparse-kernels';
 * const { window, union, columns, rows } = attention.patterns;
 * const local = window({ queryLength: 128, window: 64 });
 * union(local, columns(rows([[], [3]]), { queryLength: 128 })).columns?.index; // Int32Array []: tile 0 of row 1 holds key 3
 * ```
 */
export function union(...patterns: readonly [Pattern, ...Pattern[]]): Pattern {
  if (patterns.length === 0) throw rangeError('ERR_SK_SHAPE', 'expected at least one pattern');
  for (const [i, pattern] of patterns.entries()) checkLists(pattern, `patterns[${i}]`);
  expectSameSize(patterns, ['queryLength', 'keyLength', 'blockSize', 'heads', 'sets', 'batch']);
  const [first] = patterns;
  const bk = first.blockSize[1];
  const unit = patterns.every((p) => p.unit === 'block' || !(p.tiles || p.fullTiles)) ? 'block' : 'token';
  const tiles = new RowsBuilder();
  const columns = new RowsBuilder();
  for (let r = 0; r < rowCount(first); r++) {
    tiles.row();
    columns.row();
    const starts = patterns.flatMap((p) => [...blockIds(p, r)].map((id) => (p.unit === 'block' ? id * bk : id)));
    const singles = patterns.flatMap((p) => (p.columns ? [...idsOf(p.columns, r)] : []));
    starts.sort((a, b) => a - b);
    singles.sort((a, b) => a - b);
    let covered = 0;
    let c = 0;
    const columnsBelow = (limit: number) => {
      for (; c < singles.length && (singles[c] as number) < limit; c++) {
        if ((singles[c] as number) < covered) continue;
        columns.push(singles[c] as number);
        covered = (singles[c] as number) + 1;
      }
    };
    for (const start of starts) {
      columnsBelow(start);
      if (Math.min(start + bk, first.keyLength) <= covered) continue;
      // A column before this tile may have moved `covered` up to, but never beyond, its start.
      const begin = Math.max(start, covered);
      tiles.push(unit === 'block' ? begin / bk : begin);
      covered = begin + bk;
    }
    columnsBelow(Number.POSITIVE_INFINITY);
  }
  const { fullTiles: _, ...rest } = first;
  return { ...rest, unit, tiles: tiles.done(), columns: columns.done() };
}

/**
 * One pattern for each head: of key-value heads (`'kv'`) or query heads (`'q'`).
 *
 * @throws TypeError `ERR_SK_TYPE` / `ERR_SK_BUFFER`, RangeError `ERR_SK_OPTION` / `ERR_SK_SHAPE`, SparseKernelsError `ERR_SK_LISTS`
 * @example
 * ```ts
 * import { attention } from 'sparse-kernels';
 * const { dense, perHead, streaming } = attention.patterns;
 * const size = { queryLength: 512 };
 * perHead([dense({ ...size, causal: true }), streaming({ ...size, sink: 64, local: 128 })], 'q').sets; // 2
 * ```
 */
export function perHead(patterns: readonly [Pattern, ...Pattern[]] | readonly Pattern[], heads: 'kv' | 'q'): Pattern {
  if (!Array.isArray(patterns)) throw typeError('ERR_SK_TYPE', `expected patterns to be an array but received ${describe(patterns)}`);
  for (const [i, pattern] of patterns.entries()) checkLists(pattern, `patterns[${i}]`);
  oneOf(heads, 'heads', ['kv', 'q']);
  expectSameSize(patterns, ['queryLength', 'keyLength', 'blockSize', 'batch']);
  const [first] = patterns;
  if (first === undefined || patterns.some((p) => p.sets !== 1 || p.batch !== 1)) {
    throw rangeError('ERR_SK_SHAPE', 'expected at least one pattern, each for all heads and batch entries');
  }
  const unit = patterns.every((p) => p.unit === first.unit) ? first.unit : 'token';
  const bk = first.blockSize[1];
  const join = (listsOf: (pattern: Pattern) => Rows | undefined, scaled: boolean): Rows | undefined => {
    if (!patterns.some(listsOf)) return undefined;
    const builder = new RowsBuilder();
    for (const pattern of patterns) {
      const lists = listsOf(pattern);
      const factor = scaled && pattern.unit !== unit ? bk : 1;
      for (let r = 0; r < rowCount(pattern); r++) {
        builder.row();
        if (!lists) continue;
        const ids = idsOf(lists, r);
        builder.pushAll(factor === 1 ? ids : ids.map((id) => id * factor));
      }
    }
    return builder.done();
  };
  const tiles = join((p) => p.tiles, true);
  const fullTiles = join((p) => p.fullTiles, true);
  const columns = join((p) => p.columns, false);
  return {
    ...first,
    heads,
    sets: patterns.length,
    unit,
    ...(tiles && { tiles }),
    ...(fullTiles && { fullTiles }),
    ...(columns && { columns }),
  };
}
