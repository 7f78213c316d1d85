import { rangeError } from '../errors.js';
import { allocate, type Tensor, type TensorLike, tensor } from '../tensor.js';
import { describe, integer, number, options } from '../validate.js';
import { headsOf } from './heads.js';
import { score } from './score.js';
import { select } from './select.js';
import type { Rows } from './types.js';

/** Options of {@link cluster}. */
export interface ClusterOptions {
  /** Balanced: each centroid takes so many of the tokens that are most like it, so that a token may be in several clusters or in none. */
  readonly members?: number;
}

/** What {@link cluster} returns. */
export interface Clusters {
  /** The centroid most like each token, int32 [batch, heads, tokens]; ties go to the lower one. */
  readonly nearest: Tensor<'int32'>;
  /** With `members`: the tokens of each centroid, ascending; row (b x heads + h) x C + c. */
  readonly members?: Rows;
}

/**
 * Tokens by the centroid that is most like them, by the inner product.
 *
 * Roy et al., "Efficient Content-Based Sparse Attention with Routing Transformers" (TACL 2021).
 *
 * @param x - float32 [batch, heads, tokens, dim]
 * @param centroids - float32 [heads, C, dim]
 * @throws (rejects) TypeError `ERR_SK_TYPE` / `ERR_SK_DTYPE` / `ERR_SK_BUFFER`, RangeError `ERR_SK_SHAPE` / `ERR_SK_OPTION`
 * @example
 * ```ts
 * import { attention } from 'sparse-kernels';
 * const x = { data: Float32Array.of(1, 0, 0, 1, 1, 0.5), dims: [1, 1, 3, 2] };
 * const centroids = { data: Float32Array.of(1, 0, 0, 1), dims: [1, 2, 2] };
 * const { nearest, members } = await attention.cluster(x, centroids, { members: 1 });
 * nearest.data; // Int32Array [0, 1, 0]
 * members?.index; // Int32Array [0, 1]
 * ```
 */
export async function cluster(x: TensorLike, centroids: TensorLike, clusterOptions: ClusterOptions = {}): Promise<Clusters> {
  const o = options<ClusterOptions>(clusterOptions, 'options', ['members']);
  const { batch, heads, tokens, dim } = headsOf(x, 'x', 'BHSD');
  const { data, dims } = tensor(centroids, 'centroids', ['float32']);
  const [, count = 0] = dims;
  if (String(dims) !== String([heads, count, dim]) || count === 0) {
    throw rangeError('ERR_SK_SHAPE', `expected centroids to be [${heads}, C, ${dim}] but received dims ${describe(dims)}`);
  }
  const repeated = allocate('float32', batch * data.length, 'the centroids');
  for (let b = 0; b < batch; b++) repeated.set(data, b * data.length);
  // Centroids as queries: a row of scores for each of them.
  const scores = await score({ data: repeated, dims: [batch, heads, count, dim] }, x, { scale: 1 });
  const nearest = new Int32Array(batch * heads * tokens);
  for (let s = 0; s < batch * heads; s++) {
    for (let t = 0; t < tokens; t++) {
      let best = 0;
      for (let c = 1; c < count; c++) {
        if ((scores.data[(s * count + c) * tokens + t] as number) > (scores.data[(s * count + best) * tokens + t] as number)) best = c;
      }
      nearest[s * tokens + t] = best;
    }
  }
  const result = { nearest: { type: 'int32' as const, data: nearest, dims: [batch, heads, tokens] } };
  if (o.members === undefined) return result;
  return { ...result, members: await select(scores, { topK: integer(o.members, 'members', 1, tokens) }) };
}

/**
 * Moves centroids towards the tokens that are nearest to them: c = decay c + (1 - decay) mean. A centroid without tokens stays.
 *
 * @param centroids - float32 [heads, C, dim]
 * @param x - float32 [batch, heads, tokens, dim]
 * @param nearest - of these tokens, as {@link cluster} gives it
 * @param decay - 0: Lloyd's algorithm; default 0.999, as Routing Transformers are trained
 * @returns new centroids
 * @throws TypeError `ERR_SK_TYPE` / `ERR_SK_DTYPE`, RangeError `ERR_SK_SHAPE` / `ERR_SK_OPTION`
 * @example
 * ```ts
 * import { attention } from 'sparse-kernels';
 * const x = { data: Float32Array.of(1, 0, 3, 0), dims: [1, 1, 2, 2] };
 * const centroids = { data: Float32Array.of(1, 0), dims: [1, 1, 2] };
 * const { nearest } = await attention.cluster(x, centroids);
 * attention.moveCentroids(centroids, x, nearest, 0).data; // Float32Array [2, 0]
 * ```
 */
export function moveCentroids(centroids: TensorLike, x: TensorLike, nearest: TensorLike, decay = 0.999): Tensor {
  const { data: tokensOf, batch, heads, tokens, dim } = headsOf(x, 'x', 'BHSD');
  const { data, dims } = tensor(centroids, 'centroids', ['float32']);
  const assigned = tensor(nearest, 'nearest', ['int32']).data;
  const count = dims[1] ?? 0;
  if (String(dims) !== String([heads, count, dim]) || assigned.length !== batch * heads * tokens) {
    throw rangeError('ERR_SK_SHAPE', `expected centroids [${heads}, C, ${dim}] and nearest [${batch}, ${heads}, ${tokens}]`);
  }
  number(decay, 'decay', 0, 1);
  const sums = new Float64Array(data.length);
  const members = new Int32Array(heads * count);
  for (let row = 0; row < assigned.length; row++) {
    const c = assigned[row] as number;
    if (c < 0 || c >= count)
      throw rangeError('ERR_SK_OPTION', `expected nearest to hold centroids from 0 to ${count - 1} but received ${c}`);
    const at = (Math.floor(row / tokens) % heads) * count + c;
    members[at] = (members[at] as number) + 1;
    for (let i = 0; i < dim; i++) sums[at * dim + i] = (sums[at * dim + i] as number) + (tokensOf[row * dim + i] as number);
  }
  const moved = Float32Array.from(data, (old, i) => {
    const n = members[Math.floor(i / dim)] as number;
    return n === 0 ? old : decay * old + ((1 - decay) * (sums[i] as number)) / n;
  });
  return { type: 'float32', data: moved, dims };
}
