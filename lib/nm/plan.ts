import type { NativeCancelToken, NativeSpmmPlan } from '../../types/native.js';
import { type Isa, isaOption } from '../device.js';
import { rangeError } from '../errors.js';
import { cancellable, guarded, NativeHandle } from '../handle.js';
import { native } from '../native.js';
import { allocate, overlaps, type Tensor, type TensorLike, type TensorView, tensor, typedArray } from '../tensor.js';
import { describe, integer, oneOf, options } from '../validate.js';
import { type Pattern, parsePattern } from './pattern.js';

/** Function applied to every output in the same pass: `y = activation(x Wᵀ + b)`. */
export type Activation = 'none' | 'relu';

/** In the order of enum Activation in native/spmm/kernel.h. */
const activations: readonly Activation[] = ['none', 'relu'];

/** Options of {@link plan}. */
export interface PlanOptions {
  /** float32 [out, in], pruned to `pattern`. Copied: it may change or be freed afterwards. */
  readonly weight: TensorLike;
  /** The pattern that the weight has. */
  readonly pattern: Pattern;
  /** float32 [out]: added before the activation. Default: none. */
  readonly bias?: TensorLike | Float32Array;
  /** Default `'none'`. */
  readonly activation?: Activation;
  /** Expected tokens (rows of x) of a run: the plan sizes its blocks of work for them. Any other number works too. Default 64. */
  readonly tokens?: number;
  /** Forces the kernels of one instruction set. Default: `SK_ISA` from the environment, else the best that the machine has. */
  readonly isa?: Isa;
  /** Most threads of one run. Default: all that `getNumThreads()` allows. */
  readonly threads?: number;
}

/** Options of {@link Plan.run}. */
export interface RunOptions {
  /** Where to write the result, tokens x out elements; it must not overlap x. Default: a new array. */
  readonly out?: TensorLike | Float32Array;
  /** Aborts the run between tiles: the promise then rejects with the signal's `reason`. */
  readonly signal?: AbortSignal;
}

/** Options of {@link Plan.runSync}. */
export type RunSyncOptions = Pick<RunOptions, 'out'>;

/** Most that one native run covers: what the event loop copies at a time. Shorter slices would read the weight too often. */
const sliceBytes = 8 << 20;
const sliceTokens = 1024;

/**
 * A sparse linear layer: checked, packed, with its kernel chosen. Immutable; any number of runs may be under way at once. Made by
 * {@link plan}.
 *
 * An output depends only on its own row of x, never on the other rows, their number or the number of threads: results are reproducible
 * bit for bit on one instruction set.
 */
export class Plan {
  /** The pattern, for instance `'2:4'`. */
  readonly pattern: Pattern;
  /** Size of the input axis. */
  readonly inFeatures: number;
  /** Size of the output axis. */
  readonly outFeatures: number;
  readonly #handle: NativeHandle<NativeSpmmPlan>;

  /** @internal */
  constructor(planOptions: PlanOptions) {
    const o = options<PlanOptions>(planOptions, 'options', ['weight', 'pattern', 'bias', 'activation', 'tokens', 'isa', 'threads']);
    const { n, m } = parsePattern(o.pattern);
    const weight = tensor(o.weight, 'weight', ['float32']);
    if (weight.dims.length !== 2 || weight.data.length === 0) {
      throw rangeError('ERR_SK_SHAPE', `expected weight to be [out, in] with both at least 1 but received dims ${describe(weight.dims)}`);
    }
    const [out, inputs] = weight.dims as [number, number];
    this.pattern = o.pattern;
    this.inFeatures = inputs;
    this.outFeatures = out;
    const settings = {
      weight: weight.data,
      out,
      in: inputs,
      n,
      m,
      bias: o.bias === undefined ? undefined : biasData(o.bias, out),
      activation: activations.indexOf(oneOf(o.activation ?? 'none', 'activation', activations)),
      isa: isaOption(o.isa),
      tokens: integer(o.tokens ?? 64, 'tokens', 1, 2 ** 31),
      threads: o.threads === undefined ? 0 : integer(o.threads, 'threads', 1, 1024),
    };
    this.#handle = new NativeHandle('the plan', () => new native.SpmmPlan(settings));
  }

