import { integer } from '../../validate.js';
import { band, streaming, union } from '../patterns.js';
import type { Pattern } from '../types.js';
import { listPattern, type PrefillMethod, prefillMethod, rowsFrom } from './common.js';
import { blockLimits, type MethodOptions, methodOptions } from './shape.js';

/** Options of {@link streamingLlm}. Attention is causal. */
export interface StreamingLlmOptions extends Omit<MethodOptions, 'causal'> {
  /** The first so many tokens are always seen; default 4. */
  readonly sink?: number;
  /** The last so many tokens are seen, the query's own included. */
  readonly window: number;
}

/**
 * Attention sinks and a sliding window, exact to the token. Keys keep the positions that they have in the sequence: a model that was trained
 * for positions inside the cache must rotate them before.
 *
 * Xiao et al., "Efficient Streaming Language Models with Attention Sinks" (ICLR 2024).
 *
 * @throws TypeError `ERR_SK_TYPE`, RangeError `ERR_SK_OPTION`
 * @example
 * ```ts
 * import { attention } from 'sparse-kernels';
 * const x = { data: new Float32Array(2 * 256 * 16), dims: [1, 2, 256, 16] };
 * const { output, density } = await attention.methods.streamingLlm({ window: 64 }).prefill(x, x, x);
 * ```
 */
export function streamingLlm(streamingOptions: StreamingLlmOptions): PrefillMethod {
  const o = methodOptions<StreamingLlmOptions & { causal?: never }>(streamingOptions, ['sink', 'window'], ['causal']);
  const sink = integer(o.sink ?? 4, 'sink', 0, 2 ** 31 - 1);
  const window = integer(o.window, 'window', 1, 2 ** 31 - 1);
  const choose = async (_q: unknown, _k: unknown, { queries, keys }: { queries: number; keys: number }) =>
    streaming({ queryLength: queries, keyLength: keys, sink, local: window });
  return prefillMethod(o, choose, { window, sinkTokens: sink });
}

/** Options of {@link aShape}. Attention is causal. */
export interface AShapeOptions extends Omit<MethodOptions, 'causal'> {
  /** The first so many tokens, rounded up to blocks; default 100. */
  readonly initial?: number;
  /** The last so many tokens, rounded up to blocks; default 800. */
  readonly local?: number;
}

/**
 * Initial and local blocks of 64: the A-shape of MInference.
 *
 * Jiang et al., "MInference 1.0" (NeurIPS 2024).
 *
 * @throws TypeError `ERR_SK_TYPE`, RangeError `ERR_SK_OPTION`
 * @example
 * ```ts
 * import { attention } from 'sparse-kernels';
 * const x = { data: new Float32Array(512 * 16), dims: [1, 1, 512, 16] };
 * const { output } = await attention.methods.aShape({ initial: 64, local: 128 }).prefill(x, x, x);
 * ```
 */
export function aShape(shapeOptions: AShapeOptions = {}): PrefillMethod {
  const o = methodOptions<AShapeOptions & { causal?: never }>(shapeOptions, ['initial', 'local'], ['causal']);
  return prefillMethod(o, async (_q, _k, s) => aShapePattern(s.queries, s.keys, o));
}

function aShapePattern(queryLength: number, keyLength: number, { initial = 100, local = 800 }: AShapeOptions): Pattern {
  const before = integer(local, 'local', 1, 2 ** 31 - 1) - 1;
  return band({ queryLength, keyLength, before, sink: integer(initial, 'initial', 0, 2 ** 31 - 1) });
}

/** Options of {@link triShape}. */
export interface TriShapeOptions extends AShapeOptions {
  /** The last so many queries, rounded up to blocks of 64, see everything; default 100. */
  readonly lastQueries?: number;
}

/**
 * The {@link aShape} and dense attention for the last queries, which hold the question: the tri-shape.
 *
 * Li et al., "SCBench" (ICLR 2025).
 *
 * @throws TypeError `ERR_SK_TYPE`, RangeError `ERR_SK_OPTION`
 * @example
 * ```ts
 * import { attention } from 'sparse-kernels';
 * const x = { data: new Float32Array(512 * 16), dims: [1, 1, 512, 16] };
 * const { output } = await attention.methods.triShape({ initial: 64, local: 128 }).prefill(x, x, x);
 * ```
 */
export function triShape(shapeOptions: TriShapeOptions = {}): PrefillMethod {
  const o = methodOptions<TriShapeOptions & { causal?: never }>(shapeOptions, ['initial', 'local', 'lastQueries'], ['causal']);
  const last = integer(o.lastQueries ?? 100, 'lastQueries', 0, 2 ** 31 - 1);
  return prefillMethod(o, async (_q, _k, s) => {
    const limits = blockLimits(s, [64, 64], true);
    const dense = Array.from(limits, (limit, i) => Array.from({ length: (i + 1) * 64 > s.queries - last ? limit : 0 }, (_, j) => j));
    return union(aShapePattern(s.queries, s.keys, o), listPattern({ ...s, batch: 1 }, rowsFrom(dense), [64, 64], 'shared', 1));
  });
}
