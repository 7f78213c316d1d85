/** Caches, tokens and queries of the tests of attention.cache and attention.decode. */
import { attention } from 'sparse-kernels';
import { uniform } from '../support/random.js';

export const [kvHeads, headDim, group] = [2, 16, 3];
export const tokens = (count: number, seed: number) => ({
  data: uniform(kvHeads * count * headDim, seed),
  dims: [kvHeads, count, headDim],
});
export const batched = (x: { data: Float32Array; dims: number[] }) => ({ ...x, dims: [1, ...x.dims] });
export const query = (count = 1, batch = 1) => ({
  data: uniform(batch * kvHeads * group * count * headDim, 9),
  dims: [batch, kvHeads * group, count, headDim],
});
export const make = (capacity = 200, pageSize = 16) => attention.cache({ kvHeads, headDim, capacity, pageSize });

export function filled(count: number, seed = 1, pageSize = 16) {
  const cache = make(count + 64, pageSize);
  const [k, v] = [tokens(count, seed), tokens(count, seed + 1)];
  cache.append(k, v);
  return { cache, k, v };
}
