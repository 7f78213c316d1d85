/** Patterns of diagonals and single keys. */
import { typeError } from '../errors.js';
import { describe, integer, options } from '../validate.js';
import { type PatternSize, RowsBuilder, sizeKeys, sizesOf } from './lists.js';
import type { Pattern } from './types.js';

/** Options of {@link slashes}. */
export interface SlashOptions extends PatternSize {
  /** Diagonals: o stands for the keys at the query's position - o. In any order. */
  readonly slashes: ArrayLike<number>;
}

/** Options of {@link verticalSlash}. */
export interface VerticalSlashOptions extends SlashOptions {
  /** Keys that all later queries reach. In any order. */
  readonly verticals: ArrayLike<number>;
}

/**
 * Tiles that cover diagonals. They begin at any token, so they fit more closely than blocks.
 *
 * @throws TypeError `ERR_SK_TYPE`, RangeError `ERR_SK_OPTION`
 * @example
 * ```ts
 * import { attention } from 'sparse-kernels';
 * const pattern = attention.patterns.slashes({ queryLength: 256, slashes: [0, 100] });
 * pattern.tiles?.count; // Int32Array [1, 1, 2, 2]
 * ```
 */
export function slashes(slashOptions: SlashOptions): Pattern {
  const o = options<SlashOptions>(slashOptions, 'options', [...sizeKeys, 'slashes']);
  const { columns: _, ...pattern } = slashesAndVerticals(o, o.slashes, []);
  return pattern;
}

/**
 * Diagonals as tiles and single keys as columns, disjoint. Every pair that they name is listed; tiles are a superset of their diagonals, and
 * reach past the diagonal 0, so plan with `causal`. Jiang et al., "MInference 1.0" (NeurIPS 2024).
 *
 * @throws TypeError `ERR_SK_TYPE`, RangeError `ERR_SK_OPTION`
 * @example
 * ```ts
 * import { attention } from 'sparse-kernels';
 * const pattern = attention.patterns.verticalSlash({ queryLength: 256, slashes: [0], verticals: [3, 90] });
 * pattern.columns?.count; // Int32Array [0, 1, 2, 2]: the tile of a row's diagonal holds the others
 * ```
 */
export function verticalSlash(verticalSlashOptions: VerticalSlashOptions): Pattern {
  const o = options<VerticalSlashOptions>(verticalSlashOptions, 'options', [...sizeKeys, 'slashes', 'verticals']);
  return slashesAndVerticals(o, o.slashes, o.verticals);
}

function slashesAndVerticals(size: PatternSize, slashList: ArrayLike<number>, verticalList: ArrayLike<number>) {
  const base = sizesOf(size);
  const { queryLength, keyLength, blockSize } = base;
  const [bq, bk] = blockSize;
  const diagonals = runsOf(sorted(slashList, 'slashes', 2 ** 31 - 1)).reverse(); // far ones first: ranges of keys come in ascending order
  const verticals = sorted(verticalList, 'verticals', keyLength - 1);
  const tiles = new RowsBuilder();
  const columns = new RowsBuilder();
  for (let first = 0; first < queryLength; first += bq) {
    const from = first + keyLength - queryLength;
    const to = Math.min(first + bq, queryLength) - 1 + keyLength - queryLength;
    tiles.row();
    columns.row();
    let covered = 0; // all keys below are listed or will not be
    let v = 0;
    const columnsBelow = (limit: number) => {
      for (; v < verticals.length && (verticals[v] as number) < limit; v++) {
        if ((verticals[v] as number) >= covered) columns.push(verticals[v] as number);
      }
    };
    for (const { near, far } of diagonals) {
      const begin = Math.max(from - far, 0, covered);
      const end = Math.min(to - near + 1, keyLength);
      if (begin >= end) continue;
      columnsBelow(begin);
      for (covered = begin; covered < end; covered += bk) tiles.push(covered);
    }
    columnsBelow(to + 1);
  }
  return { ...base, unit: 'token' as const, tiles: tiles.done(), columns: columns.done() };
}

/** Neighbouring offsets as one: a band. */
function runsOf(offsets: Int32Array): { near: number; far: number }[] {
  const runs: { near: number; far: number }[] = [];
  for (const offset of offsets) {
    const last = runs.at(-1);
    if (last?.far === offset - 1) last.far = offset;
    else runs.push({ near: offset, far: offset });
  }
  return runs;
}

/** Ascending, without repetitions. */
function sorted(values: ArrayLike<number>, name: string, high: number): Int32Array {
  if (typeof values !== 'object' || values === null || typeof values.length !== 'number') {
    throw typeError('ERR_SK_TYPE', `expected ${name} to be a list of integers but received ${describe(values)}`);
  }
  const unique = new Set<number>();
  for (let i = 0; i < values.length; i++) unique.add(integer(values[i], `${name}[${i}]`, 0, high));
  return Int32Array.from(unique).sort();
}
