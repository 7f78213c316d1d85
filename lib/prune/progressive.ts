/** Progressive gradient flow: weights on their way out still take part a little, or the pattern becomes sparser step by step. */
import { rangeError } from '../errors.js';
import { parsePattern } from '../pattern.js';
import { allocate, type Tensor, type TensorLike } from '../tensor.js';
import { describe, integer, oneOf, options } from '../validate.js';
import { type Mask, maskData, matrix } from './matrix.js';
import { nonNegative } from './scope.js';

/** Options of {@link mdgfBeta}. */
export interface MdgfOptions {
  /** `linear`: `1 - coefficient step`, not below 0; `exponential`: `exp(-coefficient step)`. */
  readonly shape: 'linear' | 'exponential';
  /** Per step. Default 0.01. */
  readonly coefficient?: number;
  /** Steps of dense warm-up, during which beta is 1. Default 0. */
  readonly begin?: number;
  /** First step of the fine-tuning with a binary mask, where beta is 0. Default: never. */
  readonly end?: number;
}

/**
 * MdGf, mask decay gradient flow: what masked weights are multiplied with at a training step, falling from 1 to 0. The forward pass takes
 * {@link soften}, the gradient passes straight through to all weights.
 *
 * Bambhaniya et al., "Progressive Gradient Flow for Robust N:M Sparsity Training in Transformers" (2024).
 *
 * @param step - training step, from 0
 * @throws TypeError `ERR_SK_TYPE`, RangeError `ERR_SK_OPTION`
 * @example
 * ```ts
 * import { prune } from 'sparse-kernels';
 * prune.mdgfBeta(25, { shape: 'linear' }); // 0.75
 * ```
 */
export function mdgfBeta(step: number, mdgfOptions: MdgfOptions): number {
  const o = options<MdgfOptions>(mdgfOptions, 'options', ['shape', 'coefficient', 'begin', 'end']);
  const shape = oneOf(o.shape, 'shape', ['linear', 'exponential'] as const);
  const coefficient = nonNegative(o.coefficient ?? 0.01, 'coefficient');
  const begin = integer(o.begin ?? 0, 'begin', 0, Number.MAX_SAFE_INTEGER);
  const end = integer(o.end ?? Number.MAX_SAFE_INTEGER, 'end', 0, Number.MAX_SAFE_INTEGER);
  const now = integer(step, 'step', 0, Number.MAX_SAFE_INTEGER);
  if (now >= end) return 0;
  const decay = coefficient * Math.max(now - begin, 0);
  return shape === 'linear' ? Math.max(1 - decay, 0) : Math.exp(-decay);
}

/**
 * The forward weight of mask decay: `W (m + (1 - m) beta)`.
 *
 * @param weight - float32 [out, in]; left as it is
 * @param mask - which weights are to stay
 * @param beta - what the others are multiplied with, from 0 to 1
 * @returns a new float32 [out, in]
 * @throws TypeError `ERR_SK_TYPE` / `ERR_SK_DTYPE` / `ERR_SK_BUFFER`, RangeError `ERR_SK_SHAPE` / `ERR_SK_OPTION`
 * @example
 * ```ts
 * import { prune } from 'sparse-kernels';
 * const weight = { data: Float32Array.of(1, 4), dims: [1, 2] };
 * const { mask } = prune.magnitude(weight, { scope: 'nm', pattern: '1:2' });
 * prune.soften(weight, mask, 0.5).data; // Float32Array [0.5, 4]
 * ```
 */
export function soften(weight: TensorLike, mask: Mask, beta: number): Tensor {
  const w = matrix(weight, 'weight');
  const kept = maskData(mask, 'mask', w);
  if (!(typeof beta === 'number' && beta >= 0 && beta <= 1)) {
    throw rangeError('ERR_SK_OPTION', `expected beta to be a number from 0 to 1 but received ${describe(beta)}`);
  }
  const data = allocate('float32', w.data.length, 'the softened weight');
  for (let i = 0; i < data.length; i++) data[i] = (w.data[i] as number) * (kept[i] === 1 ? 1 : beta);
  return { type: 'float32', data, dims: [...w.dims] };
}

/** Options of {@link sdgfPattern}. */
export interface SdgfOptions {
  /** The pattern at the end. */
  readonly pattern: `${number}:${number}`;
  /** First step of sparse training; dense before. */
  readonly begin: number;
  /** First step of the final pattern. */
  readonly end: number;
}

/**
 * SdGf, structure decay gradient flow: the pattern of a training step. From `begin` to `end` it passes through M-1:M, M/2:M, M/4:M, ... in
 * log2(M/N) frames of equal length, then it is N:M.
 *
 * Bambhaniya et al. (2024), see {@link mdgfBeta}.
 *
 * @param step - training step, from 0
 * @returns the pattern, or undefined while training is dense
 * @throws TypeError `ERR_SK_TYPE`, RangeError `ERR_SK_PATTERN` / `ERR_SK_OPTION`
 * @example
 * ```ts
 * import { prune } from 'sparse-kernels';
 * const at = (step: number) => prune.sdgfPattern(step, { pattern: '1:8', begin: 100, end: 400 });
 * [0, 100, 200, 300, 400].map(at); // undefined, '7:8', '4:8', '2:8', '1:8'
 * ```
 */
export function sdgfPattern(step: number, sdgfOptions: SdgfOptions): `${number}:${number}` | undefined {
  const o = options<SdgfOptions>(sdgfOptions, 'options', ['pattern', 'begin', 'end']);
  const { n, m } = parsePattern(o.pattern);
  const begin = integer(o.begin, 'begin', 0, Number.MAX_SAFE_INTEGER);
  const end = integer(o.end, 'end', begin, Number.MAX_SAFE_INTEGER);
  const now = integer(step, 'step', 0, Number.MAX_SAFE_INTEGER);
  if (now < begin) return undefined;
  if (now >= end) return `${n}:${m}`;
  const frames = Math.max(1, Math.floor(Math.log2(m / n)));
  const frame = Math.floor(((now - begin) * frames) / (end - begin));
  return frame === 0 ? `${m - 1}:${m}` : `${Math.max(n, Math.floor(m / 2 ** frame))}:${m}`;
}
