/** Rows of attention in float64. */

export interface Place {
  q: Float32Array;
  k: Float32Array;
  v: Float32Array;
  heads: number;
  kv: number;
  tokens: number;
  d: number;
  /** head x tokens + query */
  row: number;
  tokensOutside?: boolean;
  queries?: number;
  /** Of an output; default 1e-4. */
  tolerance?: number;
}

/** One row of the output against float64. */
export function compare(side: string, output: Float32Array, p: Place, sees: (key: number) => boolean): string[] {
  const { d, tokens, queries = tokens, tolerance = 1e-4 } = p;
  const head = Math.floor(p.row / queries);
  const first = Math.floor(head / (p.heads / p.kv)) * tokens;
  const scores: [number, number][] = [];
  for (let j = 0; j < tokens; j++) {
    if (!sees(j)) continue;
    let s = 0;
    for (let i = 0; i < d; i++) s += (p.q[p.row * d + i] as number) * (p.k[(first + j) * d + i] as number);
    scores.push([s / Math.sqrt(d), first + j]);
  }
  const max = scores.reduce((m, [s]) => Math.max(m, s), Number.NEGATIVE_INFINITY);
  const sum = scores.reduce((total, [s]) => total + Math.exp(s - max), 0);
  for (let i = 0; i < d; i++) {
    const wanted = scores.reduce((total, [s, j]) => total + (Math.exp(s - max) / sum) * (p.v[j * d + i] as number), 0);
    const at = p.tokensOutside ? ((p.row % queries) * p.heads + head) * d + i : p.row * d + i;
    if (!(Math.abs((output[at] as number) - wanted) <= tolerance)) return [`${side}: output ${at} is ${output[at]}, expected ${wanted}`];
  }
  return [];
}
