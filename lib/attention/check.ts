/** Patterns and lists that a caller hands over, field by field. What a plan's lists hold is checked natively. */
import { rangeError, SparseKernelsError, typeError } from '../errors.js';
import { typedArray } from '../tensor.js';
import { describe, integer, oneOf, options } from '../validate.js';
import { keyBlocks, rowCount } from './lists.js';
import type { CudaPattern, ListCapacity, Pattern, Rows } from './types.js';

/** In the order of enum HeadSets in native/attend/attend.h. */
export const headSets = ['shared', 'kv', 'q'] as const;

/** The kinds of lists of a pattern. */
export const listKinds = ['tiles', 'fullTiles', 'columns'] as const;

/** Every field of a pattern. */
export function checkPattern(value: unknown, name: string, onCuda: boolean): CudaPattern {
  const keys = ['queryLength', 'keyLength', 'batch', 'heads', 'sets', 'blockSize', 'unit', 'tiles', 'fullTiles', 'columns'] as const;
  const pattern = options<Pattern>(value, name, keys);
  integer(pattern.queryLength, `${name}.queryLength`, 1, 2 ** 31 - 1);
  integer(pattern.keyLength, `${name}.keyLength`, 0, 2 ** 31 - 1);
  integer(pattern.batch, `${name}.batch`, 1, 2 ** 20);
  integer(pattern.sets, `${name}.sets`, 1, 2 ** 20);
  oneOf(pattern.heads, `${name}.heads`, headSets);
  oneOf(pattern.unit, `${name}.unit`, ['block', 'token']);
  if (!Array.isArray(pattern.blockSize) || pattern.blockSize.length !== 2) {
    throw typeError('ERR_SK_TYPE', `expected ${name}.blockSize to be [queries, keys] but received ${describe(pattern.blockSize)}`);
  }
  for (const i of [0, 1]) integer(pattern.blockSize[i], `${name}.blockSize[${i}]`, 1, 2 ** 31 - 1);
  for (const key of listKinds) {
    const list: unknown = pattern[key];
    if (list === undefined) continue;
    if (onCuda && typeof list === 'object' && list !== null && 'capacity' in list) {
      const { capacity } = options<ListCapacity>(list, `${name}.${key}`, ['capacity']);
      integer(capacity, `${name}.${key}.capacity`, 0, 2 ** 30 - 1);
    } else {
      options<Rows>(list, `${name}.${key}`, ['start', 'count', 'index']);
    }
  }
  return pattern;
}

/** Lists whose ranges lie in their index: of so many rows, with ids below a limit, where these are given. */
export function checkRows(value: unknown, name: string, rows?: number, ids = 2 ** 31): Rows {
  const { start, count, index } = options<Rows>(value, name, ['start', 'count', 'index']);
  for (const [key, array] of Object.entries({ start, count, index })) typedArray(array, 'int32', `${name}.${key}`, 0);
  if (start.length !== count.length || (rows !== undefined && start.length !== rows)) {
    throw rangeError(
      'ERR_SK_SHAPE',
      `expected ${name} to have ${rows ?? start.length} rows but received ${start.length} and ${count.length}`,
    );
  }
  for (let r = 0; r < start.length; r++) {
    const [first, n] = [start[r] as number, count[r] as number];
    if (first < 0 || n < 0 || first + n > index.length) {
      throw new SparseKernelsError(
        'ERR_SK_LISTS',
        `expected the ${name} of row ${r} to lie in an index of ${index.length} ids but received start ${first} and count ${n}`,
      );
    }
    for (let i = first; i < first + n; i++) {
      const id = index[i] as number;
      if (id < 0 || id >= ids) {
        throw new SparseKernelsError('ERR_SK_LISTS', `expected the ${name} of row ${r} to be ids from 0 to ${ids - 1} but received ${id}`);
      }
    }
  }
  return { start, count, index };
}

/** A pattern whose lists are what it says: for the algebra, which walks them in JavaScript. */
export function checkLists(value: unknown, name = 'pattern'): Pattern {
  const pattern = checkPattern(value, name, false) as Pattern;
  const rows = rowCount(pattern);
  const tiles = pattern.unit === 'block' ? keyBlocks(pattern) : pattern.keyLength;
  if (pattern.tiles) checkRows(pattern.tiles, `${name}.tiles`, rows, tiles);
  if (pattern.fullTiles) checkRows(pattern.fullTiles, `${name}.fullTiles`, rows, tiles);
  if (pattern.columns) checkRows(pattern.columns, `${name}.columns`, rows, pattern.keyLength);
  return pattern;
}
