/**
 * From scores to masks: scopes in terms of the selections of lib/select.ts. Larger first, then lower index; NaN and -Infinity are the
 * lowest number.
 */
import { groupMask, topKMask } from '../select.js';
import { allocate } from '../tensor.js';
import type { ParsedScope } from './scope.js';
import { bestTile } from './tile.js';

/** 1 where a weight stays. */
export function selectMask(data: Float32Array, rows: number, columns: number, scope: ParsedScope): Uint8Array {
  switch (scope.kind) {
    case 'global':
    case 'row':
      return largestBlocks(data, rows, columns, scope.block, scope.sparsity, scope.kind);
    case 'nm':
      return bandGroups(data, rows, columns, scope.rows, scope.n, scope.m);
    case 'venom':
      return venom(data, rows, columns, scope);
    case 'transposable':
      return tiles(data, rows, columns, scope.n);
  }
}

/** How many of `count` stay at a sparsity. */
export function keptOf(count: number, sparsity: number): number {
  return count - Math.floor(count * sparsity);
}

/** The k largest of each row; if there are k elements that is how many stay, whatever they are. */
export function keepLargest(data: Float32Array, rows: number, columns: number, k: number): Uint8Array {
  if (data.length === 0) return new Uint8Array(0);
  return topKMask({ data: comparable(data), rows, columns }, { k });
}

/** Rows keep no -Infinity and take no NaN; groups take both. So that all scopes rank them alike, the lowest number stands for both. */
export function comparable(data: Float32Array): Float32Array {
  const lowest = -(2 - 2 ** -23) * 2 ** 127;
  let numbers = 0;
  while ((data[numbers] as number) >= lowest) numbers++;
  return numbers === data.length ? data : data.map((value) => (value >= lowest ? value : lowest));
}

/** Whole blocks by the sum of their scores; a block of [1, 1] is an element. */
function largestBlocks(
  data: Float32Array,
  rows: number,
  columns: number,
  [height, width]: readonly [number, number],
  sparsity: number,
  kind: 'global' | 'row',
): Uint8Array {
  const [down, across] = [Math.ceil(rows / height), Math.ceil(columns / width)];
  const sums = blockSums(data, rows, columns, height, width);
  const [sets, each] = kind === 'global' ? [1, down * across] : [down, across];
  const kept = keepLargest(sums, sets, each, keptOf(each, sparsity));
  if (height * width === 1) return kept;
  const mask = allocate('uint8', rows * columns, 'the mask');
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++) mask[r * columns + c] = kept[Math.floor(r / height) * across + Math.floor(c / width)] as number;
  }
  return mask;
}

function blockSums(data: Float32Array, rows: number, columns: number, height: number, width: number): Float32Array {
  if (height * width === 1) return data;
  const across = Math.ceil(columns / width);
  const sums = new Float64Array(Math.ceil(rows / height) * across);
  for (let r = 0; r < rows; r++) {
    const to = Math.floor(r / height) * across;
    for (let c = 0; c < columns; c++) {
      const at = to + Math.floor(c / width);
      sums[at] = (sums[at] as number) + (data[r * columns + c] as number);
    }
  }
  return Float32Array.from(sums);
}

/** N of every M columns, by the sums of `height` rows, which all get the same. */
function bandGroups(data: Float32Array, rows: number, columns: number, height: number, n: number, m: number): Uint8Array {
  const bands = Math.ceil(rows / height);
  const chosen = groups(blockSums(data, rows, columns, height, 1), bands, columns, n, m);
  if (height === 1) return chosen;
  const mask = allocate('uint8', rows * columns, 'the mask');
  for (let r = 0; r < rows; r++) {
    const band = Math.floor(r / height);
    mask.set(chosen.subarray(band * columns, (band + 1) * columns), r * columns);
  }
  return mask;
}

/** N of every M columns of each row. For an M that has no kernel each group becomes a row, its edge filled with what is never kept. */
function groups(data: Float32Array, rows: number, columns: number, n: number, m: number): Uint8Array {
  if (data.length === 0) return new Uint8Array(0);
  const numbers = comparable(data);
  if ([2, 4, 8, 16, 32].includes(m)) return groupMask({ data: numbers, rows, columns }, { n, m });
  const width = Math.ceil(columns / m) * m;
  const padded = allocate('float32', rows * width, 'the scores').fill(-Infinity);
  for (let r = 0; r < rows; r++) padded.set(numbers.subarray(r * columns, (r + 1) * columns), r * width);
  const chosen = topKMask({ data: padded, rows: (rows * width) / m, columns: m }, { k: n });
  const mask = allocate('uint8', data.length, 'the mask');
  for (let r = 0; r < rows; r++) mask.set(chosen.subarray(r * width, r * width + columns), r * columns);
  return mask;
}

const VENOM_COLUMNS = 4;

function venom(
  data: Float32Array,
  rows: number,
  columns: number,
  { n, m, rows: height }: { n: number; m: number; rows: number },
): Uint8Array {
  const mask = m === VENOM_COLUMNS ? new Uint8Array(data.length).fill(1) : bandGroups(data, rows, columns, height, VENOM_COLUMNS, m);
  if (n === VENOM_COLUMNS) return mask;
  const width = Math.ceil(columns / m) * VENOM_COLUMNS;
  const scores = allocate('float32', rows * width, 'the scores').fill(-Infinity);
  const places = new Int32Array(rows * width).fill(-1);
  const numbers = comparable(data); // so that the filling is smaller than any of them
  for (let r = 0; r < rows; r++) {
    for (let c = 0, next = 0; c < columns; c++) {
      if (c % m === 0) next = r * width + (c / m) * VENOM_COLUMNS;
      if (mask[r * columns + c] === 0) continue;
      places[next] = r * columns + c;
      scores[next++] = numbers[r * columns + c] as number;
    }
  }
  const kept = groups(scores, rows, width, n, VENOM_COLUMNS);
  places.forEach((place, i) => {
    if (place >= 0) mask[place] = kept[i] as number;
  });
  return mask;
}

function tiles(data: Float32Array, rows: number, columns: number, n: number): Uint8Array {
  const mask = allocate('uint8', rows * columns, 'the mask');
  const tile = new Float64Array(16);
  for (let r = 0; r < rows; r += 4) {
    for (let c = 0; c < columns; c += 4) {
      for (let i = 0; i < 16; i++) {
        const [y, x] = [r + (i >> 2), c + (i & 3)];
        tile[i] = y < rows && x < columns ? (data[y * columns + x] as number) : 0; // what hangs over the edge is free to choose
      }
      const best = bestTile(tile, n);
      for (let i = 0; i < 16; i++) {
        const [y, x] = [r + (i >> 2), c + (i & 3)];
        if (y < rows && x < columns) mask[y * columns + x] = (best >> i) & 1;
      }
    }
  }
  return mask;
}
