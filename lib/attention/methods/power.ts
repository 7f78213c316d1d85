import { integer } from '../../validate.js';
import { listPattern, type PrefillMethod, prefillMethod, rowsFrom } from './common.js';
import { blockLimits, type MethodOptions, methodOptions } from './shape.js';

/** Options of {@link powerAttention}. Attention is causal. The authors' sizes are not public: what has no default here must be chosen. */
export interface PowerAttentionOptions extends Omit<MethodOptions, 'causal'> {
  /** The last so many tokens, rounded up to blocks. */
  readonly window: number;
  /** The first so many tokens, rounded up to blocks. */
  readonly sink: number;
  /** Tokens of a block. */
  readonly block: number;
}

/**
 * PowerAttention: first keys, local keys, and the blocks at distances of powers of two, so that d layers see 2^d tokens.
 *
 * Chen et al., "PowerAttention: Exponentially Scaling of Receptive Fields for Effective Sparse Attention" (2025); written from its abstract.
 *
 * @throws TypeError `ERR_SK_TYPE`, RangeError `ERR_SK_OPTION`
 * @example
 * ```ts
 * import { attention } from 'sparse-kernels';
 * const x = { data: new Float32Array(1024 * 8), dims: [1, 1, 1024, 8] };
 * const { density } = await attention.methods.powerAttention({ window: 64, sink: 64, block: 64 }).prefill(x, x, x);
 * ```
 */
export function powerAttention(powerOptions: PowerAttentionOptions): PrefillMethod {
  const o = methodOptions<PowerAttentionOptions & { causal?: never }>(powerOptions, ['window', 'sink', 'block'], ['causal']);
  const block = integer(o.block, 'block', 1, 2 ** 20);
  const local = Math.ceil(integer(o.window, 'window', 1, 2 ** 31 - 1) / block);
  const sink = Math.ceil(integer(o.sink, 'sink', 0, 2 ** 31 - 1) / block);
  return prefillMethod(o, async (_q, _k, s) => {
    const lists = Array.from(blockLimits(s, [block, block], true), (limit) =>
      Array.from({ length: limit }, (_, j) => j).filter((j) => {
        const distance = limit - 1 - j;
        return j < sink || distance < local || Number.isInteger(Math.log2(distance));
      }),
    );
    return listPattern({ ...s, batch: 1 }, rowsFrom(lists), [block, block], 'shared', 1);
  });
}
