import { rangeError } from '../../errors.js';
import type { TensorLike } from '../../tensor.js';
import { integer, oneOf } from '../../validate.js';
import type { Shape } from '../heads.js';
import { merge } from '../merge.js';
import { dense } from '../patterns.js';
import { plan } from '../plan.js';
import { pool } from '../pool.js';
import type { Pattern } from '../types.js';
import { attend, listPattern, rowsFrom } from './common.js';
import type { MethodResult } from './report.js';
import { type MethodOptions, methodOptions, passed, passedTo, shapeOf } from './shape.js';

/** Options of {@link combiner}. Attention is causal. */
export interface CombinerOptions extends Omit<MethodOptions, 'causal' | 'layout'> {
  /** Tokens of a segment; default the root of the number of keys, rounded up. */
  readonly segment?: number;
  /** How the keys, and the queries, of a segment become one; default `'mean'`. */
  readonly pooling?: 'mean' | 'max';
}

/** What {@link combiner} returns. */
export interface Combiner {
  /** q, k and v [batch, heads, N, headDim]. `pattern`, `density` and `report` of the result are of the exact branch, the own segment. */
  prefill(q: TensorLike, k: TensorLike, v: TensorLike): Promise<MethodResult>;
}

/**
 * Combiner, the fixed factorisation: one softmax over the keys of the own segment and one summary of each earlier segment. A summary's key is
 * the pooled key, its value what the segment's pooled query sees inside the segment. For a backbone trained with it.
 *
 * Ren et al., "Combiner: Full Attention Transformer with Sparse Computation Cost" (NeurIPS 2021).
 *
 * @throws TypeError `ERR_SK_TYPE`, RangeError `ERR_SK_OPTION` / `ERR_SK_SHAPE`
 * @example
 * ```ts
 * import { attention } from 'sparse-kernels';
 * const x = { data: new Float32Array(256 * 8).map(Math.sin), dims: [1, 1, 256, 8] };
 * const { output } = await attention.methods.combiner({ segment: 16 }).prefill(x, x, x);
 * ```
 */
export function combiner(combinerOptions: CombinerOptions = {}): Combiner {
  const o = methodOptions<CombinerOptions & { causal?: never; layout?: never }>(
    combinerOptions,
    ['segment', 'pooling'],
    ['causal', 'layout'],
  );
  const kind = oneOf(o.pooling ?? 'mean', 'pooling', ['mean', 'max']);
  return {
    prefill: async (q, k, v) => {
      const s = shapeOf(q, k);
      if (s.kvHeads !== s.heads || s.keys !== s.queries) {
        throw rangeError('ERR_SK_SHAPE', `expected k of q's heads and tokens but received dims [${q.dims}] and [${k.dims}]`);
      }
      const block = integer(o.segment ?? Math.ceil(Math.sqrt(s.keys)), 'segment', 1, 2 ** 20);
      const own = await attend(q, k, v, diagonal(s, s.queries, [block, block]), { ...o, causal: true });
      const { pooled: queries } = await pool(q, { kind, block, ...passedTo(o) });
      const { pooled: keys } = await pool(k, { kind, block, ...passedTo(o) });
      const segments = keys.dims[2] as number;
      const { output: values } = await attend(queries, k, v, diagonal(s, segments, [1, block]), { ...o, causal: false });
      const shape = { batch: s.batch, heads: s.heads, headDim: s.dim };
      using attention = plan({ ...passed(o), ...shape, pattern: dense({ queryLength: s.queries, keyLength: segments }), causal: true });
      const earlier = await attention.run(q, keys, values, {
        queryPositions: Int32Array.from({ length: s.queries }, (_, i) => i),
        keyPositions: Int32Array.from({ length: segments }, (_, c) => (c + 1) * block), // seen from the next segment on
      });
      const { pattern, density, report } = own;
      return { ...(await merge(own, earlier)), pattern, density, report };
    },
  };
}

/** Row i lists block i. */
function diagonal(s: Shape, queries: number, blockSize: readonly [number, number]): Pattern {
  const rows = Math.ceil(queries / blockSize[0]);
  const lists = rowsFrom(Array.from({ length: rows }, (_, i) => [i]));
  return listPattern({ batch: 1, queries, keys: s.keys }, lists, blockSize, 'shared', 1);
}
