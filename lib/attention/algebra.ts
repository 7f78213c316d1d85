/** Patterns made of patterns. */
import { rangeError } from '../errors.js';
import { typedArray } from '../tensor.js';
import { integer, options } from '../validate.js';
import { expectSameSize, idsOf, keyBlocks, type PatternSize, RowsBuilder, rowCount, sizeKeys, sizesOf } from './lists.js';
import type { HeadSets, Pattern, Rows } from './types.js';

/** Options of {@link fromMask}. */
export interface MaskOptions extends PatternSize {
  /** Which heads the mask distinguishes; default `'shared'`. */
  readonly heads?: HeadSets;
  /** How many head sets; default 1. */
  readonly sets?: number;
  /** How many batch entries; default 1. */
  readonly batch?: number;
}

/**
 * A pattern of tiles from a mask of blocks.
 *
 * @param mask - uint8 [batch, sets, query blocks, key blocks], not 0 where the tile is wanted
 * @throws TypeError `ERR_SK_TYPE` / `ERR_SK_BUFFER`, RangeError `ERR_SK_OPTION` / `ERR_SK_SHAPE`
 * @example
 * ```ts
 * import { attention } from 'sparse-kernels';
 * const pattern = attention.patterns.fromMask(Uint8Array.of(1, 0, 1, 1), { queryLength: 128 });
 * pattern.tiles?.index; // Int32Array [0, 0, 1]
 * ```
 */
export function fromMask(mask: Uint8Array, maskOptions: MaskOptions): Pattern {
  const o = options<MaskOptions>(maskOptions, 'options', [...sizeKeys, 'heads', 'sets', 'batch']);
  const most = 2 ** 20;
  const sets = integer(o.sets ?? 1, 'sets', 1, most);
  const base = { ...sizesOf(o), heads: o.heads ?? 'shared', sets, batch: integer(o.batch ?? 1, 'batch', 1, most), unit: 'block' as const };
  const columns = keyBlocks(base);
  const rows = rowCount(base);
  const bytes = typedArray(mask, 'uint8', 'mask', rows * columns);
  if (bytes.length !== rows * columns) {
    throw rangeError('ERR_SK_SHAPE', `expected mask to hold ${rows} x ${columns} bytes but received ${bytes.length}`);
  }
  const tiles = new RowsBuilder();
  for (let r = 0; r < rows; r++) {
    tiles.row();
    for (let c = 0; c < columns; c++) if (bytes[r * columns + c] !== 0) tiles.push(c);
  }
  return { ...base, tiles: tiles.done() };
}

/**
 * The mask of the blocks that a pattern of block tiles lists, uint8 [batch, sets, query blocks, key blocks]: the inverse of
 * {@link fromMask}. A pattern with tiles that begin between blocks, or with columns, has no such mask.
 *
 * @throws RangeError `ERR_SK_OPTION`
 * @example
 * ```ts
 * import { attention } from 'sparse-kernels';
 * const { dense, toMask } = attention.patterns;
 * toMask(dense({ queryLength: 128, causal: true })); // Uint8Array [1, 0, 1, 1]
 * ```
 */
export function toMask(pattern: Pattern): Uint8Array {
  expectBlocks(pattern);
  const columns = keyBlocks(pattern);
  const rows = rowCount(pattern);
  const mask = new Uint8Array(rows * columns);
  for (let r = 0; r < rows; r++) for (const id of blockIds(pattern, r)) mask[r * columns + id] = 1;
  return mask;
}

/**
 * The same pairs seen from the keys: row (b, set, key block) lists query blocks, and queries and keys have changed places.
 *
 * @throws RangeError `ERR_SK_OPTION`
 * @example
 * ```ts
 * import { attention } from 'sparse-kernels';
 * const { dense, transpose } = attention.patterns;
 * transpose(dense({ queryLength: 128, causal: true })).tiles?.index; // Int32Array [0, 1, 1]
 * ```
 */
export function transpose(pattern: Pattern): Pattern {
  expectBlocks(pattern);
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
 * @param blockSize - divisors of the pattern's own
 * @throws RangeError `ERR_SK_OPTION`
 * @example
 * ```ts
 * import { attention } from 'sparse-kernels';
 * const { dense, expand } = attention.patterns;
 * expand(dense({ queryLength: 64, keyLength: 128 }), [64, 32]).tiles?.index; // Int32Array [0, 1, 2, 3]
 * ```
 */
export function expand(pattern: Pattern, blockSize: readonly [queries: number, keys: number]): Pattern {
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
 * @throws RangeError `ERR_SK_SHAPE`
 * @example
 * ```ts
 * import { attention } from 'sparse-kernels';
 * const { window, union, columns, rows } = attention.patterns;
 * const local = window({ queryLength: 128, window: 64 });
 * union(local, columns(rows([[], [3]]), { queryLength: 128 })).columns?.index; // Int32Array []: tile 0 of row 1 holds key 3
 * ```
 */
export function union(...patterns: readonly [Pattern, ...Pattern[]]): Pattern {
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
 * @throws RangeError `ERR_SK_SHAPE`
 * @example
 * ```ts
 * import { attention } from 'sparse-kernels';
 * const { dense, perHead, streaming } = attention.patterns;
 * const size = { queryLength: 512 };
 * perHead([dense({ ...size, causal: true }), streaming({ ...size, sink: 64, local: 128 })], 'q').sets; // 2
 * ```
 */
export function perHead(patterns: readonly [Pattern, ...Pattern[]] | readonly Pattern[], heads: 'kv' | 'q'): Pattern {
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

/** Ids of the tiles of one row, full ones included. */
function* blockIds(pattern: Pattern, row: number): Generator<number> {
  if (pattern.tiles) yield* idsOf(pattern.tiles, row);
  if (pattern.fullTiles) yield* idsOf(pattern.fullTiles, row);
}

function expectBlocks({ unit, columns }: Pattern): void {
  if (unit !== 'block' || columns?.count.some((n) => n > 0)) {
    throw rangeError('ERR_SK_OPTION', 'expected a pattern of block tiles but received one with tiles at tokens or with columns');
  }
}
