/** Oracles of select by plain sorting: they share nothing with the library. */

/** Sort key that puts NaN last. */
const order = (x: number) => (Number.isNaN(x) ? Number.NEGATIVE_INFINITY : x);

/** Indices of [0, length) by descending score, ties by index. */
export function ranking(score: (i: number) => number, length: number): number[] {
  return Array.from({ length }, (_, i) => i).sort((a, b) => {
    const [x, y] = [score(a), score(b)];
    if (Number.isNaN(x) !== Number.isNaN(y)) return Number.isNaN(x) ? 1 : -1;
    return order(y) === order(x) ? a - b : order(y) - order(x);
  });
}

/** N:M mask: of every m consecutive scores of a row the n best. */
export function groupMaskBySorting(scores: ArrayLike<number>, rows: number, columns: number, n: number, m: number): Uint8Array {
  const mask = new Uint8Array(rows * columns);
  for (let row = 0; row < rows; row++) {
    for (let g = 0; g < columns; g += m) {
      const first = row * columns + g;
      const ranked = ranking((i) => scores[first + i] as number, Math.min(m, columns - g));
      for (const i of ranked.slice(0, n)) mask[first + i] = 1;
    }
  }
  return mask;
}

/** Mask of the k best scores of every row; -Infinity is never kept. */
export function topKMaskBySorting(scores: ArrayLike<number>, rows: number, columns: number, k: (row: number) => number): Uint8Array {
  const mask = new Uint8Array(rows * columns);
  for (let row = 0; row < rows; row++) {
    const ranked = ranking((i) => scores[row * columns + i] as number, columns);
    for (const i of ranked.slice(0, k(row))) if (scores[row * columns + i] !== Number.NEGATIVE_INFINITY) mask[row * columns + i] = 1;
  }
  return mask;
}
