import { integer } from '../../validate.js';
import { dense } from '../patterns.js';
import { pool } from '../pool.js';
import { poolScores } from '../poolscores.js';
import { score } from '../score.js';
import { select } from '../select.js';
import { chosenInChunks } from './chunks.js';
import { headsFirst, listPattern, type PrefillMethod, prefillMethod } from './common.js';
import { type MethodOptions, methodOptions, passed, passedTo } from './shape.js';
import { blocksSeen, overlapping, windowLimits } from './windows.js';

/** Options of {@link infllmV2}. Attention is causal. */
export interface InfllmV2Options extends Omit<MethodOptions, 'causal'> {
  /** Blocks of 64 tokens of each query and key-value head, forced ones included; default 64. */
  readonly blocks?: number;
  /** The first so many blocks are forced; default 1. */
  readonly initial?: number;
  /** The last so many blocks are forced; default 32, a window of 2048 tokens. */
  readonly local?: number;
  /** Attention to fewer tokens than these is dense; default 8192. */
  readonly denseLength?: number;
}

/**
 * InfLLM-v2: blocks are ranked for every query and key-value head by the softmax over means of overlapping windows (32 tokens, one every
 * 16), summed over the group; a block takes the greatest of the windows that overlap it. No weights beyond the model's.
 *
 * Zhao et al., "InfLLM-V2: Dense-Sparse Switchable Attention for Seamless Short-to-Long Adaptation" (2025).
 *
 * @throws TypeError `ERR_SK_TYPE`, RangeError `ERR_SK_OPTION`
 * @example
 * ```ts
 * import { attention } from 'sparse-kernels';
 * const x = { data: new Float32Array(512 * 8).map(Math.sin), dims: [1, 1, 512, 8] };
 * const { output } = await attention.methods.infllmV2({ blocks: 4, local: 2, denseLength: 256 }).prefill(x, x, x);
 * ```
 */
export function infllmV2(infllmOptions: InfllmV2Options = {}): PrefillMethod {
  const o = methodOptions<InfllmV2Options & { causal?: never }>(infllmOptions, ['blocks', 'initial', 'local', 'denseLength'], ['causal']);
  const topK = integer(o.blocks ?? 64, 'blocks', 1, 2 ** 20);
  const force = { sink: integer(o.initial ?? 1, 'initial', 0, 2 ** 20), local: integer(o.local ?? 32, 'local', 0, 2 ** 20) };
  const denseLength = integer(o.denseLength ?? 8192, 'denseLength', 0, 2 ** 31 - 1);
  const w = { length: 32, stride: 16, block: 64 };
  return prefillMethod(o, async (q, k, s) => {
    if (s.keys < denseLength) return dense({ queryLength: s.queries, keyLength: s.keys, causal: true });
    const { scale, ...rest } = passed(o);
    const { pooled } = await pool(k, { kind: 'mean', block: w.length, stride: w.stride, ...rest });
    const limit = windowLimits(s, w, pooled.dims[2] as number);
    const seen = blocksSeen(s, w);
    const windows = pooled.dims[2] as number;
    const lists = await chosenInChunks(await headsFirst(q, o), s, s.kvHeads, s.batch * s.kvHeads * windows, async (queries, first, n) => {
      const scores = await score(queries, pooled, {
        kind: 'softmax',
        group: 'sum',
        limit: limit.subarray(first, first + n),
        ...(scale !== undefined && { scale }),
        ...passedTo(o),
      });
      const ranked = poolScores(scores, { ...overlapping(w), windows: Math.ceil(s.keys / w.block) });
      return select(ranked, { topK, limit: seen.subarray(first, first + n), force, ...passedTo(o) });
    });
    return listPattern(s, lists, [1, w.block], 'kv', s.kvHeads);
  });
}
