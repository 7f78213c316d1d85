import { rangeError } from '../../errors.js';
import { type Tensor, type TensorLike, tensor, typedArray } from '../../tensor.js';
import { integer } from '../../validate.js';
import { headsOf, type Shape } from '../heads.js';
import { idsOf } from '../lists.js';
import { pool } from '../pool.js';
import { poolScores } from '../poolscores.js';
import { score } from '../score.js';
import { select } from '../select.js';
import { chosenInChunks } from './chunks.js';
import { attend, listPattern, rowsFrom } from './common.js';
import type { MethodResult } from './report.js';
import { type MethodOptions, methodOptions, passedTo, shapeOf } from './shape.js';
import { blocksSeen, overlapping, windowLimits } from './windows.js';

/** Options of {@link nosa}. Attention is causal. */
export interface NosaOptions extends Omit<MethodOptions, 'causal' | 'layout'> {
  /** Trained map from a value to one number, float32 [kvHeads, headDim]. */
  readonly delta: TensorLike;
  /** Trained factor of each key-value head, float32 [kvHeads]. */
  readonly a: Float32Array;
  /** Blocks of 64 tokens of each query and key-value head; default 64. */
  readonly blocks?: number;
  /** How many of them the query chooses, beside the forced ones; the others are the best whatever the query. Default 16. */
  readonly queryBlocks?: number;
  /** The first so many blocks are forced; default 1. */
  readonly initial?: number;
  /** The last so many blocks are forced; default 16. */
  readonly local?: number;
}

/** What {@link Nosa.prefill} gives. */
export interface NosaResult extends MethodResult {
  /** What biases the keys, float32 [batch, kvHeads, keys]. */
  readonly importance: Tensor;
}

/** What {@link nosa} returns. */
export interface Nosa {
  /** Chooses and attends; q, k and v in the layout 'BHSD'. */
  prefill(q: TensorLike, k: TensorLike, v: TensorLike): Promise<NosaResult>;
}

const w = { length: 32, stride: 16, block: 64 };

/**
 * NOSA: a part of the blocks is chosen by the query as in InfLLM-v2, the rest by a score of the keys alone, c = a softplus(delta v), which
 * also biases their logits. What does not depend on the query stays from step to step, so little has to be moved where the cache lies
 * elsewhere: see {@link newPages}. A block's score is the greatest of its keys.
 *
 * Huang et al., "NOSA: Native and Offloadable Sparse Attention" (2025).
 *
 * @throws TypeError `ERR_SK_TYPE`, RangeError `ERR_SK_OPTION` / `ERR_SK_SHAPE`
 * @example
 * ```ts
 * import { attention } from 'sparse-kernels';
 * const x = { data: new Float32Array(512 * 8).map(Math.sin), dims: [1, 1, 512, 8] };
 * const delta = { data: new Float32Array(8).fill(0.1), dims: [1, 8] };
 * const method = attention.methods.nosa({ delta, a: Float32Array.of(1), blocks: 4, queryBlocks: 1, local: 1 });
 * const { output } = await method.prefill(x, x, x);
 * ```
 */
export function nosa(nosaOptions: NosaOptions): Nosa {
  const known = ['delta', 'a', 'blocks', 'queryBlocks', 'initial', 'local'] as const;
  const o = methodOptions<NosaOptions & { causal?: never; layout?: never }>(nosaOptions, known, ['causal', 'layout']);
  const total = integer(o.blocks ?? 64, 'blocks', 1, 2 ** 20);
  const force = { sink: integer(o.initial ?? 1, 'initial', 0, 2 ** 20), local: integer(o.local ?? 16, 'local', 0, 2 ** 20) };
  const topK = integer(o.queryBlocks ?? 16, 'queryBlocks', 0, 2 ** 20) + force.sink + force.local;
  return {
    prefill: async (q, k, v) => {
      const s = shapeOf(q, k);
      const importance = importanceOf(v, o, s);
      const { pooled } = await pool(k, { kind: 'mean', block: w.length, stride: w.stride, ...passedTo(o) });
      const limit = windowLimits(s, w, pooled.dims[2] as number);
      const seen = blocksSeen(s, w);
      const windows = pooled.dims[2] as number;
      const chosen = await chosenInChunks(q, s, s.kvHeads, s.batch * s.kvHeads * windows, async (queries, first, n) => {
        const scores = await score(queries, pooled, {
          kind: 'softmax',
          group: 'sum',
          limit: limit.subarray(first, first + n),
          scale: o.scale ?? 1 / Math.sqrt(s.dim),
          ...passedTo(o),
        });
        const ranked = poolScores(scores, { ...overlapping(w), windows: Math.ceil(s.keys / w.block) });
        return select(ranked, { topK: Math.min(topK, total), limit: seen.subarray(first, first + n), force, ...passedTo(o) });
      });
      const pattern = listPattern(s, filled(chosen, blockRanks(importance, s), seen, total), [1, w.block], 'kv', s.kvHeads);
      const result = await attend(q, k, v, pattern, { ...o, causal: true }, {}, importance.data);
      return { ...result, importance };
    },
  };
}

/** a softplus(delta v) of every key. */
function importanceOf(v: TensorLike, o: NosaOptions, s: Shape): Tensor {
  const { data: values, batch, heads, tokens, dim } = headsOf(v, 'v', 'BHSD');
  const delta = tensor(o.delta, 'delta', ['float32']);
  const a = typedArray(o.a, 'float32', 'a');
  if (String(delta.dims) !== String([s.kvHeads, s.dim]) || a.length !== s.kvHeads) {
    throw rangeError(
      'ERR_SK_SHAPE',
      `expected delta [${s.kvHeads}, ${s.dim}] and ${s.kvHeads} numbers a but received dims [${delta.dims}] and ${a.length}`,
    );
  }
  if (batch !== s.batch || heads !== s.kvHeads || tokens !== s.keys || dim !== s.dim) {
    throw rangeError('ERR_SK_SHAPE', `expected v of k's dims but received dims [${v.dims}]`);
  }
  const data = new Float32Array(batch * heads * tokens);
  for (let row = 0; row < data.length; row++) {
    const h = Math.floor(row / tokens) % heads;
    let x = 0;
    for (let i = 0; i < dim; i++) x += (values[row * dim + i] as number) * (delta.data[h * dim + i] as number);
    data[row] = (a[h] as number) * (Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))));
  }
  return { type: 'float32', data, dims: [batch, heads, tokens] };
}

/** The blocks of each key-value head by their greatest key, best first. */
function blockRanks({ data }: Tensor, s: Shape): number[][] {
  const blocks = Math.ceil(s.keys / w.block);
  return Array.from({ length: s.batch * s.kvHeads }, (_, head) => {
    const best = Array.from({ length: blocks }, (_, b) =>
      data.subarray(head * s.keys + b * w.block, head * s.keys + Math.min((b + 1) * w.block, s.keys)).reduce((x, y) => Math.max(x, y)),
    );
    return best.map((_, b) => b).sort((x, y) => (best[y] as number) - (best[x] as number) || x - y);
  });
}

/** Lists with the best other blocks added until there are `total`. */
function filled(chosen: Parameters<typeof idsOf>[0], ranks: readonly number[][], seen: Int32Array, total: number) {
  const perHead = seen.length;
  return rowsFrom(
    Array.from(chosen.count, (_, row) => {
      const ids = new Set(idsOf(chosen, row));
      for (const b of ranks[Math.floor(row / perHead)] as number[]) {
        if (ids.size >= total) break;
        if (b < (seen[row % perHead] as number)) ids.add(b);
      }
      return [...ids].sort((x, y) => x - y);
    }),
  );
}
