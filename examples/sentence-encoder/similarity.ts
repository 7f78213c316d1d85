/** Comparisons of L2-normalised embeddings. */
import { mean } from 'simple-statistics';

export type Embedding = Float32Array;

/** Cosine, since both have length one. */
export function cosine(a: Embedding, b: Embedding): number {
  return a.reduce((sum, value, i) => sum + value * (b[i] as number), 0);
}

/** The `count` indices of `embeddings` closest to `query`, closest first. */
export function nearest(query: Embedding, embeddings: readonly Embedding[], count: number): number[] {
  return embeddings
    .map((embedding, index) => ({ index, cosine: cosine(query, embedding) }))
    .sort((a, b) => b.cosine - a.cosine)
    .slice(0, count)
    .map(({ index }) => index);
}

/** NaN if any entry is. */
export function maxError(actual: readonly Embedding[], expected: readonly Embedding[]): number {
  const errors = expected.map((embedding, s) => {
    const other = actual[s] as Embedding;
    return embedding.reduce((max, value, k) => Math.max(max, Math.abs(value - (other[k] as number))), 0);
  });
  return Math.max(...errors);
}

/** Share of the sentences whose nearest other sentence is the same in both sets of embeddings. */
export function sameNearest(before: readonly Embedding[], after: readonly Embedding[]): number {
  const neighbour = (all: readonly Embedding[], s: number) => nearest(all[s] as Embedding, all, 2).find((index) => index !== s);
  return mean(before.map((_, s) => (neighbour(before, s) === neighbour(after, s) ? 1 : 0)));
}
