/** Patterns of blocks and their masks. */
import { rangeError } from '../errors.js';
import { typedArray } from '../tensor.js';
import { integer, oneOf, options } from '../validate.js';
import { checkLists } from './check.js';
import { idsOf, keyBlocks, type PatternSize, RowsBuilder, rowCount, sizeKeys, sizesOf } from './lists.js';
import type { HeadSets, Pattern } from './types.js';

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
  const base = {
    ...sizesOf(o),
    heads: oneOf(o.heads ?? 'shared', 'heads', ['shared', 'kv', 'q']),
    sets,
    batch: integer(o.batch ?? 1, 'batch', 1, most),
    unit: 'block' as const,
  };
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
 * @param blocks - of block tiles, without columns
 * @throws TypeError `ERR_SK_TYPE` / `ERR_SK_BUFFER`, RangeError `ERR_SK_OPTION` / `ERR_SK_SHAPE`, SparseKernelsError `ERR_SK_LISTS`
 * @example
 * ```ts
 * import { attention } from 'sparse-kernels';
 * const { dense, toMask } = attention.patterns;
 * toMask(dense({ queryLength: 128, causal: true })); // Uint8Array [1, 0, 1, 1]
 * ```
 */
export function toMask(blocks: Pattern): Uint8Array {
  const pattern = blocksOf(blocks);
  const columns = keyBlocks(pattern);
  const rows = rowCount(pattern);
  const mask = new Uint8Array(rows * columns);
  for (let r = 0; r < rows; r++) for (const id of blockIds(pattern, r)) mask[r * columns + id] = 1;
  return mask;
}

/** Ids of the tiles of one row, full ones included. */
export function* blockIds(pattern: Pattern, row: number): Generator<number> {
  if (pattern.tiles) yield* idsOf(pattern.tiles, row);
  if (pattern.fullTiles) yield* idsOf(pattern.fullTiles, row);
}

/** A pattern of block tiles and nothing else, checked. */
export function blocksOf(pattern: Pattern): Pattern {
  const { unit, columns } = checkLists(pattern);
  if (unit !== 'block' || columns?.count.some((n) => n > 0)) {
    throw rangeError('ERR_SK_OPTION', 'expected a pattern of block tiles but received one with tiles at tokens or with columns');
  }
  return pattern;
}
