import { rangeError } from '../../errors.js';
import type { Tensor, TensorLike } from '../../tensor.js';
import { integer, number } from '../../validate.js';
import { headsOf, type Shape, takeTokens } from '../heads.js';
import { selectLevels } from '../levels.js';
import { merge } from '../merge.js';
import { plan } from '../plan.js';
import { pool } from '../pool.js';
import { score } from '../score.js';
import type { AttentionResult, Rows } from '../types.js';
import { mostScores } from './chunks.js';
import { listPattern } from './common.js';
import { type MethodResult, reported } from './report.js';
import { type MethodOptions, methodOptions, passed, passedTo, shapeOf } from './shape.js';

/** Options of {@link psa}. Attention is not causal. */
export interface PsaOptions extends Omit<MethodOptions, 'causal' | 'layout'> {
  /**
   * Shares of the key blocks, ascending, rounded up: up to which rank a block is seen in full and in means of 2, 4 and 8; the rest is
   * skipped. Default [0.05, 0.1, 0.15, 0.25].
   */
  readonly quotas?: readonly [full: number, halves: number, quarters: number, eighths: number];
  /**
   * Instead of quotas: shares of the importance of all blocks, ascending; a level ends with the block that exceeds its share. The authors
   * use [0.4, 0.5, 0.6, 0.8] and [0.5, 0.6, 0.7, 0.8].
   */
  readonly energies?: readonly [full: number, halves: number, quarters: number, eighths: number];
  /** With `energies`: more than this share of the key blocks is seen in full; default 0.06. */
  readonly fullShare?: number;
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
 * 2, 4 and 8 keys and values, each of which counts for as many (its logit has ln 2, 4 or 8 added). The importance of a key block is the
 * greatest exp(s - m) of the sampled queries: s the query's largest score in the block, m that in all.
 *
 * The authors sample tokens at random, round the length of a level to what fills their tiles, and can see blocks whose neighbouring keys
 * differ in full, which is not here. Dense first steps of denoising, and the order of tokens ({@link permute}), are the caller's.
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
  const given = methodOptions<PsaOptions & { causal?: never; layout?: never }>(
    psaOptions,
    ['quotas', 'energies', 'fullShare', 'queryBlock', 'keyBlock'],
    ['causal', 'layout'],
  );
  const o = { ...given, causal: false };
  if (o.quotas !== undefined && o.energies !== undefined) throw rangeError('ERR_SK_OPTION', 'expected either quotas or energies');
  if (o.fullShare !== undefined && o.energies === undefined) throw rangeError('ERR_SK_OPTION', 'expected fullShare with energies only');
  const shares = o.energies ?? o.quotas ?? [0.05, 0.1, 0.15, 0.25];
  const fullShare = number(o.fullShare ?? 0.06, 'fullShare', 0, 1);
  const [bq, bk] = [integer(o.queryBlock ?? 128, 'queryBlock', 4, 2 ** 20), integer(o.keyBlock ?? 64, 'keyBlock', 8, 2 ** 20)];
  if (bk % 8 !== 0 || bq % 4 !== 0 || shares.length !== folds.length) {
    throw rangeError(
      'ERR_SK_OPTION',
      `expected four shares, queryBlock a multiple of 4 and keyBlock of 8 but received ${shares.length}, ${bq} and ${bk}`,
    );
  }
  return {
    prefill: async (q, k, v) => {
      const s = shapeOf(q, k);
      const ranked = await importances(q, k, s, [bq, bk], o);
      const columns = ranked.dims[3] as number;
      const rule =
        o.energies === undefined
          ? { quotas: shares }
          : { energies: shares, minCount: Math.min(columns, Math.floor(fullShare * columns) + 1) };
      const levels = await selectLevels(ranked, { ...rule, ...passedTo(o) });
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

/** Of every (query block, key block), from every fourth token of both. Some query blocks at a time: each sampled query has a row of its own. */
async function importances(q: TensorLike, k: TensorLike, s: Shape, [bq, bk]: readonly [number, number], o: MethodOptions): Promise<Tensor> {
  const fourth = (x: TensorLike, heads: number, first: number, end: number) => {
    const sample = Array.from({ length: Math.ceil((end - first) / 4) }, (_, i) => first + 4 * i);
    return { data: takeTokens(headsOf(x, 'x', 'BHSD'), sample), dims: [s.batch, heads, sample.length, s.dim] };
  };
  const keys = fourth(k, s.kvHeads, 0, s.keys);
  const [slices, rows, columns] = [s.batch * s.heads, Math.ceil(s.queries / bq), Math.ceil(s.keys / bk)];
  const data = new Float32Array(slices * rows * columns);
  const most = Math.max(1, Math.floor(mostScores / (slices * (bq / 4) * Math.max(1, columns))));
  for (let first = 0; first < rows; first += most) {
    const queries = fourth(q, s.heads, first * bq, Math.min((first + most) * bq, s.queries));
    const best = await score(queries, keys, { kind: 'max', blockSize: [1, bk / 4], ...passed(o) });
    const sampled = queries.dims[2] as number;
    for (let r = 0; r < slices * sampled; r++) {
      const row = best.data.subarray(r * columns, (r + 1) * columns);
      const most = row.reduce((a, b) => Math.max(a, b), -Infinity);
      const to = (Math.floor(r / sampled) * rows + first + Math.floor((4 * (r % sampled)) / bq)) * columns;
      for (let c = 0; c < columns; c++) data[to + c] = Math.max(data[to + c] as number, Math.exp((row[c] as number) - most));
    }
  }
  return { type: 'float32', data, dims: [s.batch, s.heads, rows, columns] };
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
