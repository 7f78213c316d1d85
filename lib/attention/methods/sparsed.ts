import { integer, number } from '../../validate.js';
import { union } from '../patterns.js';
import { select } from '../select.js';
import type { Pattern } from '../types.js';
import { attend, listPattern } from './common.js';
import { denseStep } from './dense.js';
import { chosenBefore, type DenoisingMethod, dimsOf, massOf } from './diffusion.js';
import { type MethodOptions, methodOptions, passedTo, shapeOf } from './shape.js';

/** Options of {@link sparseD}. Attention is not causal. */
export interface SparseDOptions extends Omit<MethodOptions, 'causal'> {
  /** Denoising steps of the whole generation: the first fifth of them is dense. */
  readonly steps: number;
  /** Keys of the prompt, which come first; the others are being generated. Rounded to blocks. */
  readonly promptLength: number;
  /** Share of the blocks that each row keeps, of the prompt and of the rest; default 0.3 for blocks of 128, 0.5 for others. */
  readonly keep?: number;
  /** Tokens of a block; default 128. */
  readonly block?: number;
}

/**
 * SparseD, for diffusion language models: dense attention for the first fifth of the steps; the step after that chooses, for every block of
 * queries, the blocks of most mass among the prompt's keys and among the generated ones separately; all later steps use them. The scale is
 * 1 / sqrt(headDim) in the choice as well, unlike in the authors' code.
 *
 * Wang et al., "SparseD: Sparse Attention for Diffusion Language Models" (2025).
 *
 * @throws TypeError `ERR_SK_TYPE`, RangeError `ERR_SK_OPTION`
 * @example
 * ```ts
 * import { attention } from 'sparse-kernels';
 * const x = { data: new Float32Array(512 * 8).map(Math.sin), dims: [1, 1, 512, 8] };
 * const layer = attention.methods.sparseD({ steps: 5, promptLength: 256, block: 64 });
 * for (let step = 0; step < 5; step++) await layer.attend(step, x, x, x); // steps 0 and 1 are dense, 2 to 4 half of it
 * ```
 */
export function sparseD(sparseDOptions: SparseDOptions): DenoisingMethod {
  const known = ['steps', 'promptLength', 'keep', 'block'] as const;
  const given = methodOptions<SparseDOptions & { causal?: never }>(sparseDOptions, known, ['causal']);
  const o = { ...given, causal: false };
  const block = integer(o.block ?? 128, 'block', 1, 2 ** 20);
  const choosing = Math.floor(integer(o.steps, 'steps', 1, 2 ** 31 - 1) / 5);
  const prompt = Math.round(integer(o.promptLength, 'promptLength', 0, 2 ** 31 - 1) / block);
  const keep = number(o.keep ?? (block === 128 ? 0.3 : 0.5), 'keep', Number.MIN_VALUE, 1);
  let choice: { pattern: Pattern; dims: string } | undefined;
  return {
    attend: async (step, q, k, v) => {
      if (integer(step, 'step', 0, 2 ** 31 - 1) > choosing) return attend(q, k, v, chosenBefore(choice, step, q, k).pattern, o);
      const result = await denseStep(q, k, v, o);
      if (step < choosing) return result;
      const s = shapeOf(q, k, o.layout);
      const mass = await massOf(q, k, result.lse, [block, block], o);
      const [rows, columns] = [mass.dims[2] as number, mass.dims[3] as number];
      const best = async (first: number, end: number) => {
        const topK = Math.ceil(keep * Math.max(0, end - first) - 1e-9);
        const lists = await select(mass, { topK, firstColumn: first, limit: new Int32Array(rows).fill(end), ...passedTo(o) });
        return listPattern(s, lists, [block, block], 'q', s.heads);
      };
      const boundary = Math.min(prompt, columns);
      choice = { pattern: union(await best(0, boundary), await best(boundary, columns)), dims: dimsOf(q, k) };
      return result;
    },
  };
}
