/** Oracle of pool: one sequence x [tokens, dim], one window, float64. */
export function poolWindow(
  x: ArrayLike<number>,
  dim: number,
  start: number,
  count: number,
  kind: string,
  logits?: ArrayLike<number>,
): number[] {
  const rows = Array.from({ length: count }, (_, t) => Array.from({ length: dim }, (_, c) => x[(start + t) * dim + c] as number));
  const channel = (reduce: (values: number[]) => number) =>
    Array.from({ length: dim }, (_, c) => reduce(rows.map((row) => row[c] as number)));
  const sum = (values: number[]) => values.reduce((a, b) => a + b, 0);
  const least = (values: number[]) => Math.min(...values);
  const greatest = (values: number[]) => Math.max(...values);
  if (count === 0) return new Array({ minmax: 2 * dim, similarity: 1 }[kind] ?? dim).fill(0);
  switch (kind) {
    case 'mean':
      return channel((values) => sum(values) / count);
    case 'sum':
      return channel(sum);
    case 'max':
      return channel(greatest);
    case 'min':
      return channel(least);
    case 'minmax':
      return [...channel(least), ...channel(greatest)];
    case 'weighted': {
      const weights = rows.map((_, t) => Math.exp(logits?.[start + t] as number));
      return channel((values) => sum(values.map((v, t) => v * (weights[t] as number))) / sum(weights));
    }
    case 'similarity': {
      const norm = (row: number[]) => Math.sqrt(sum(row.map((v) => v * v)));
      const cosine = (a: number[], b: number[]) =>
        norm(a) * norm(b) === 0 ? 0 : sum(a.map((v, c) => v * (b[c] as number))) / (norm(a) * norm(b));
      return [sum(rows.flatMap((a) => rows.map((b) => cosine(a, b)))) / count ** 2];
    }
  }
  throw new Error(kind);
}
