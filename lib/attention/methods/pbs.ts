import { rangeError } from '../../errors.js';
import type { Tensor, TensorLike } from '../../tensor.js';
import { integer, number } from '../../validate.js';
import type { Shape } from '../heads.js';
import { lines } from '../lines.js';
import { idsOf } from '../lists.js';
import { segments } from '../orders.js';
import { dense } from '../patterns.js';
import { permute } from '../permute.js';
import { plan } from '../plan.js';
import { pool } from '../pool.js';
import { score } from '../score.js';
import { select } from '../select.js';
import { attend, listPattern, rowsFrom } from './common.js';
import { type MethodResult, reported } from './report.js';
import { type MethodOptions, methodOptions, passed, passedTo, shapeOf } from './shape.js';

/** Options of {@link pbsAttn}. Attention is causal. */
export interface PbsAttnOptions extends Omit<MethodOptions, 'causal' | 'layout'> {
  /** Tokens of a block; default 128. */
  readonly block?: number;
  /** Tokens within which keys are permuted, a multiple of `block`; default 256. */
  readonly segment?: number;
  /** Share of each row's softmax to keep; default 0.9. */
  readonly threshold?: number;
}

/** What {@link PbsAttn.prefill} gives; batch entries of its `pattern` are (batch, key-value head). */
export interface PbsAttnResult extends MethodResult {
  /** Key t of the pattern is key permutation[t] of k, int32 [batch, kvHeads, keys]. */
  readonly permutation: Tensor<'int32'>;
}

/** What {@link pbsAttn} returns. */
export interface PbsAttn {
  /** Chooses and attends; q, k and v in the layout 'BHSD'. */
  prefill(q: TensorLike, k: TensorLike, v: TensorLike): Promise<PbsAttnResult>;
}

/**
 * Permuted block-sparse attention: within each segment the keys are sorted by the attention of the last queries, so that important keys share
 * blocks; blocks of earlier segments are then chosen by means, and the own segment is always attended to, causal by original positions. Query
 * heads of a group share one order, by the sum of their attention.
 *
 * Wang et al., "Sparser Block-Sparse Attention via Token Permutation" (2025).
 *
 * @throws TypeError `ERR_SK_TYPE`, RangeError `ERR_SK_OPTION`
 * @example
 * ```ts
 * import { attention } from 'sparse-kernels';
 * const x = { data: new Float32Array(512 * 16).map(Math.sin), dims: [1, 1, 512, 16] };
 * const { output } = await attention.methods.pbsAttn({ block: 32, segment: 64 }).prefill(x, x, x);
 * ```
 */
export function pbsAttn(pbsOptions: PbsAttnOptions = {}): PbsAttn {
  const o = methodOptions<PbsAttnOptions & { causal?: never; layout?: never }>(
    pbsOptions,
    ['block', 'segment', 'threshold'],
    ['causal', 'layout'],
  );
  const block = integer(o.block ?? 128, 'block', 1, 2 ** 20);
  const segment = integer(o.segment ?? 256, 'segment', block, 2 ** 30);
  if (segment % block !== 0) {
    throw rangeError('ERR_SK_OPTION', `expected segment to be a multiple of block but received ${segment} and ${block}`);
  }
  const threshold = number(o.threshold ?? 0.9, 'threshold', 0, 1);
  return {
    prefill: async (q, k, v) => {
      const s = shapeOf(q, k);
      if (s.keys <= segment) return denseSegment(q, k, v, s, o);
      const permutation = await orderOf(q, k, s, block, segment, o);
      const [keys, values] = [permute(k, permutation), permute(v, permutation)];
      const lists = await blocksOf(q, keys, permutation, s, block, segment, { ...o, threshold });
      // A key-value head and its queries are a batch entry of their own: each has its own positions of keys.
      const units = s.batch * s.kvHeads;
      const group = s.heads / s.kvHeads;
      const pattern = listPattern({ ...s, batch: units }, lists, [block, block], 'q', group);
      using attention = plan({
        ...passed(o),
        pattern,
        batch: units,
        heads: group,
        headDim: s.dim,
        kvHeads: 1,
        causal: true,
        validate: false,
      });
      const folded = (x: TensorLike, heads: number, tokens: number) => ({ data: x.data, dims: [units, heads, tokens, s.dim] });
      const { output, lse } = await attention.run(folded(q, group, s.queries), folded(keys, 1, s.keys), folded(values, 1, s.keys), {
        keyPositions: permutation.data,
      });
      const result = { output: { ...output, dims: q.dims }, lse: { ...lse, dims: [s.batch, s.heads, s.queries] } };
      return { ...result, ...reported({ q, k, lse: lse.data, density: attention.density, pattern }, o), permutation };
    },
  };
}

