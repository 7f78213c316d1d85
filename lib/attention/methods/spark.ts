import { integer } from '../../validate.js';
import { score } from '../score.js';
import { select } from '../select.js';
import { chosenInChunks } from './chunks.js';
import { headsFirst, listPattern, type PrefillMethod, prefillMethod } from './common.js';
import { type MethodOptions, methodOptions, passedTo, positionsSeen } from './shape.js';

/** Options of {@link sparkAttention}. */
export interface SparkAttentionOptions extends MethodOptions {
  /** The first so many channels of q and k are the predictor. */
  readonly predictor: number;
  /** About so many keys a query; default 256. */
  readonly keys?: number;
}

/**
 * Spark Transformer's choice of keys: a predictor in the first channels; keys whose score exceeds mean + standard deviation x Φ⁻¹(1 - k / n) of
 * their query, which needs no sorting. Never more than `keys`. The chosen keys are attended to as usual: the authors' backbone combines
 * the predictor's logit with a softplus of the remaining channels', which a model trained so has to be given in q and k.
 *
 * You et al., "Spark Transformer: Reactivating Sparsity in FFN and Attention" (2025).
 *
 * @throws TypeError `ERR_SK_TYPE`, RangeError `ERR_SK_OPTION`
 * @example
 * ```ts
 * import { attention } from 'sparse-kernels';
 * const x = { data: new Float32Array(256 * 16).map(Math.sin), dims: [1, 1, 256, 16] };
 * const { density } = await attention.methods.sparkAttention({ predictor: 8, keys: 32 }).prefill(x, x, x);
 * ```
 */
export function sparkAttention(sparkOptions: SparkAttentionOptions): PrefillMethod {
  const o = methodOptions<SparkAttentionOptions>(sparkOptions, ['predictor', 'keys']);
  const channels = Int32Array.from({ length: integer(o.predictor, 'predictor', 1, 256) }, (_, c) => c);
  const most = integer(o.keys ?? 256, 'keys', 1, 2 ** 31 - 1);
  return prefillMethod(o, async (q, k, s) => {
    const limit = positionsSeen(s, o.causal ?? true);
    const keys = await headsFirst(k, o);
    const lists = await chosenInChunks(await headsFirst(q, o), s, s.heads, s.batch * s.heads * s.keys, async (queries, first, n) => {
      const rows = limit.subarray(first, first + n);
      const scores = await score(queries, keys, { channels, limit: rows, scale: 1, ...passedTo(o) });
      return select(scores, { gaussianK: most, capacity: Math.min(most, s.keys), limit: rows, ...passedTo(o) });
    });
    return listPattern(s, lists, [1, 64], 'q', s.heads, 'columns');
  });
}