  /** Name of the kernel that runs, for instance `spmm_f32_2x4_avx2`. */
  get kernel(): string {
    return this.#handle.live().kernel;
  }

  /** Bytes of the packed weight, indices and bias. */
  get bytes(): number {
    return this.#handle.live().bytes;
  }

  /**
   * `y = activation(x Wᵀ + b)` off the event loop. x is copied in slices while the run goes on, so it must not change until the promise
   * settles; transferring its buffer away meanwhile is an error, not a crash.
   *
   * @param x - float32 [..., in], or a bare Float32Array of tokens x in
   * @returns float32 [..., out]
   * @throws (rejects) TypeError `ERR_SK_TYPE` / `ERR_SK_DTYPE` / `ERR_SK_BUFFER`, RangeError `ERR_SK_SHAPE` / `ERR_SK_OVERLAP`,
   * SparseKernelsError `ERR_SK_DISPOSED` / `ERR_SK_MEMORY`, or the reason of `signal`
   * @example
   * ```ts
   * import { nm } from 'sparse-kernels';
   * const weight = nm.prune({ data: new Float32Array(64 * 32).fill(1), dims: [64, 32] }, { pattern: '2:4' });
   * using layer = nm.plan({ weight, pattern: '2:4' });
   * const y = await layer.run({ data: new Float32Array(3 * 32), dims: [3, 32] }); // y.dims: [3, 64]
   * ```
   */
  async run(x: TensorLike | Float32Array, runOptions: RunOptions = {}): Promise<Tensor> {
    const { out, signal } = options<RunOptions>(runOptions, 'options', ['out', 'signal']);
    return cancellable(signal, (token) =>
      this.#handle.use(async (native) => {
        const { input, tokens, y, dims } = this.#arguments(x, out);
        await this.#runSlices(native, input.data, tokens, y, out === undefined, token);
        return { type: 'float32', data: y, dims };
      }),
    );
  }

  /** Two slices are under way at a time: while one is computed, the event loop copies the next. */
  async #runSlices(
    plan: NativeSpmmPlan,
    x: Float32Array,
    tokens: number,
    y: Float32Array,
    privateY: boolean,
    token: NativeCancelToken | undefined,
  ): Promise<void> {
    const { inFeatures, outFeatures } = this;
    const slice = Math.max(1, Math.min(sliceTokens, Math.floor(sliceBytes / 4 / Math.max(inFeatures, outFeatures))));
    if (tokens <= slice) return plan.run(x, tokens, y, privateY, token);
    const underWay: Promise<void>[] = [];
    try {
      for (let first = 0; first < tokens; first += slice) {
        const end = Math.min(first + slice, tokens);
        typedArray(x, 'float32', 'x', tokens); // it may have been transferred away since the last slice
        typedArray(y, 'float32', 'out', tokens);
        const xs = x.subarray(first * inFeatures, end * inFeatures);
        const ys = y.subarray(first * outFeatures, end * outFeatures);
        const run = plan.run(xs, end - first, ys, privateY, token);
        run.catch(() => {}); // it is awaited below, but may fail while we still wait for the one before: that is not unhandled
        underWay.push(run);
        if (underWay.length === 2) await underWay.shift();
      }
      await underWay.shift();
    } finally {
      await Promise.allSettled(underWay); // after a failure: nothing writes to y once the promise is settled
    }
  }

  /**
   * {@link Plan.run} on the calling thread (and the pool): for scripts and small work. x is read in place.
   *
   * @param x - float32 [..., in], or a bare Float32Array of tokens x in
   * @returns float32 [..., out]
   * @throws as {@link Plan.run}
   * @example
   * ```ts
   * import { nm } from 'sparse-kernels';
   * const weight = { data: Float32Array.of(1, 0, 2, 0), dims: [1, 4] };
   * nm.plan({ weight, pattern: '2:4' }).runSync(Float32Array.of(1, 1, 1, 1)).data; // Float32Array [3]
   * ```
   */
  runSync(x: TensorLike | Float32Array, runOptions: RunSyncOptions = {}): Tensor {
    const { out } = options<RunSyncOptions>(runOptions, 'options', ['out']);
    const { input, tokens, y, dims } = this.#arguments(x, out);
    const live = this.#handle.live();
    guarded(() => live.runSync(input.data, tokens, y));
    return { type: 'float32', data: y, dims };
  }

  /** The pruned weight that the plan holds, float32 [out, in]. */
  toDense(): Tensor {
    const live = this.#handle.live();
    const data = allocate('float32', this.outFeatures * this.inFeatures, 'the dense weight');
    live.toDense(data);
    return { type: 'float32', data, dims: [this.outFeatures, this.inFeatures] };
  }

  /** Frees the packed weight as soon as no run is under way; later use throws `ERR_SK_DISPOSED`. Calling it twice is fine. */
  dispose(): void {
    this.#handle.dispose();
  }

  /** `using layer = nm.plan(...)` disposes at the end of the block. */
  [Symbol.dispose](): void {
    this.dispose();
  }

  /** x as [tokens, in], and the array and dims of y. */
  #arguments(x: TensorLike | Float32Array, out: TensorLike | Float32Array | undefined) {
    const { inFeatures, outFeatures } = this;
    const input = this.#input(x);
    const tokens = input.data.length / inFeatures;
    const dims = [...input.dims.slice(0, -1), outFeatures];
    if (out === undefined) return { input, tokens, y: allocate('float32', tokens * outFeatures, 'the output'), dims };
    const y = 'dims' in out ? tensor(out, 'out', ['float32']).data : typedArray(out, 'float32', 'out', tokens);
    if (y.length !== tokens * outFeatures) {
      throw rangeError('ERR_SK_SHAPE', `expected out to hold ${tokens} x ${outFeatures} elements but received ${y.length}`);
    }
    if (overlaps(input.data, y)) throw rangeError('ERR_SK_OVERLAP', 'expected out not to share memory with x');
    return { input, tokens, y, dims };
  }

  #input(x: TensorLike | Float32Array): TensorView<'float32'> {
    const { inFeatures } = this;
    if (typeof x === 'object' && x !== null && 'dims' in x) {
      const input = tensor(x, 'x', ['float32']);
      if (input.dims.at(-1) === inFeatures) return input;
      throw rangeError('ERR_SK_SHAPE', `expected x to be [..., ${inFeatures}] but received dims ${describe(input.dims)}`);
    }
    const data = typedArray(x, 'float32', 'x');
    if (data.length % inFeatures === 0) return { type: 'float32', data, dims: [data.length / inFeatures, inFeatures] };
    throw rangeError('ERR_SK_SHAPE', `expected x to hold a multiple of ${inFeatures} elements but received ${data.length}`);
  }
}

