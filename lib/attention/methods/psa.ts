import { rangeError } from '../../errors.js';
import type { TensorLike } from '../../tensor.js';
import { integer } from '../../validate.js';
import { headsOf, type Shape, takeTokens } from '../heads.js';
import { selectLevels } from '../levels.js';
import { merge } from '../merge.js';
import { plan } from '../plan.js';
import { pool } from '../pool.js';
import { score } from '../score.js';
import type { AttentionResult, Rows } from '../types.js';
import { listPattern } from './common.js';
import { type MethodResult, reported } from './report.js';
import { type MethodOptions, methodOptions, passed, passedTo, shapeOf } from './shape.js';

/** Options of {@link psa}. Attention is not causal. */
export interface PsaOptions extends Omit<MethodOptions, 'causal' | 'layout'> {
  /** Shares of the key blocks, ascending: up to which rank a block is seen in full and in means of 2, 4 and 8; the rest is skipped. Default [0.05, 0.1, 0.15, 0.25]. */
  readonly quotas?: readonly [full: number, halves: number, quarters: number, eighths: number];
  /** Tokens of a query block; default 128. */
  readonly queryBlock?: number;
  /** Tokens of a key block, a multiple of 8; default 64. */
  readonly keyBlock?: number;
}

/** What {@link Psa.prefill} gives; `pattern` and `report` are of the full level, `density` counts all levels. */
export interface PsaResult extends MethodResult {
  /** The key blocks that are seen in full and in means of 2, 4 and 8. */
  readonly levels: readonly Rows[];
}

/** What {@link psa} returns. */
export interface Psa {
  /** Chooses and attends; q, k and v in the layout 'BHSD'. */
  prefill(q: TensorLike, k: TensorLike, v: TensorLike): Promise<PsaResult>;
}

const folds = [1, 2, 4, 8];

/**
 * Pyramid sparse attention: key blocks are ranked by the scores of every fourth token; the best are attended to in full, the next in means of
 * 2, 4 and 8 keys and values, each of which counts for as many (its logit has ln 2, 4 or 8 added). The authors sample tokens at random.
 *
 * Li et al., "PSA: Pyramid Sparse Attention for Efficient Video Understanding and Generation" (2025).
 *
 * @throws TypeError `ERR_SK_TYPE`, RangeError `ERR_SK_OPTION`
 * @example
 * ```ts
 * import { attention } from 'sparse-kernels';
 * const x = { data: new Float32Array(1024 * 8).map(Math.sin), dims: [1, 1, 1024, 8] };
 * const { output, density } = await attention.methods.psa({ quotas: [0.1, 0.2, 0.4, 1] }).prefill(x, x, x);
 * ```
 */
export function psa(psaOptions: PsaOptions = {}): Psa {
  const given = methodOptions<PsaOptions & { causal?: never; layout?: never }>(psaOptions, ['quotas', 'queryBlock', 'keyBlock']);
  const o = { ...given, causal: false };
  const quotas = o.quotas ?? [0.05, 0.1, 0.15, 0.25];
  const [bq, bk] = [integer(o.queryBlock ?? 128, 'queryBlock', 4, 2 ** 20), integer(o.keyBlock ?? 64, 'keyBlock', 8, 2 ** 20)];
  if (bk % 8 !== 0 || bq % 4 !== 0 || quotas.length !== folds.length) {
    throw rangeError(
      'ERR_SK_OPTION',
      `expected four quotas, queryBlock a multiple of 4 and keyBlock of 8 but received ${quotas.length}, ${bq} and ${bk}`,
    );
  }
  return {
    prefill: async (q, k, v) => {
      const s = shapeOf(q, k);
      const fourth = (x: TensorLike, heads: number, tokens: number) => {
        const sample = Array.from({ length: Math.ceil(tokens / 4) }, (_, i) => 4 * i);
        return { data: takeTokens(headsOf(x, 'x', 'BHSD'), sample), dims: [s.batch, heads, sample.length, s.dim] };
      };
      const [a, b] = [fourth(q, s.heads, s.queries), fourth(k, s.kvHeads, s.keys)];
      const ranked = await score(a, b, { kind: 'max', blockSize: [bq / 4, bk / 4], ...passed(o) });
      const levels = await selectLevels(ranked, { quotas, ...passedTo(o) });
      const at = (level: number) => attendFolded(q, k, v, s, levels[level] as Rows, folds[level] as number, [bq, bk], o);
      const parts = [await at(0), await at(1), await at(2), await at(3)] as const;
      const [full] = parts;
      const density = parts.reduce((sum, part) => sum + part.density, 0);
      const pattern = listPattern(s, levels[0] as Rows, [bq, bk], 'q', s.heads);
      const result = await merge(...parts);
      return { ...result, ...reported({ q, k, lse: full.lse.data, density, pattern }, o), levels };
    },
  };
}

/** Attention to blocks whose keys and values are means of `fold`; of the last, which may be of fewer, too, each counts for as many as it has. */
async function attendFolded(
  q: TensorLike,
  k: TensorLike,
  v: TensorLike,
  s: Shape,
  lists: Rows,
  fold: number,
  [bq, bk]: readonly [number, number],
  o: MethodOptions,
): Promise<AttentionResult & { density: number }> {
  const mean = (x: TensorLike) => pool(x, { kind: 'mean', block: fold, ...passedTo(o) });
  const [keys, values] = fold === 1 ? [undefined, undefined] : [await mean(k), await mean(v)];
  const pattern = listPattern({ ...s, keys: Math.ceil(s.keys / fold) }, lists, [bq, bk / fold], 'q', s.heads);
  const shape = { batch: s.batch, heads: s.heads, kvHeads: s.kvHeads, headDim: s.dim };
  using attention = plan({ ...passed(o), ...shape, pattern, validate: false });
  const counts = keys && { keyBias: Float32Array.from(keys.count, Math.log) };
  const result = await attention.run(q, keys?.pooled ?? k, values?.pooled ?? v, counts ?? {});
  return { ...result, density: attention.density / fold };
}
