/** All masks of a 4 x 4 tile with N ones in each row and column (24, 90, 24 for N = 1, 2, 3), as 16 bits, bit 4 * row + column. */
const masksOf: readonly (readonly number[])[] = [0, 1, 2, 3].map(enumerate);

/** The mask with the largest sum of scores; the numerically smallest among equals. */
export function bestTile(tile: Float64Array, n: number): number {
  makeFinite(tile);
  let best = 0;
  let bestSum = -Infinity;
  for (const mask of masksOf[n] as readonly number[]) {
    let sum = 0;
    for (let i = 0; i < 16; i++) if ((mask >> i) & 1) sum += tile[i] as number;
    if (sum > bestSum) [best, bestSum] = [mask, sum];
  }
  return best;
}

/** NaN and infinities become so large that one of them decides, and so small that sums still tell the other elements apart. */
function makeFinite(tile: Float64Array): void {
  let largest = 0;
  for (const value of tile) if (Number.isFinite(value)) largest = Math.max(largest, Math.abs(value));
  for (let i = 0; i < 16; i++) {
    const value = tile[i] as number;
    if (!Number.isFinite(value)) tile[i] = (value === Infinity ? 1 : -1) * (32 * largest + 1);
  }
}

function enumerate(n: number): number[] {
  const rows = Array.from({ length: 16 }, (_, bits) => bits).filter((bits) => ones(bits) === n);
  const masks: number[] = [];
  for (const a of rows) {
    for (const b of rows) {
      for (const c of rows) {
        for (const d of rows) {
          const full = [0, 1, 2, 3].every((x) => ((a >> x) & 1) + ((b >> x) & 1) + ((c >> x) & 1) + ((d >> x) & 1) === n);
          if (full) masks.push(a | (b << 4) | (c << 8) | (d << 12));
        }
      }
    }
  }
  return masks.sort((x, y) => x - y);
}

function ones(bits: number): number {
  return (bits & 1) + ((bits >> 1) & 1) + ((bits >> 2) & 1) + (bits >> 3);
}
