/** From scores to masks: the only place that decides who stays. Larger first, then lower index; NaN is smaller than everything. */
import type { ParsedScope } from './scope.js';
import { bestTile } from './tile.js';

/** 1 where a weight stays. */
export function selectMask(scores: Float32Array, rows: number, columns: number, scope: ParsedScope): Uint8Array<ArrayBuffer> {
  switch (scope.kind) {
    case 'global':
    case 'row':
      return largestBlocks(scores, rows, columns, scope.block, scope.sparsity, scope.kind);
    case 'nm':
      return bands(scores, rows, columns, scope.rows, (sums, mask) => groups(sums, columns, scope.n, scope.m, mask));
    case 'venom':
      return venom(scores, rows, columns, scope);
    case 'transposable':
      return tiles(scores, rows, columns, scope.n);
  }
}

/** How many of `count` stay at a sparsity. */
export function keptOf(count: number, sparsity: number): number {
  return count - Math.floor(count * sparsity);
}

/** Marks the `keep` largest. */
export function keepLargest(keys: Float32Array, keep: number, mask: Uint8Array): void {
  if (keep <= 0) return;
  const sorted = keys.map((key) => (Number.isNaN(key) ? -Infinity : key)).sort();
  const threshold = sorted[sorted.length - keep] as number;
  let above = 0;
  for (let i = sorted.length - 1; i >= 0 && (sorted[i] as number) > threshold; i--) above++;
  let ties = keep - above;
  for (let i = 0; i < keys.length; i++) {
    const key = Number.isNaN(keys[i]) ? -Infinity : (keys[i] as number);
    if (key > threshold || (key === threshold && ties-- > 0)) mask[i] = 1;
  }
}

/** Whole blocks by the sum of their scores; a block of [1, 1] is an element. */
function largestBlocks(
  scores: Float32Array,
  rows: number,
  columns: number,
  [height, width]: readonly [number, number],
  sparsity: number,
  kind: 'global' | 'row',
): Uint8Array<ArrayBuffer> {
  const [down, across] = [Math.ceil(rows / height), Math.ceil(columns / width)];
  const sums = height * width === 1 ? scores : blockSums(scores, rows, columns, height, width);
  const kept = new Uint8Array(down * across);
  if (kind === 'global') {
    keepLargest(sums, keptOf(kept.length, sparsity), kept);
  } else {
    for (let r = 0; r < down; r++) {
      keepLargest(sums.subarray(r * across, (r + 1) * across), keptOf(across, sparsity), kept.subarray(r * across, (r + 1) * across));
    }
  }
  if (height * width === 1) return kept;
  const mask = new Uint8Array(rows * columns);
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++) mask[r * columns + c] = kept[Math.floor(r / height) * across + Math.floor(c / width)] as number;
  }
  return mask;
}

function blockSums(scores: Float32Array, rows: number, columns: number, height: number, width: number): Float32Array {
  const across = Math.ceil(columns / width);
  const sums = new Float64Array(Math.ceil(rows / height) * across);
  for (let r = 0; r < rows; r++) {
    const to = Math.floor(r / height) * across;
    for (let c = 0; c < columns; c++) {
      const at = to + Math.floor(c / width);
      sums[at] = (sums[at] as number) + (scores[r * columns + c] as number);
    }
  }
  return Float32Array.from(sums);
}

/** Lets `choose` fill one mask row for each band of `height` rows from the sums of the band, and gives it to all its rows. */
function bands(
  scores: Float32Array,
  rows: number,
  columns: number,
  height: number,
  choose: (sums: Float32Array, mask: Uint8Array) => void,
): Uint8Array<ArrayBuffer> {
  const mask = new Uint8Array(rows * columns);
  const sums = height === 1 ? scores : blockSums(scores, rows, columns, height, 1);
  for (let r = 0; r < rows; r += height) {
    const band = r / height;
    const first = mask.subarray(r * columns, (r + 1) * columns);
    choose(sums.subarray(band * columns, (band + 1) * columns), first);
    for (let other = r + 1; other < Math.min(r + height, rows); other++) mask.set(first, other * columns);
  }
  return mask;
}

/** Marks N of every M of one row, by rank: so many are larger, or equal and before it. */
function groups(keys: Float32Array, columns: number, n: number, m: number, mask: Uint8Array): void {
  for (let first = 0; first < columns; first += m) {
    const end = Math.min(first + m, columns);
    for (let i = first; i < end; i++) {
      const key = orderKey(keys[i] as number);
      let rank = 0;
      for (let j = first; j < end; j++) {
        const other = orderKey(keys[j] as number);
        if (other > key || (other === key && j < i)) rank++;
      }
      if (rank < n) mask[i] = 1;
    }
  }
}

function orderKey(key: number): number {
  return Number.isNaN(key) ? -Infinity : key;
}

const VENOM_COLUMNS = 4;

function venom(
  scores: Float32Array,
  rows: number,
  columns: number,
  { n, m, rows: height }: { n: number; m: number; rows: number },
): Uint8Array<ArrayBuffer> {
  const mask = bands(scores, rows, columns, height, (sums, row) => groups(sums, columns, VENOM_COLUMNS, m, row));
  const columnsKept = new Int32Array(VENOM_COLUMNS);
  const keys = new Float32Array(VENOM_COLUMNS);
  const kept = new Uint8Array(VENOM_COLUMNS);
  for (let r = 0; r < rows; r++) {
    for (let first = r * columns; first < (r + 1) * columns; first += m) {
      let count = 0;
      for (let i = first; i < Math.min(first + m, (r + 1) * columns); i++) {
        if (mask[i] === 0) continue;
        columnsKept[count] = i;
        keys[count++] = scores[i] as number;
      }
      groups(keys, count, n, count, kept.fill(0));
      for (let k = 0; k < count; k++) mask[columnsKept[k] as number] = kept[k] as number;
    }
  }
  return mask;
}

function tiles(scores: Float32Array, rows: number, columns: number, n: number): Uint8Array<ArrayBuffer> {
  const mask = new Uint8Array(rows * columns);
  const tile = new Float64Array(16);
  for (let r = 0; r < rows; r += 4) {
    for (let c = 0; c < columns; c += 4) {
      for (let i = 0; i < 16; i++) {
        const [y, x] = [r + (i >> 2), c + (i & 3)];
        tile[i] = y < rows && x < columns ? (scores[y * columns + x] as number) : 0; // what hangs over the edge is free to choose
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
