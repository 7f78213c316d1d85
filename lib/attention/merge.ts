import { rangeError, typeError } from '../errors.js';
import { cancellable, guarded } from '../handle.js';
import { native } from '../native.js';
import { allocate, tensor } from '../tensor.js';
import { describe } from '../validate.js';
import type { AttentionResult } from './types.js';

/**
 * Attention over the union of disjoint sets of keys, from the results over each of them: outputs weighted by exp(lse). A result whose lse
 * is -Infinity adds nothing.
 *
 * Dao et al., "FlashAttention" (NeurIPS 2022), for the identity.
 *
 * @param results - of the same shapes, in the layout `[batch, heads, N, headDim]`
 * @throws (rejects) TypeError `ERR_SK_TYPE` / `ERR_SK_DTYPE` / `ERR_SK_BUFFER`, RangeError `ERR_SK_SHAPE`, SparseKernelsError `ERR_SK_MEMORY`
 * @example
 * ```ts
 * import { attention } from 'sparse-kernels';
 * const state = (value: number, lse: number): attention.AttentionResult => ({
 *   output: { type: 'float32', data: new Float32Array(8).fill(value), dims: [1, 1, 1, 8] },
 *   lse: { type: 'float32', data: Float32Array.of(lse), dims: [1, 1, 1] },
 * });
 * const { output, lse } = await attention.merge(state(1, 0), state(3, 0));
 * output.data[0]; // 2
 * lse.data[0]; // ln 2
 * ```
 */
export async function merge(...results: readonly [AttentionResult, ...AttentionResult[]]): Promise<AttentionResult> {
  const views = results.map((result, i) => {
    if (typeof result !== 'object' || result === null) {
      throw typeError('ERR_SK_TYPE', `expected result ${i} to be { output, lse } but received ${describe(result)}`);
    }
    return {
      output: tensor(result.output, `results[${i}].output`, ['float32']),
      lse: tensor(result.lse, `results[${i}].lse`, ['float32']),
    };
  });
  const [first] = views;
  if (first === undefined) throw rangeError('ERR_SK_SHAPE', 'expected at least one result to merge');
  for (const { output, lse } of views) {
    const whole = [...lse.dims, output.dims.at(-1)];
    if (String(output.dims) !== String(first.output.dims) || String(whole) !== String(output.dims)) {
      throw rangeError(
        'ERR_SK_SHAPE',
        `expected results of the shapes [..., d] and [...] but received ${describe(output.dims)} and ${describe(lse.dims)} beside ${describe(first.output.dims)}`,
      );
    }
  }
  const rows = first.lse.data.length;
  const headDim = first.output.dims.at(-1) as number;
  const output = allocate('float32', rows * headDim, 'the output');
  const lse = allocate('float32', rows, 'the log-sum-exp');
  const outputs = views.map((view) => view.output.data);
  const lses = views.map((view) => view.lse.data);
  if (rows > 0 && headDim > 0)
    await cancellable(undefined, () => guarded(() => native.attendMerge(outputs, lses, rows, headDim, output, lse)));
  return {
    output: { type: 'float32', data: output, dims: first.output.dims },
    lse: { type: 'float32', data: lse, dims: first.lse.dims },
  };
}
