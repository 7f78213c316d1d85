import { rangeError, typeError } from '../../errors.js';
import { describe, integer } from '../../validate.js';
import { select } from '../select.js';
import type { Pattern } from '../types.js';
import { attend, listPattern } from './common.js';
import { denseStep } from './dense.js';
import { chosenBefore, type DenoisingMethod, dimsOf, massOf } from './diffusion.js';
import { blockLimits, type MethodOptions, methodOptions, passedTo, shapeOf } from './shape.js';

/** Options of {@link adaSpa}. */
export interface AdaSpaOptions extends MethodOptions {
  /** Share of the tiles that is left out; one for all heads, or one for each. Default 0.8. */
  readonly sparsity?: number | readonly number[];
  /** Steps with dense attention, which choose the tiles of the steps after them. Step 0 must be one. */
  readonly searchSteps: readonly number[];
  /** Tokens of a block; default 64. */
  readonly block?: number;
  /** The last so many keys, a text behind the video, are always seen, rounded up to blocks; default 0. */
  readonly textTokens?: number;
}

/**
 * AdaSpa: at a few denoising steps attention is dense, and its log-sum-exp gives the mass of every tile without a second softmax; the tiles
 * of most mass are used until the next search.
 *
 * Xia et al., "Training-free and Adaptive Sparse Attention for Efficient Long Video Generation" (2025).
 *
 * @throws TypeError `ERR_SK_TYPE`, RangeError `ERR_SK_OPTION`
 * @example
 * ```ts
 * import { attention } from 'sparse-kernels';
 * const x = { data: new Float32Array(256 * 8).map(Math.sin), dims: [1, 1, 256, 8] };
 * const layer = attention.methods.adaSpa({ sparsity: 0.5, searchSteps: [0] });
 * await layer.attend(0, x, x, x); // dense
 * const { density } = await layer.attend(1, x, x, x); // 0.5
 * ```
 */
export function adaSpa(adaOptions: AdaSpaOptions): DenoisingMethod {
  const o = { causal: false, ...methodOptions<AdaSpaOptions>(adaOptions, ['sparsity', 'searchSteps', 'block', 'textTokens']) };
  const block = integer(o.block ?? 64, 'block', 1, 2 ** 20);
  const text = Math.ceil(integer(o.textTokens ?? 0, 'textTokens', 0, 2 ** 30) / block);
  const { sparsity = 0.8, searchSteps } = o;
  if (!Array.isArray(searchSteps) || !searchSteps.includes(0)) {
    throw rangeError('ERR_SK_OPTION', `expected searchSteps to be a list with step 0 but received ${describe(searchSteps)}`);
  }
  if (typeof sparsity !== 'number' && !Array.isArray(sparsity)) {
    throw typeError('ERR_SK_TYPE', `expected sparsity to be a number or a list of numbers but received ${describe(sparsity)}`);
  }
  let choice: { pattern: Pattern; dims: string } | undefined;
  return {
    attend: async (step, q, k, v) => {
      if (!searchSteps.includes(integer(step, 'step', 0, 2 ** 31 - 1))) return attend(q, k, v, chosenBefore(choice, step, q, k).pattern, o);
      const s = shapeOf(q, k, o.layout);
      const perHead = typeof sparsity === 'number' ? Array.from({ length: s.heads }, () => sparsity) : sparsity;
      if (perHead.length !== s.heads || !perHead.every((x) => x >= 0 && x <= 1)) {
        throw rangeError('ERR_SK_OPTION', `expected sparsity from 0 to 1, one or ${s.heads} of them, but received ${describe(sparsity)}`);
      }
      const result = await denseStep(q, k, v, o);
      const mass = await massOf(q, k, result.lse, [block, block], o);
      const [rows, columns] = [mass.dims[2] as number, mass.dims[3] as number];
      const topK = Int32Array.from({ length: s.batch * s.heads * rows }, (_, row) =>
        Math.ceil((1 - (perHead[Math.floor(row / rows) % s.heads] as number)) * columns - 1e-9),
      );
      const limit = blockLimits(s, [block, block], o.causal);
      const lists = await select(mass, { topK, limit, force: { local: text }, ...passedTo(o) });
      choice = { pattern: listPattern(s, lists, [block, block], 'q', s.heads), dims: dimsOf(q, k) };
      return result;
    },
  };
}
