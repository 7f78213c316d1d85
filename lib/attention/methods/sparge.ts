import { rangeError } from '../../errors.js';
import type { TensorLike } from '../../tensor.js';
import { flag, number } from '../../validate.js';
import type { Shape } from '../heads.js';
import { idsOf, sizesOf } from '../lists.js';
import { pool } from '../pool.js';
import { score } from '../score.js';
import { select } from '../select.js';
import { listPattern, type PrefillMethod, prefillMethod, rowsFrom } from './common.js';
import { blockLimits, type MethodOptions, methodOptions, passed, passedTo } from './shape.js';

/** Options of {@link spargeAttn}. */
export interface SpargeAttnOptions extends MethodOptions {
  /** Blocks whose tokens are less alike than this (mean cosine of all pairs) are not judged by their mean; default 0.6, with `topK` -0.1. */
  readonly similarity?: number;
  /** Longest prefix of each row's softmax whose sum does not exceed this; default 0.98. */
  readonly topP?: number;
  /** Instead of `topP`: the share of the key blocks that each row keeps, rounded up. The authors take 0.5. */
  readonly topK?: number;
  /** Whether the first key block is always kept; default false. */
  readonly sink?: boolean;
  /** Skips values whose weights would be below exp(-pvSkip), as {@link PlanOptions.pvSkip}; default 50, which nobody sees in float32. */
  readonly pvSkip?: number;
  /** Tokens of a query and of a key block; default [128, 64]. */
  readonly blockSize?: readonly [queries: number, keys: number];
}

/**
 * SpargeAttn, the float path: means of blocks whose tokens are alike predict the attention map; key and query blocks that are not alike are
 * always computed. With `pvSkip` values that hardly count are skipped inside the kernel. The authors' 8-bit products are not part of it.
 *
 * Zhang et al., "SpargeAttention: Accurate and Training-free Sparse Attention Accelerating Any Model Inference" (ICML 2025).
 *
 * @throws TypeError `ERR_SK_TYPE`, RangeError `ERR_SK_OPTION`
 * @example
 * ```ts
 * import { attention } from 'sparse-kernels';
 * const x = { data: new Float32Array(512 * 16).map(Math.sin), dims: [1, 1, 512, 16] };
 * const { output } = await attention.methods.spargeAttn({ topP: 0.9 }).prefill(x, x, x);
 * ```
 */
export function spargeAttn(spargeOptions: SpargeAttnOptions = {}): PrefillMethod {
  const o = methodOptions<SpargeAttnOptions>(spargeOptions, ['similarity', 'topP', 'topK', 'sink', 'pvSkip', 'blockSize']);
  const { blockSize: size } = sizesOf({ queryLength: 1, blockSize: o.blockSize ?? [128, 64] });
  const similarity = number(o.similarity ?? (o.topK === undefined ? 0.6 : -0.1), 'similarity');
  if (o.topK !== undefined && o.topP !== undefined) throw rangeError('ERR_SK_OPTION', 'expected one of topP and topK');
  if (o.topK !== undefined) number(o.topK, 'topK', 0, 1);
  if (o.topP !== undefined) number(o.topP, 'topP', 0, 1);
  const causal = o.causal ?? true;
  const sink = flag(o.sink ?? false, 'sink');
  const choose = async (q: TensorLike, k: TensorLike, s: Shape) => {
    const { scale, ...rest } = passed(o);
    const summary = async (x: typeof q, block: number) => ({
      means: (await pool(x, { kind: 'mean', block, ...rest })).pooled,
      alike: (await pool(x, { kind: 'similarity', block, ...rest })).pooled.data.map((cosine) => (cosine > similarity ? 1 : 0)),
    });
    const [queries, keys] = [await summary(q, size[0]), await summary(k, size[1])];
    const [rows, columns] = [Math.ceil(s.queries / size[0]), Math.ceil(s.keys / size[1])];
    const limit = blockLimits(s, size, causal);
    const { data } = await score(queries.means, keys.means, { scale: scale ?? 1 / Math.sqrt(s.dim), limit, ...passedTo(o) });
    const kvRow = (row: number) => Math.floor(row / rows / (s.heads / s.kvHeads)) * columns;
    for (let row = 0; row < data.length / columns; row++) {
      const own = data.subarray(row * columns, (row + 1) * columns);
      for (let j = 0; j < columns; j++) if (!keys.alike[kvRow(row) + j]) own[j] = Number.NEGATIVE_INFINITY;
      toSoftmax(own);
    }
    const scores = { data, dims: [s.batch, s.heads, rows, columns] };
    const rule =
      o.topK === undefined
        ? { topP: o.topP ?? 0.98, crossing: 'exclude' as const, minCount: 1 }
        : { topK: Math.ceil(o.topK * columns - 1e-9) };
    const chosen = await select(scores, { ...rule, limit, force: { sink: sink ? 1 : 0 }, ...passedTo(o) });
    const lists = Array.from({ length: s.batch * s.heads * rows }, (_, row) => {
      const ids = new Set(idsOf(chosen, row));
      const seen = limit[row % rows] as number;
      return Array.from({ length: seen }, (_, j) => j).filter((j) => ids.has(j) || !queries.alike[row] || !keys.alike[kvRow(row) + j]);
    });
    return listPattern(s, rowsFrom(lists), size, 'q', s.heads);
  };
  return prefillMethod(o, choose, { pvSkip: number(o.pvSkip ?? 50, 'pvSkip', Number.MIN_VALUE, Number.MAX_VALUE) });
}

/** In place; a row of nothing but -Infinity becomes zeros. */
function toSoftmax(row: Float32Array): void {
  const most = row.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  const sum = most === Number.NEGATIVE_INFINITY ? 1 : row.reduce((total, x) => total + Math.exp(x - most), 0);
  for (let j = 0; j < row.length; j++) row[j] = most === Number.NEGATIVE_INFINITY ? 0 : Math.exp((row[j] as number) - most) / sum;
}
