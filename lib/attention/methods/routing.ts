import { rangeError } from '../../errors.js';
import type { TensorLike } from '../../tensor.js';
import { integer } from '../../validate.js';
import { cluster } from '../cluster.js';
import { headsOf } from '../heads.js';
import { dense } from '../patterns.js';
import { permute } from '../permute.js';
import { plan } from '../plan.js';
import type { AttentionResult, Rows } from '../types.js';
import { type MethodResult, reported } from './report.js';
import { type MethodOptions, methodOptions, passed, shapeOf } from './shape.js';

/** Options of {@link routingTransformer}. */
export interface RoutingTransformerOptions extends Omit<MethodOptions, 'layout'> {
  /** Trained centroids, float32 [heads, C, headDim]; `moveCentroids` follows the tokens while training. */
  readonly centroids: TensorLike;
  /** Tokens of a cluster. */
  readonly window: number;
}

/** What {@link RoutingTransformer.prefill} gives. */
export interface RoutingResult extends Omit<MethodResult, 'pattern'> {
  /** The tokens of each cluster; row (b x heads + h) x C + c. */
  readonly members: Rows;
}

/** What {@link routingTransformer} returns. */
export interface RoutingTransformer {
  /** q, k and v [batch, heads, N, headDim]. Routing looks at q, normalised; a token of no cluster has 0, of several their mean. */
  prefill(q: TensorLike, k: TensorLike, v: TensorLike): Promise<RoutingResult>;
}

/**
 * Routing Transformer: each centroid takes the tokens that are most like it, balanced, and attention stays inside the clusters, causal by
 * position; a token sees itself as any other, which the authors' shared queries and keys do not. `lse` is the mean of a token's clusters, so
 * `report()` says what share of dense attention a cluster covers.
 *
 * Roy et al., "Efficient Content-Based Sparse Attention with Routing Transformers" (TACL 2021).
 *
 * @throws TypeError `ERR_SK_TYPE`, RangeError `ERR_SK_OPTION` / `ERR_SK_SHAPE`
 * @example
 * ```ts
 * import { attention } from 'sparse-kernels';
 * const x = { data: new Float32Array(64 * 8).map(Math.sin), dims: [1, 1, 64, 8] };
 * const centroids = { data: new Float32Array(4 * 8).map(Math.cos), dims: [1, 4, 8] };
 * const { output, members } = await attention.methods.routingTransformer({ centroids, window: 16 }).prefill(x, x, x);
 * members.count; // Int32Array [16, 16, 16, 16]
 * ```
 */
export function routingTransformer(routingOptions: RoutingTransformerOptions): RoutingTransformer {
  const o = methodOptions<RoutingTransformerOptions & { layout?: never }>(routingOptions, ['centroids', 'window'], ['layout']);
  const window = integer(o.window, 'window', 1, 2 ** 20);
  return {
    prefill: async (q, k, v) => {
      const s = shapeOf(q, k);
      if (s.kvHeads !== s.heads || s.keys !== s.queries) {
        throw rangeError('ERR_SK_SHAPE', `expected k of q's heads and tokens but received dims [${q.dims}] and [${k.dims}]`);
      }
      const { members } = (await cluster(normalised(q), o.centroids, { members: window })) as { members: Rows };
      const count = members.count.length / (s.batch * s.heads);
      const order = { type: 'int32' as const, data: members.index, dims: [s.batch, s.heads, count * window] };
      const units = s.batch * s.heads * count; // each cluster is a batch entry with positions of its own
      const gathered = (x: TensorLike) => ({ data: permute(x, order).data, dims: [units, 1, window, s.dim] });
      const pattern = dense({ queryLength: window });
      using attention = plan({ ...passed(o), pattern, batch: units, heads: 1, headDim: s.dim, causal: o.causal ?? true });
      const positions = { queryPositions: members.index, keyPositions: members.index };
      const inside = await attention.run(gathered(q), gathered(k), gathered(v), positions);
      const { output, lse } = scattered(inside, members.index, s.batch * s.heads, s.queries, s.dim);
      const density = (count * window * window) / (s.queries * s.keys);
      const { report } = reported({ q, k, lse, density, pattern }, o);
      return {
        output: { type: 'float32', data: output, dims: q.dims },
        lse: { type: 'float32', data: lse, dims: [s.batch, s.heads, s.queries] },
        ...{ members, density, report },
      };
    },
  };
}

/** Layer normalisation of each row, without weights. */
function normalised(x: TensorLike): TensorLike {
  const { data, dim } = headsOf(x, 'q', 'BHSD');
  const rows = data.slice();
  for (let at = 0; at < rows.length; at += dim) {
    const row = rows.subarray(at, at + dim);
    const mean = row.reduce((a, b) => a + b, 0) / dim;
    const variance = row.reduce((a, b) => a + (b - mean) ** 2, 0) / dim;
    for (let i = 0; i < dim; i++) row[i] = ((row[i] as number) - mean) / Math.sqrt(variance + 1e-5);
  }
  return { data: rows, dims: x.dims };
}

/** Mean over the clusters of each token. */
function scattered(inside: AttentionResult, index: Int32Array, sets: number, tokens: number, dim: number) {
  const output = new Float32Array(sets * tokens * dim);
  const weight = new Float64Array(sets * tokens);
  const clusters = new Int32Array(sets * tokens);
  const perSet = index.length / sets;
  index.forEach((id, at) => {
    const row = Math.floor(at / perSet) * tokens + id;
    clusters[row] = (clusters[row] as number) + 1;
    weight[row] = (weight[row] as number) + Math.exp(inside.lse.data[at] as number);
    for (let i = 0; i < dim; i++) output[row * dim + i] = (output[row * dim + i] as number) + (inside.output.data[at * dim + i] as number);
  });
  for (let i = 0; i < output.length; i++) output[i] = (output[i] as number) / Math.max(1, clusters[Math.floor(i / dim)] as number);
  const lse = Float32Array.from(weight, (sum, row) => Math.log(sum / Math.max(1, clusters[row] as number)));
  return { output, lse };
}
