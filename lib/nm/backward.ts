import { type Isa, isaOption } from '../device.js';
import { rangeError, SparseKernelsError } from '../errors.js';
import { cancellable } from '../handle.js';
import { native } from '../native.js';
import { type ArrayOf, allocate, type Tensor, type TensorLike, tensor } from '../tensor.js';
import { describe, integer, options } from '../validate.js';
import { type Plan, plan } from './plan.js';
import type { PlanOptions } from './settings.js';

/** Options of {@link planTransposed}. */
export type TransposedOptions = Pick<PlanOptions, 'weight' | 'dtype' | 'pattern' | 'tokens' | 'isa' | 'threads'>;

const floatTypes = ['float32', 'float16', 'bfloat16'] as const;

/**
 * A plan of the transposed product, `dx = dy W`: the gradient of a layer with respect to its input.
 *
 * A weight that keeps to the pattern in both directions, as after pruning with scope `transposable`, runs on the kernel of the pattern;
 * any other on that of unstructured weights.
 *
 * @param transposedOptions - `weight` [out, in], float32, float16 or bfloat16, as the layer's own plan has it
 * @returns a plan from `out` to `in` features
 * @throws as {@link plan}
 * @example
 * ```ts
 * import { nm } from 'sparse-kernels';
 * const weight = { data: Float32Array.of(1, 0, 2, 0), dims: [1, 4] };
 * nm.planTransposed({ weight, pattern: '2:4' }).runSync(Float32Array.of(10)).data; // Float32Array [10, 0, 20, 0]
 * ```
 */
export function planTransposed(transposedOptions: TransposedOptions): Plan {
  const { weight, pattern, ...rest } = options<TransposedOptions>(transposedOptions, 'options', [
    'weight',
    'dtype',
    'pattern',
    'tokens',
    'isa',
    'threads',
  ]);
  const view = tensor(weight, 'weight', floatTypes);
  if (view.dims.length !== 2) throw rangeError('ERR_SK_SHAPE', `expected weight to be [out, in] but received dims ${describe(view.dims)}`);
  const [out, inputs] = view.dims as [number, number];
  const turned = { type: view.type, data: transpose(view.type, view.data, out, inputs), dims: [inputs, out] };
  try {
    return plan({ ...rest, weight: turned, pattern });
  } catch (error) {
    if (!(error instanceof SparseKernelsError) || error.code !== 'ERR_SK_SPARSITY') throw error;
    return plan({ ...rest, weight: turned, pattern: 'unstructured' });
  }
}

/** In square blocks that stay in the cache. */
function transpose<D extends (typeof floatTypes)[number]>(type: D, from: ArrayOf[D], rows: number, columns: number): ArrayOf[D] {
  const to = allocate(type, from.length, 'the transposed weight');
  const block = 64;
  for (let r0 = 0; r0 < rows; r0 += block) {
    for (let c0 = 0; c0 < columns; c0 += block) {
      for (let c = c0; c < Math.min(c0 + block, columns); c++) {
        for (let r = r0; r < Math.min(r0 + block, rows); r++) to[c * rows + r] = from[r * columns + c] as number;
      }
    }
  }
  return to;
}

/** Options of {@link valueGradient}. */
export interface ValueGradientOptions {
  /** Forces the kernels of one instruction set. Default: `SK_ISA` from the environment, else the best that the machine has. */
  readonly isa?: Isa;
  /** Most threads of one run. Default: all that `getNumThreads()` allows. */
  readonly threads?: number;
  /** Aborts the run between blocks: the promise then rejects with the signal's `reason`. */
  readonly signal?: AbortSignal;
}

/**
 * The gradient of a layer with respect to the weights that are kept, `dW[o, i] = sum over tokens of dy[t, o] x[t, i]` where the mask is not
 * 0, elsewhere 0: a sampled dense-dense product (SDDMM). A step of training is `w -= rate * dW`, and a new plan.
 *
 * @param dy - float32 [..., out]: the gradient of the layer's output, before its activation
 * @param x - float32 [..., in]: the layer's input
 * @param mask - uint8 [out, in], as the functions of `prune` return it
 * @returns float32 [out, in]
 * @throws (rejects) TypeError `ERR_SK_TYPE` / `ERR_SK_DTYPE` / `ERR_SK_BUFFER`, RangeError `ERR_SK_SHAPE` / `ERR_SK_OPTION`,
 * SparseKernelsError `ERR_SK_ISA` / `ERR_SK_MEMORY`, or the reason of `signal`
 * @example
 * ```ts
 * import { nm } from 'sparse-kernels';
 * const mask = { data: Uint8Array.of(1, 0, 1, 0), dims: [1, 4] };
 * const row = (...values: number[]) => ({ data: Float32Array.from(values), dims: [1, values.length] });
 * const { data } = await nm.valueGradient(row(2), row(1, 2, 3, 4), mask);
 * data; // Float32Array [2, 0, 6, 0]
 * ```
 */
export async function valueGradient(
  dy: TensorLike,
  x: TensorLike,
  mask: TensorLike,
  gradientOptions: ValueGradientOptions = {},
): Promise<Tensor> {
  const { isa, threads, signal } = options<ValueGradientOptions>(gradientOptions, 'options', ['isa', 'threads', 'signal']);
  const kept = tensor(mask, 'mask', ['uint8']);
  const [out, inputs] = kept.dims as [number, number];
  if (kept.dims.length !== 2 || kept.data.length === 0) {
    throw rangeError('ERR_SK_SHAPE', `expected mask to be [out, in] with both at least 1 but received dims ${describe(kept.dims)}`);
  }
  const a = rows(dy, 'dy', out);
  const b = rows(x, 'x', inputs);
  const tokens = a.length / out;
  if (b.length / inputs !== tokens) {
    throw rangeError('ERR_SK_SHAPE', `expected dy and x to have as many tokens but received ${tokens} and ${b.length / inputs}`);
  }
  const settings = {
    tokens,
    out,
    in: inputs,
    isa: isaOption(isa),
    threads: threads === undefined ? 0 : integer(threads, 'threads', 1, 1024),
  };
  const data = allocate('float32', kept.data.length, 'the gradient');
  await cancellable(signal, (token) => native.sddmm(a, b, kept.data, settings, data, token));
  return { type: 'float32', data, dims: [out, inputs] };
}

function rows(value: TensorLike, name: string, width: number): Float32Array {
  const { data, dims } = tensor(value, name, ['float32']);
  if (dims.at(-1) === width) return data;
  throw rangeError('ERR_SK_SHAPE', `expected ${name} to be [..., ${width}] but received dims ${describe(dims)}`);
}
