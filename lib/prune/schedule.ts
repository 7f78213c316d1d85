import { rangeError } from '../errors.js';
import { describe, integer, options } from '../validate.js';
import { fraction } from './scope.js';

/** Options of {@link cubicSparsity}. */
export interface CubicOptions {
  /** Sparsity at the end, in [0, 1). */
  readonly final: number;
  /** Step from which on it is reached; usual: 75 % of training. */
  readonly end: number;
  /** Sparsity before `begin`. Default 0. */
  readonly initial?: number;
  /** First step. Default 0. */
  readonly begin?: number;
  /** The sparsity changes every so many steps. Default 100. */
  readonly every?: number;
}

/**
 * Gradual pruning: fast at first, while there is much redundancy, slower towards the end.
 * `s = final + (initial - final) (1 - (step - begin) / (end - begin))³`.
 *
 * Zhu and Gupta, "To prune, or not to prune: exploring the efficacy of pruning for model compression" (2017).
 *
 * @param step - training step, from 0
 * @returns the sparsity to prune to at this step
 * @throws TypeError `ERR_SK_TYPE`, RangeError `ERR_SK_OPTION`
 * @example
 * ```ts
 * import { prune } from 'sparse-kernels';
 * prune.cubicSparsity(500, { final: 0.8, end: 1000 }); // 0.7
 * ```
 */
export function cubicSparsity(step: number, cubicOptions: CubicOptions): number {
  const o = options<CubicOptions>(cubicOptions, 'options', ['final', 'end', 'initial', 'begin', 'every']);
  const [final, initial] = [fraction(o.final, 'final'), fraction(o.initial ?? 0, 'initial')];
  const begin = integer(o.begin ?? 0, 'begin', 0, Number.MAX_SAFE_INTEGER);
  const end = integer(o.end, 'end', 0, Number.MAX_SAFE_INTEGER);
  const every = integer(o.every ?? 100, 'every', 1, Number.MAX_SAFE_INTEGER);
  const now = integer(step, 'step', 0, Number.MAX_SAFE_INTEGER);
  if (end <= begin) throw rangeError('ERR_SK_OPTION', `expected end to be after begin, ${begin}, but received ${describe(end)}`);
  if (now >= end) return final;
  const elapsed = Math.floor(Math.max(now - begin, 0) / every) * every;
  if (elapsed === 0) return initial; // rounded as below it could be one weight more or less
  return final + (initial - final) * (1 - elapsed / (end - begin)) ** 3;
}