function biasData(bias: TensorLike | Float32Array, out: number): Float32Array {
  const data =
    typeof bias === 'object' && bias !== null && 'dims' in bias
      ? tensor(bias, 'bias', ['float32']).data
      : typedArray(bias, 'float32', 'bias');
  if (data.length === out) return data;
  throw rangeError('ERR_SK_SHAPE', `expected bias to hold ${out} elements but received ${data.length}`);
}

/**
 * Checks and packs a pruned weight and chooses its kernel: expensive once, cheap ever after.
 *
 * @throws TypeError `ERR_SK_TYPE` / `ERR_SK_DTYPE` / `ERR_SK_BUFFER`, RangeError `ERR_SK_SHAPE` / `ERR_SK_PATTERN` / `ERR_SK_OPTION`,
 * SparseKernelsError `ERR_SK_SPARSITY` (the first group with too many non-zeros is named) / `ERR_SK_ISA` / `ERR_SK_MEMORY`
 * @example
 * ```ts
 * import { nm } from 'sparse-kernels';
 * const weight = { data: Float32Array.of(1, 0, 2, 0, 0, 0, 0, 3), dims: [2, 4] };
 * const layer = nm.plan({ weight, pattern: '2:4', bias: Float32Array.of(10, 20), activation: 'relu' });
 * const y = await layer.run(Float32Array.of(1, 1, 1, 1));
 * y.data; // Float32Array [13, 23]
 * ```
 */
export function plan(planOptions: PlanOptions): Plan {
  return new Plan(planOptions);
}
