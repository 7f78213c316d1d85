import { rangeError } from '../../errors.js';
import { describe, integer } from '../../validate.js';
import type { Pattern } from '../types.js';
import { attend } from './common.js';
import { denseStep } from './dense.js';
import { chosenBefore, type DenoisingMethod, dimsOf } from './diffusion.js';
import { type MethodOptions, methodOptions } from './shape.js';

/** Options of {@link reTtention}. */
export interface ReTtentionOptions extends MethodOptions {
  /** The static pattern of the sparse steps: the text and a window of each frame, say. */
  readonly pattern: Pattern;
  /** Steps with dense attention, which measure what the pattern misses. Step 0 must be one. */
  readonly fullSteps: readonly number[];
  /** Factor of the residual at each step; default 1. */
  readonly lambda?: (step: number) => number;
}

/**
 * Re-ttention: a full step stores, for every query, rho = Z_sparse / Z_full and the residual R = O_full - rho O_sparse; a sparse step returns
 * rho O_sparse + lambda R, so that the share that the pattern misses is not handed to what it lists.
 *
 * Chen et al., "Re-ttention: Ultra Sparse Visual Generation via Attention Statistical Reshape" (2025).
 *
 * @throws TypeError `ERR_SK_TYPE`, RangeError `ERR_SK_OPTION`
 * @example
 * ```ts
 * import { attention } from 'sparse-kernels';
 * const x = { data: new Float32Array(256 * 8).map(Math.sin), dims: [1, 1, 256, 8] };
 * const pattern = attention.patterns.band({ queryLength: 256, before: 32, after: 32 });
 * const layer = attention.methods.reTtention({ pattern, fullSteps: [0] });
 * await layer.attend(0, x, x, x);
 * const { output } = await layer.attend(1, x, x, x);
 * ```
 */
export function reTtention(rettentionOptions: ReTtentionOptions): DenoisingMethod {
  const o = { causal: false, ...methodOptions<ReTtentionOptions>(rettentionOptions, ['pattern', 'fullSteps', 'lambda']) };
  const { fullSteps, pattern, lambda = () => 1 } = o;
  if (!Array.isArray(fullSteps) || !fullSteps.includes(0)) {
    throw rangeError('ERR_SK_OPTION', `expected fullSteps to be a list with step 0 but received ${describe(fullSteps)}`);
  }
  if (o.layout === 'BSHD') throw rangeError('ERR_SK_OPTION', "expected the layout 'BHSD'");
  let cached: { rho: Float32Array; residual: Float32Array; dims: string } | undefined;
  return {
    attend: async (step, q, k, v) => {
      const { rho, residual } = fullSteps.includes(integer(step, 'step', 0, 2 ** 31 - 1))
        ? { rho: undefined, residual: undefined }
        : chosenBefore(cached, step, q, k);
      const sparse = await attend(q, k, v, pattern, o, { validate: true }); // the caller's lists
      const dim = q.dims[3] as number;
      if (rho === undefined) {
        const full = await denseStep(q, k, v, o);
        const share = full.lse.data.map((lse, row) =>
          lse === Number.NEGATIVE_INFINITY ? 0 : Math.exp((sparse.lse.data[row] as number) - lse),
        );
        const missed = full.output.data.map((x, i) => x - (share[Math.floor(i / dim)] as number) * (sparse.output.data[i] as number));
        cached = { rho: share, residual: missed, dims: dimsOf(q, k) };
        return full;
      }
      const factor = lambda(step);
      const data = sparse.output.data.map((x, i) => (rho[Math.floor(i / dim)] as number) * x + factor * (residual[i] as number));
      return { ...sparse, output: { ...sparse.output, data } };
    },
  };
}
