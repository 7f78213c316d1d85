import { DeviceTensor } from '../device-tensor.js';
import { rangeError, typeError } from '../errors.js';
import { cancellable, guarded } from '../handle.js';
import { native } from '../native.js';
import { allocate, type TensorView, tensor } from '../tensor.js';
import { describe, oneOf } from '../validate.js';
import { deviceTensor } from './cuda-call.js';
import { mergeOnDevice } from './cuda-merge.js';
import type { CudaAttentionResult } from './cuda-plan.js';
import type { AttentionResult, Layout } from './types.js';

/**
 * Attention over the union of disjoint sets of keys, from the results over each of them: outputs weighted by exp(lse). A result whose lse
 * is -Infinity adds nothing.
 *
 * Dao et al., "FlashAttention" (NeurIPS 2022), for the identity.
 *
 * @param results - of the same shapes and layout; all in host memory, or all on the device (1 to 16, of the layout `'BHSD'`), where the merged
 * one is then, too
 * @throws (rejects) TypeError `ERR_SK_TYPE` / `ERR_SK_DTYPE` / `ERR_SK_BUFFER`, RangeError `ERR_SK_SHAPE`, SparseKernelsError `ERR_SK_MEMORY` /
 * `ERR_SK_DISPOSED` / `ERR_SK_CUDA`
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
export async function merge(...results: readonly [AttentionResult, ...AttentionResult[]]): Promise<AttentionResult>;
export async function merge(...results: readonly [CudaAttentionResult, ...CudaAttentionResult[]]): Promise<CudaAttentionResult>;
export async function merge(
  ...results: readonly (AttentionResult | CudaAttentionResult)[]
): Promise<AttentionResult | CudaAttentionResult> {
  if (results[0]?.output instanceof DeviceTensor) {
    if (layoutOf(results) === 'BSHD') throw rangeError('ERR_SK_OPTION', "expected results on a device in the layout 'BHSD'");
    return mergeOnDevice(statesOf(results, (value, name) => deviceTensor(value, name, ['float32'])));
  }
  return mergeOnHost(
    statesOf(results, (value, name) => tensor(value as AttentionResult['output'], name, ['float32'])),
    layoutOf(results),
  );
}

/** The layout of all results: that of plans in `'BSHD'` is marked. */
function layoutOf(results: readonly (AttentionResult | CudaAttentionResult)[]): Layout {
  const layouts = results.map((result) => oneOf<Layout>(result?.layout ?? 'BHSD', 'layout', ['BHSD', 'BSHD']));
  const other = layouts.find((layout) => layout !== layouts[0]);
  if (other !== undefined) throw rangeError('ERR_SK_SHAPE', `expected results of one layout but received ${layouts[0]} and ${other}`);
  return layouts[0] ?? 'BHSD';
}

interface State<T> {
  readonly output: T;
  readonly lse: T;
}

/** Results of the same shapes, each tensor as `read` checks it. */
function statesOf<T extends { readonly dims: readonly number[] }>(
  results: readonly (AttentionResult | CudaAttentionResult)[],
  read: (value: unknown, name: string) => T,
): [State<T>, ...State<T>[]] {
  const layout = layoutOf(results);
  const states = results.map((result, i) => {
    if (typeof result !== 'object' || result === null) {
      throw typeError('ERR_SK_TYPE', `expected result ${i} to be { output, lse } but received ${describe(result)}`);
    }
    return { output: read(result.output, `results[${i}].output`), lse: read(result.lse, `results[${i}].lse`) };
  });
  const [first, ...others] = states;
  if (first === undefined) throw rangeError('ERR_SK_SHAPE', 'expected at least one result to merge');
  for (const { output, lse } of states) {
    const [batch, a, b] = lse.dims;
    const whole = layout === 'BSHD' ? [batch, b, a, output.dims[3]] : [...lse.dims, output.dims.at(-1)];
    if (String(output.dims) !== String(first.output.dims) || String(whole) !== String(output.dims)) {
      throw rangeError(
        'ERR_SK_SHAPE',
        `expected results of the shapes [..., d] and [...] but received ${describe(output.dims)} and ${describe(lse.dims)} beside ${describe(first.output.dims)}`,
      );
    }
  }
  return [first, ...others];
}

type HostState = State<TensorView<'float32'>>;

async function mergeOnHost(views: readonly [HostState, ...HostState[]], layout: Layout): Promise<AttentionResult> {
  const [first] = views;
  const [batch = 1, heads = 1, tokens = 1] = first.lse.dims;
  const rows = first.lse.data.length;
  const headDim = first.output.dims.at(-1) as number;
  const output = allocate('float32', rows * headDim, 'the output');
  const lse = allocate('float32', rows, 'the log-sum-exp');
  const outputs = views.map((view) => view.output.data);
  // In the order of the rows of the outputs.
  const lses = views.map((view) => (layout === 'BSHD' ? swapped(view.lse.data, batch, heads, tokens) : view.lse.data));
  if (rows > 0 && headDim > 0)
    await cancellable(undefined, () => guarded(() => native.attendMerge(outputs, lses, rows, headDim, output, lse)));
  return {
    output: { type: 'float32', data: output, dims: first.output.dims },
    lse: { type: 'float32', data: layout === 'BSHD' ? swapped(lse, batch, tokens, heads) : lse, dims: first.lse.dims },
    ...(layout === 'BSHD' && { layout }),
  };
}

/** [batch, a, b] as [batch, b, a]. */
function swapped(x: Float32Array, batch: number, a: number, b: number): Float32Array {
  const out = new Float32Array(x.length);
  for (let i = 0; i < batch * a; i++) {
    const first = Math.floor(i / a) * a * b + (i % a);
    for (let j = 0; j < b; j++) out[first + j * a] = x[i * b + j] as number;
  }
  return out;
}
