import { rangeError, typeError } from '../errors.js';
import { allocate } from '../tensor.js';
import { describe, integer } from '../validate.js';
import type { Pattern, Rows } from './types.js';

/** Sizes that every pattern has. */
export interface PatternSize {
  /** Queries per sequence, N. */
  readonly queryLength: number;
  /** Keys per sequence, T; default `queryLength`. The last query is at the position of the last key. */
  readonly keyLength?: number;
  /** Queries per row of lists and keys per tile; default [64, 64]. */
  readonly blockSize?: readonly [queries: number, keys: number];
}

/** Names of the options in {@link PatternSize}. */
export const sizeKeys = ['queryLength', 'keyLength', 'blockSize'] as const;

/** The sizes of a pattern with lists for all heads and batch entries, checked. */
export function sizesOf({ queryLength, keyLength, blockSize = [64, 64] }: PatternSize) {
  if (!Array.isArray(blockSize) || blockSize.length !== 2) {
    throw typeError('ERR_SK_TYPE', `expected blockSize to be [queries, keys] but received ${describe(blockSize)}`);
  }
  const n = integer(queryLength, 'queryLength', 1, 2 ** 31 - 1);
  return {
    queryLength: n,
    keyLength: keyLength === undefined ? n : integer(keyLength, 'keyLength', 0, 2 ** 31 - 1),
    blockSize: [integer(blockSize[0], 'blockSize[0]', 1, 2 ** 31 - 1), integer(blockSize[1], 'blockSize[1]', 1, 2 ** 31 - 1)] as const,
    batch: 1,
    heads: 'shared' as const,
    sets: 1,
  };
}

/** More would not fit into memory, and who asks for them has confused sizes. */
const mostRows = 2 ** 26;

/** Lists in the making: rows are added in order, ids of a row one by one. */
export class RowsBuilder {
  readonly #start: number[] = [];
  #index: Int32Array = new Int32Array(1024);
  #length = 0;

  row(): void {
    if (this.#start.length === mostRows) {
      throw rangeError('ERR_SK_OPTION', `expected queryLength and blockSize to make at most ${mostRows} rows of lists`);
    }
    this.#start.push(this.#length);
  }

  push(id: number): void {
    if (this.#length === this.#index.length) this.#reserve(2 * this.#length);
    this.#index[this.#length++] = id;
  }

  pushAll(ids: Int32Array): void {
    this.#reserve(this.#length + ids.length);
    this.#index.set(ids, this.#length);
    this.#length += ids.length;
  }

  #reserve(length: number): void {
    if (length <= this.#index.length) return;
    const larger = allocate('int32', Math.max(length, 2 * this.#index.length), 'the lists');
    larger.set(this.#index);
    this.#index = larger;
  }

  done(): Rows {
    const ends = [...this.#start.slice(1), this.#length];
    return {
      start: Int32Array.from(this.#start),
      count: Int32Array.from(this.#start, (start, r) => (ends[r] as number) - start),
      index: this.#index.slice(0, this.#length),
    };
  }
}

/**
 * {@link Rows} from one array of ids per row.
 *
 * @throws TypeError `ERR_SK_TYPE`, RangeError `ERR_SK_OPTION`
 * @example
 * ```ts
 * import { attention } from 'sparse-kernels';
 * attention.patterns.rows([[0], [0, 1]]).count; // Int32Array [1, 2]
 * ```
 */
export function rows(lists: readonly ArrayLike<number>[]): Rows {
  if (!Array.isArray(lists)) throw typeError('ERR_SK_TYPE', `expected lists to be an array of lists but received ${describe(lists)}`);
  const builder = new RowsBuilder();
  for (const [r, list] of lists.entries()) {
    if (typeof list?.length !== 'number') {
      throw typeError('ERR_SK_TYPE', `expected lists[${r}] to be a list of ids but received ${describe(list)}`);
    }
    builder.row();
    for (let i = 0; i < list.length; i++) builder.push(integer(list[i], `lists[${r}][${i}]`, 0, 2 ** 31 - 1));
  }
  return builder.done();
}

/** The ids of one row. */
export function idsOf({ start, count, index }: Rows, row: number): Int32Array {
  const begin = start[row] as number;
  return index.subarray(begin, begin + (count[row] as number));
}

/** How many rows each list of a pattern has. */
export function rowCount({ batch, sets, queryLength, blockSize }: Omit<Pattern, 'tiles' | 'fullTiles' | 'columns'>): number {
  return batch * sets * Math.ceil(queryLength / blockSize[0]);
}

/** How many key blocks a pattern has. */
export function keyBlocks({ keyLength, blockSize }: Pick<Pattern, 'keyLength' | 'blockSize'>): number {
  return Math.ceil(keyLength / blockSize[1]);
}

/** Patterns that are to be combined must agree in their sizes. */
export function expectSameSize(patterns: readonly Pattern[], keys: readonly (keyof Pattern)[]): void {
  const [first] = patterns;
  for (const pattern of patterns) {
    for (const key of keys) {
      if (first !== undefined && String(pattern[key]) !== String(first[key])) {
        throw rangeError(
          'ERR_SK_SHAPE',
          `expected patterns with the same ${key} but received ${describe(first[key])} and ${describe(pattern[key])}`,
        );
      }
    }
  }
}
