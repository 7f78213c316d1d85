import { rangeError } from '../../errors.js';
import { integer } from '../../validate.js';
import { listPattern, type PrefillMethod, prefillMethod, rowsFrom } from './common.js';
import { blockLimits, type MethodOptions, methodOptions } from './shape.js';

/** Options of {@link moa}. Attention is causal. */
export interface MoaOptions extends Omit<MethodOptions, 'causal'> {
  /** Fixed part of each head's window, in tokens; one layer of `alphas` of the authors' JSON files. May be negative. */
  readonly alphas: readonly number[];
  /** Part of each head's window that grows with the sequence, as a share of it; one layer of `betas`. */
  readonly betas: readonly number[];
  /** The first so many blocks of 64 are always seen; default 1. */
  readonly globalBlocks?: number;
}

/**
 * MoA: every head has a sliding window of its own, alpha + beta N tokens, found offline; in blocks of 64, floor(alpha / 64) + beta ceil(N / 64)
 * of them, rounded down, at least one.
 *
 * Fu et al., "MoA: Mixture of Sparse Attention for Automatic Large Language Model Compression" (2024).
 *
 * @throws TypeError `ERR_SK_TYPE`, RangeError `ERR_SK_OPTION` / `ERR_SK_SHAPE`
 * @example
 * ```ts
 * import { attention } from 'sparse-kernels';
 * const x = { data: new Float32Array(2 * 512 * 8), dims: [1, 2, 512, 8] };
 * const { output } = await attention.methods.moa({ alphas: [128, -64], betas: [0, 0.5] }).prefill(x, x, x);
 * ```
 */
export function moa(moaOptions: MoaOptions): PrefillMethod {
  const o = methodOptions<MoaOptions & { causal?: never }>(moaOptions, ['alphas', 'betas', 'globalBlocks'], ['causal']);
  const global = integer(o.globalBlocks ?? 1, 'globalBlocks', 0, 2 ** 20);
  const { alphas, betas } = o;
  if (!Array.isArray(alphas) || !Array.isArray(betas) || ![...alphas, ...betas].every(Number.isFinite)) {
    throw rangeError('ERR_SK_OPTION', 'expected alphas and betas to be lists of numbers, one a head');
  }
  return prefillMethod(o, async (_q, _k, s) => {
    if (alphas.length !== s.heads || betas.length !== s.heads) {
      throw rangeError('ERR_SK_SHAPE', `expected ${s.heads} alphas and betas but received ${alphas.length} and ${betas.length}`);
    }
    const limits = blockLimits(s, [64, 64], true);
    const lists = alphas.flatMap((alpha, h) => {
      const blocks = Math.max(1, Math.floor(Math.floor(alpha / 64) + (betas[h] as number) * Math.ceil(s.keys / 64)));
      return Array.from(limits, (limit) => Array.from({ length: limit }, (_, j) => j).filter((j) => j < global || j >= limit - blocks));
    });
    return listPattern({ ...s, batch: 1 }, rowsFrom(lists), [64, 64], 'q', s.heads);
  });
}