/** A prompt of one segment: everything, with the keys where they are. */
async function denseSegment(q: TensorLike, k: TensorLike, v: TensorLike, s: Shape, o: MethodOptions): Promise<PbsAttnResult> {
  const result = await attend(q, k, v, dense({ queryLength: s.queries, keyLength: s.keys, causal: true }), o);
  const data = Int32Array.from({ length: s.batch * s.kvHeads * s.keys }, (_, i) => i % s.keys);
  return { ...result, permutation: { type: 'int32', data, dims: [s.batch, s.kvHeads, s.keys] } };
}

/** Which key comes where: segments sorted by the attention of the last block of queries, [batch, kvHeads, keys]. */
async function orderOf(q: TensorLike, k: TensorLike, s: Shape, block: number, segment: number, o: MethodOptions): Promise<Tensor<'int32'>> {
  const { vertical } = await lines(q, k, { ...passed(o), lastQueries: Math.min(block, s.queries) });
  const group = s.heads / s.kvHeads;
  const data = new Int32Array(s.batch * s.kvHeads * s.keys);
  for (let unit = 0; unit < s.batch * s.kvHeads; unit++) {
    const importance = new Float32Array(s.keys);
    for (let h = 0; h < group; h++) {
      for (let j = 0; j < s.keys; j++) {
        importance[j] = (importance[j] as number) + (vertical.data[(unit * group + h) * s.keys + j] as number);
      }
    }
    data.set(segments(importance, segment), unit * s.keys);
  }
  return { type: 'int32', data, dims: [s.batch, s.kvHeads, s.keys] };
}

/** Blocks of permuted keys for each query head and block: chosen ones of earlier segments, the one with token 0, all of the own segment. */
async function blocksOf(
  q: TensorLike,
  keys: Tensor,
  order: Tensor<'int32'>,
  s: Shape,
  block: number,
  segment: number,
  o: MethodOptions & { threshold: number },
) {
  const means = async (x: TensorLike) => (await pool(x, { kind: 'mean', block, ...passedTo(o) })).pooled;
  const shift = s.keys - s.queries;
  const blocks = Math.ceil(s.queries / block);
  const perSegment = segment / block;
  const earlier = Int32Array.from({ length: blocks }, (_, i) => Math.floor(Math.max(0, i * block + shift) / segment) * perSegment);
  const scores = await score(await means(q), await means(keys), {
    kind: 'softmax',
    limit: earlier,
    scale: o.scale ?? 1 / Math.sqrt(s.dim),
    ...passedTo(o),
  });
  const chosen = await select(scores, { topP: o.threshold, needsReach: true, limit: earlier, ...passedTo(o) });
  const group = s.heads / s.kvHeads;
  return rowsFrom(
    Array.from({ length: s.batch * s.heads * blocks }, (_, row) => {
      const i = row % blocks;
      const first = Math.floor((order.data.indexOf(0, Math.floor(row / blocks / group) * s.keys) % s.keys) / block);
      const limit = earlier[i] as number;
      const ids = new Set(idsOf(chosen, row));
      if (first < limit) ids.add(first);
      const last = Math.min((i + 1) * block, s.queries) - 1 + shift; // its segment is the own one, too
      const end = Math.min(Math.ceil(s.keys / block), (Math.floor(last / segment) + 1) * perSegment);
      for (let j = limit; j < end; j++) ids.add(j);
      return [...ids].sort((a, b) => a - b);
    }),
  );
}
