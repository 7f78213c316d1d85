import type { TensorLike } from '../tensor.js';
import { options } from '../validate.js';
import type { OutputOf } from './operands.js';
import { plan, type RunOptions } from './plan.js';
import { layerOptions, type PlanOptions } from './settings.js';

/** Options of {@link matmul}. */
export type MatmulOptions = Omit<PlanOptions, 'weight' | 'tokens' | 'device'> & RunOptions;

/**
 * Plan and run in one: for a weight that is used once. Packing costs about as much as reading the weight a few times, so keep a
 * {@link plan} for everything else.
 *
 * @param x - float32, float16 or bfloat16 [..., in]
 * @param weight - float32, float16, bfloat16 or int8 [out, in], pruned to `pattern`
 * @returns [..., out] of the type of x (or of `out`)
 * @throws (rejects) as {@link plan} and {@link Plan.run}
 * @example
 * ```ts
 * import { nm } from 'sparse-kernels';
 * const weight = { data: Float32Array.of(1, 0, 2, 0), dims: [1, 4] };
 * const y = await nm.matmul({ data: Float32Array.of(1, 1, 1, 1), dims: [1, 4] }, weight, { pattern: '2:4' });
 * y.data; // Float32Array [3]
 * ```
 */
export async function matmul<X extends TensorLike | Float32Array>(
  x: X,
  weight: TensorLike,
  matmulOptions: MatmulOptions,
): Promise<OutputOf<X>> {
  const known = [...layerOptions, 'isa', 'threads', 'out', 'residual', 'signal'] as const;
  const { out, residual, signal, ...rest } = options<MatmulOptions>(matmulOptions, 'options', known);
  const layer = plan({ ...rest, weight });
  try {
    const given = {
      ...(out !== undefined && { out }),
      ...(residual !== undefined && { residual }),
      ...(signal !== undefined && { signal }),
    };
    return await layer.run(x, given);
  } finally {
    layer.dispose();
  }
}
