/** What methods for diffusion models share: choices that are made at some denoising steps and used at the others. */
import { rangeError } from '../../errors.js';
import type { Tensor, TensorLike } from '../../tensor.js';
import { score } from '../score.js';
import type { MethodResult } from './report.js';
import { type MethodOptions, passed } from './shape.js';

/** A method for one attention layer of a denoising loop; attention is not causal unless asked for. */
export interface DenoisingMethod {
  /** Step `step` from 0. Shapes are those of `plan.run`, the same at every step. */
  attend(step: number, q: TensorLike, k: TensorLike, v: TensorLike): Promise<MethodResult>;
}

/** Mass of dense attention on each tile, with the log-sum-exp that a dense step returned. */
export function massOf(q: TensorLike, k: TensorLike, lse: Tensor, blockSize: readonly [number, number], o: MethodOptions): Promise<Tensor> {
  return score(q, k, { ...passed(o), kind: 'mass', lse: lse.data, blockSize, causal: o.causal ?? false });
}

/** The choice of an earlier step, which must be there and fit. */
export function chosenBefore<T extends { readonly dims: string }>(choice: T | undefined, step: number, q: TensorLike, k: TensorLike): T {
  if (choice === undefined) throw rangeError('ERR_SK_OPTION', `expected an earlier step that chooses, before step ${step}`);
  if (choice.dims !== dimsOf(q, k)) {
    throw rangeError('ERR_SK_SHAPE', `expected the shapes of the step that chose, ${choice.dims}, but received ${dimsOf(q, k)}`);
  }
  return choice;
}

export const dimsOf = (q: TensorLike, k: TensorLike) => `[${q.dims}] and [${k.dims}]`;
