/** Oracles of score: float64, from the full map of scores of each head. */

/** Sizes of q [batch, heads, queries, dim] and k [batch, kvHeads, keys, dim]. */
export interface ScoreShape {
  batch: number;
  heads: number;
  kvHeads: number;
  queries: number;
  keys: number;
  dim: number;
}

/** scale q k of one head; -Infinity from limit(i) on. */
export function scoreMap(
  q: ArrayLike<number>,
  k: ArrayLike<number>,
  s: ScoreShape,
  b: number,
  head: number,
  scale: number,
  limit: (i: number) => number,
): number[][] {
  const kv = b * s.kvHeads + Math.floor(head / (s.heads / s.kvHeads));
  return Array.from({ length: s.queries }, (_, i) =>
    Array.from({ length: s.keys }, (_, j) => {
      if (j >= limit(i)) return Number.NEGATIVE_INFINITY;
      let sum = 0;
      for (let c = 0; c < s.dim; c++) {
        sum += (q[((b * s.heads + head) * s.queries + i) * s.dim + c] as number) * (k[(kv * s.keys + j) * s.dim + c] as number);
      }
      return scale * sum;
    }),
  );
}

export function softmax(row: readonly number[]): number[] {
  const most = Math.max(...row);
  if (most === Number.NEGATIVE_INFINITY) return row.map(() => 0);
  const e = row.map((x) => Math.exp(x - most));
  const sum = e.reduce((a, b) => a + b, 0);
  return e.map((x) => x / sum);
}

/** ln of the sum of exp. */
export function logSumExp(row: readonly number[]): number {
  const most = Math.max(...row);
  return most === Number.NEGATIVE_INFINITY ? most : most + Math.log(row.reduce((a, x) => a + Math.exp(x - most), 0));
}

/** Reduces tiles of a map. */
export function tiles(map: number[][], [bq, bk]: readonly [number, number], reduce: (values: number[]) => number): number[][] {
  return Array.from({ length: Math.ceil(map.length / bq) }, (_, r) =>
    Array.from({ length: Math.ceil((map[0] as number[]).length / bk) }, (_, c) =>
      reduce(map.slice(r * bq, (r + 1) * bq).flatMap((row) => row.slice(c * bk, (c + 1) * bk))),
    ),
  );
}
