import type { TensorLike } from '../../tensor.js';
import { integer, number } from '../../validate.js';
import type { Shape } from '../heads.js';
import { idsOf } from '../lists.js';
import { plan } from '../plan.js';
import { pool } from '../pool.js';
import { score } from '../score.js';
import { select } from '../select.js';
import type { AttentionResult, Pattern } from '../types.js';
import { headsFirst, listPattern, rowsFrom } from './common.js';
import { type MethodResult, reported } from './report.js';
import { type MethodOptions, methodOptions, passed, shapeOf } from './shape.js';

/** Options of {@link anchorAttention}. Attention is causal. */
export interface AnchorAttentionOptions extends Omit<MethodOptions, 'causal'> {
  /** A key is kept if its score reaches the anchor less this, in natural units; default 12. */
  readonly theta?: number;
  /** Tokens of a block; default 128. */
  readonly block?: number;
  /** Blocks of a group: its queries share one list of keys, and the first group's keys and its own are always seen; default 16. */
  readonly step?: number;
}

/** What {@link anchorAttention} returns. */
export interface AnchorAttention {
  /** Chooses and attends. Shapes are those of `plan.run`. `pattern` of the result holds the keys that were added to the first and own group. */
  prefill(q: TensorLike, k: TensorLike, v: TensorLike): Promise<MethodResult>;
}

/**
 * AnchorAttention: attention to the first keys and the local ones gives each block of queries an anchor, the mean of its greatest scores.
 * Keys between whose score with the block's mean query comes near enough to the anchor of any block of the group are attended to as well;
 * the online softmax goes on where it stood.
 *
 * Zhang et al., "AnchorAttention: Difference-Aware Sparse Attention with Stripe Granularity" (2025).
 *
 * @throws TypeError `ERR_SK_TYPE`, RangeError `ERR_SK_OPTION`
 * @example
 * ```ts
 * import { attention } from 'sparse-kernels';
 * const x = { data: new Float32Array(512 * 8).map(Math.sin), dims: [1, 1, 512, 8] };
 * const { output } = await attention.methods.anchorAttention({ block: 32, step: 4, theta: 1 }).prefill(x, x, x);
 * ```
 */
export function anchorAttention(anchorOptions: AnchorAttentionOptions = {}): AnchorAttention {
  const o = methodOptions<AnchorAttentionOptions & { causal?: never }>(anchorOptions, ['theta', 'block', 'step'], ['causal']);
  const [block, step] = [integer(o.block ?? 128, 'block', 1, 2 ** 20), integer(o.step ?? 16, 'step', 1, 2 ** 20)];
  const theta = number(o.theta ?? 12, 'theta');
  return {
    prefill: async (q, k, v) => {
      const s = shapeOf(q, k, o.layout);
      const run = (pattern: Pattern, initial?: AttentionResult) => {
        const shape = { batch: s.batch, heads: s.heads, kvHeads: s.kvHeads, headDim: s.dim, causal: true, validate: false };
        using attention = plan({ ...passed(o), ...shape, pattern });
        const density = attention.density;
        return attention.run(q, k, v, { rowMax: true, ...(initial && { initial }) }).then((result) => ({ result, density }));
      };
      const base = windowPattern(s, block, step);
      const first = await run(base);
      const anchors = blockMeans(first.result.rowMax?.data as Float32Array, s, block);
      const columns = await stripes(q, k, s, anchors, theta, block, step, o);
      const whole = await run(columns, { output: first.result.output, lse: first.result.lse });
      const { output, lse } = whole.result;
      return { output, lse, ...reported({ q, k, lse: lse.data, density: first.density + whole.density, pattern: columns }, o) };
    },
  };
}

/** First key after the initial window, and the group whose own keys a query block sees. */
const groupStart = (s: Shape, i: number, block: number, step: number) =>
  Math.max(0, Math.floor((Math.floor(i / step) * step * block + s.keys - s.queries) / block));

/** Blocks of the first group and of the own one, up to the diagonal. */
function windowPattern(s: Shape, block: number, step: number): Pattern {
  const lists = Array.from({ length: Math.ceil(s.queries / block) }, (_, i) => {
    const last = Math.floor((Math.min((i + 1) * block, s.queries) - 1 + s.keys - s.queries) / block);
    const start = groupStart(s, i, block, step);
    return Array.from({ length: last + 1 }, (_, j) => j).filter((j) => j < step || j >= start);
  });
  return listPattern({ ...s, batch: 1 }, rowsFrom(lists), [block, block], 'shared', 1);
}

/** Means of the row maxima over each block of queries, [batch x heads, blocks]. */
function blockMeans(rowMax: Float32Array, s: Shape, block: number): Float32Array {
  const blocks = Math.ceil(s.queries / block);
  return Float32Array.from({ length: s.batch * s.heads * blocks }, (_, at) => {
    const [head, first] = [Math.floor(at / blocks), (at % blocks) * block];
    const rows = rowMax.subarray(head * s.queries + first, head * s.queries + Math.min(first + block, s.queries));
    return rows.reduce((a, b) => a + b, 0) / rows.length;
  });
}

/** Keys between the windows that come near an anchor: one list for each group of query blocks. */
async function stripes(
  q: TensorLike,
  k: TensorLike,
  s: Shape,
  anchors: Float32Array,
  theta: number,
  block: number,
  step: number,
  o: MethodOptions,
) {
  const { scale, layout, ...rest } = passed(o);
  const { pooled } = await pool(q, { kind: 'mean', block, ...rest, ...(layout && { layout }) });
  const blocks = Math.ceil(s.queries / block);
  const groups = Math.ceil(blocks / step);
  const heads = s.batch * s.heads;
  const lists: ArrayLike<number>[] = new Array(heads * groups).fill([]);
  const keys = await headsFirst(k, o);
  for (let group = 0; group < groups; group++) {
    const end = groupStart(s, group * step, block, step) * block;
    if (end <= step * block) continue; // nothing lies between
    const members = Math.min(step, blocks - group * step);
    const means = new Float32Array(heads * members * s.dim);
    for (let h = 0; h < heads; h++) {
      const from = (h * blocks + group * step) * s.dim;
      means.set(pooled.data.subarray(from, from + members * s.dim), h * members * s.dim);
    }
    const limit = new Int32Array(members).fill(end);
    const scores = await score({ data: means, dims: [s.batch, s.heads, members, s.dim] }, keys, {
      limit,
      scale: scale ?? 1 / Math.sqrt(s.dim),
      ...rest,
    });
    const margins = new Float32Array(heads * end).fill(Number.NEGATIVE_INFINITY);
    for (let row = 0; row < heads * members; row++) {
      const h = Math.floor(row / members);
      const anchor = anchors[h * blocks + group * step + (row % members)] as number;
      for (let j = step * block; j < end; j++) {
        const margin = (scores.data[row * s.keys + j] as number) - anchor;
        if (margin > (margins[h * end + j] as number)) margins[h * end + j] = margin;
      }
    }
    const kept = await select({ data: margins, dims: [heads, end] }, { threshold: -theta, ...rest });
    for (let h = 0; h < heads; h++) lists[h * groups + group] = idsOf(kept, h).slice();
  }
  return listPattern(s, rowsFrom(lists), [block * step, block], 'q', s.heads, 'columns');
}
