/** What methods learn from a step of dense attention. */
import type { TensorLike } from '../../tensor.js';
import { dense } from '../patterns.js';
import type { AttentionResult } from '../types.js';
import { attend } from './common.js';
import type { MethodResult } from './report.js';
import { type MethodOptions, shapeOf } from './shape.js';

/** Dense attention as a result of a method. */
export async function denseStep(q: TensorLike, k: TensorLike, v: TensorLike, o: MethodOptions): Promise<MethodResult> {
  const s = shapeOf(q, k, o.layout);
  return attend(q, k, v, dense({ queryLength: s.queries, keyLength: s.keys, causal: o.causal ?? true }), o);
}

/** The log-sum-exp of dense attention: keys stand in for the values that nobody asks for. */
export async function denseLse(q: TensorLike, k: TensorLike, o: MethodOptions): Promise<AttentionResult> {
  return denseStep(q, k, k, o);
}
