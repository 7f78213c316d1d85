import type { NativeKHotPlan } from '../../types/native.js';
import { type Isa, isaOption } from '../device.js';
import { rangeError } from '../errors.js';
import { cancellable, guarded, NativeHandle } from '../handle.js';
import { native } from '../native.js';
import { allocate, type Tensor, type TensorLike, tensor, typedArray } from '../tensor.js';
import { describe, integer, oneOf, options } from '../validate.js';
import { type KHotLists, khotOperands } from './khot-operands.js';
import { type ActivationType, activationTypes, dtypeNumber, type OutputOf, rowVector } from './operands.js';
import { fromBytes } from './saved.js';
import { readKHot, type SavedKHot, writeKHot } from './saved-khot.js';
import { type Activation, activationNumber } from './settings.js';

/** Options of {@link planKHot}. */
export interface KHotOptions {
  /** float32, float16 or bfloat16 [out, in], dense: of a sparse autoencoder the decoder, a column for each latent. Copied. */
  readonly weight: TensorLike;
  /** What the plan stores the weight as, rounded to nearest even. Default: the type of `weight`. */
  readonly dtype?: ActivationType;
  /** float32 [out]: added before the activation. Default: none. */
  readonly bias?: TensorLike | Float32Array;
  /** Default `'none'`. */
  readonly activation?: Activation;
  /** Forces the kernels of one instruction set. Default: `SK_ISA` from the environment, else the best that the machine has. */
  readonly isa?: Isa;
  /** Most threads of one run. Default: all that `getNumThreads()` allows. */
  readonly threads?: number;
}

/** Options of {@link KHotPlan.run}. */
export interface KHotRunOptions {
  /** Where to write the result: float32, float16 or bfloat16; it must not overlap x or the lists. Default: a new array. */
  readonly out?: TensorLike | Float32Array;
  /** Added after the activation: of the type and size of the result; it may be `out` itself. Default: none. */
  readonly residual?: TensorLike | Float32Array;
  /** Aborts the run between tiles: the promise then rejects with the signal's `reason`. */
  readonly signal?: AbortSignal;
}

/** Most bytes of x that one native run copies. */
const sliceBytes = 8 << 20;

/**
 * A dense linear layer on sparse activations. Immutable; any number of runs may be under way at once. Made by {@link planKHot}.
 *
 * Results are reproducible bit for bit on one instruction set, for any number of threads and other tokens.
 */
export class KHotPlan {
  /** Size of the input axis. */
  readonly inFeatures: number;
  /** Size of the output axis. */
  readonly outFeatures: number;
  readonly #handle: NativeHandle<NativeKHotPlan>;
  readonly #saved: SavedKHot;
  readonly #bias: Float32Array | undefined;

  /** @internal */
  constructor(khotOptions: KHotOptions) {
    const o = options<KHotOptions>(khotOptions, 'options', ['weight', 'dtype', 'bias', 'activation', 'isa', 'threads']);
    const { data, dims, type } = tensor(o.weight, 'weight', activationTypes);
    const [out = 0, inputs = 0] = dims;
    if (dims.length !== 2 || data.length === 0) {
      throw rangeError('ERR_SK_SHAPE', `expected weight to be [out, in] with both at least 1 but received dims ${describe(dims)}`);
    }
    this.inFeatures = inputs;
    this.outFeatures = out;
    const dtype = o.dtype === undefined ? type : oneOf(o.dtype, 'dtype', activationTypes);
    const settings = {
      weight: data,
      type: dtypeNumber(type),
      values: dtypeNumber(dtype),
      out,
      in: inputs,
      bias: o.bias === undefined ? undefined : rowVector(o.bias, 'bias', out),
      activation: activationNumber(o.activation),
      isa: isaOption(o.isa),
      threads: o.threads === undefined ? 0 : integer(o.threads, 'threads', 1, 1024),
    };
    this.#saved = { dtype, activation: o.activation ?? 'none' };
    this.#bias = settings.bias?.slice();
    this.#handle = new NativeHandle('the plan', () => new native.KHotPlan(settings));
  }

  /** Name of the kernel that runs, for instance `khot_f32_lists_avx2`. */
  get kernel(): string {
    return this.#handle.live().kernel;
  }

  /** Bytes of the packed weight and bias. */
  get bytes(): number {
    return this.#handle.live().bytes;
  }

  /**
   * `y = activation(x Wᵀ + b) + residual` off the event loop. Lists are read before the call returns; x is read in slices while the run goes on, so it must not change
   * until the promise settles.
   *
   * @param x - lists, or float32, float16 or bfloat16 [..., in] whose zeros are skipped, or a bare Float32Array of tokens x in
   * @returns [tokens, out], or [..., out], of the type of x (or of `out`); of lists float32
   * @throws (rejects) TypeError `ERR_SK_TYPE` / `ERR_SK_DTYPE` / `ERR_SK_BUFFER`, RangeError `ERR_SK_SHAPE` / `ERR_SK_OPTION` / `ERR_SK_OVERLAP`,
   * SparseKernelsError `ERR_SK_LISTS` (an index that is no input, offsets that do not ascend) / `ERR_SK_DISPOSED` / `ERR_SK_MEMORY`, or the
   * reason of `signal`
   * @example
   * ```ts
   * import { nm } from 'sparse-kernels';
   * using decoder = nm.planKHot({ weight: { data: Float32Array.of(1, 2, 3, 4, 5, 6), dims: [2, 3] } });
   * const y = await decoder.run({ indices: Int32Array.of(2, 0), values: Float32Array.of(10, 1), k: 2 });
   * y.data; // Float32Array [31, 64]
   * ```
   */
  async run<X extends KHotLists | TensorLike | Float32Array>(x: X, runOptions: KHotRunOptions = {}): Promise<OutputOf<X>> {
    const { out, residual, signal } = options<KHotRunOptions>(runOptions, 'options', ['out', 'residual', 'signal']);
    return cancellable(signal, (token) =>
      this.#handle.use(async (plan) => {
        const { inFeatures, outFeatures } = this;
        const { input, lists, tokens, output, residual: added } = khotOperands(x, out, residual, inFeatures, outFeatures);
        const [xType, yType] = [dtypeNumber(input.type), dtypeNumber(output.type)];
        const slice = lists ? tokens : Math.max(1, Math.floor(sliceBytes / 4 / inFeatures));
        for (let first = 0; first < Math.max(tokens, 1); first += Math.max(slice, 1)) {
          const end = Math.min(first + slice, tokens);
          typedArray(input.data, input.type, 'x', tokens); // it may have been transferred away since the last slice
          typedArray(output.data, output.type, 'out', tokens);
          if (added) typedArray(added, output.type, 'residual', tokens);
          const from = lists ? input.data : input.data.subarray(first * inFeatures, end * inFeatures);
          const to = output.data.subarray(first * outFeatures, end * outFeatures);
          const plus = added?.subarray(first * outFeatures, end * outFeatures);
          await plan.run(from, xType, end - first, to, yType, lists?.indices, lists?.offsets, out === undefined, token, plus);
        }
        return output as OutputOf<X>;
      }),
    );
  }

  /**
   * {@link KHotPlan.run} on the calling thread (and the pool): for scripts and small work. Nothing is copied.
   *
   * @throws as {@link KHotPlan.run}
   * @example
   * ```ts
   * import { nm } from 'sparse-kernels';
   * const layer = nm.planKHot({ weight: { data: Float32Array.of(1, 2, 3), dims: [1, 3] }, bias: Float32Array.of(10) });
   * layer.runSync(Float32Array.of(0, 0, 2, 0, 1, 0)).data; // Float32Array [16, 12]
   * ```
   */
  runSync<X extends KHotLists | TensorLike | Float32Array>(x: X, runOptions: Omit<KHotRunOptions, 'signal'> = {}): OutputOf<X> {
    const { out, residual } = options<KHotRunOptions>(runOptions, 'options', ['out', 'residual']);
    const { input, lists, tokens, output, residual: added } = khotOperands(x, out, residual, this.inFeatures, this.outFeatures);
    const [xType, yType] = [dtypeNumber(input.type), dtypeNumber(output.type)];
    const live = this.#handle.live();
    guarded(() => live.runSync(input.data, xType, tokens, output.data, yType, lists?.indices, lists?.offsets, added));
    return output as OutputOf<X>;
  }

  /** The weight as the plan holds it, rounded, float32 [out, in]. */
  toDense(): Tensor {
    const live = this.#handle.live();
    const data = allocate('float32', this.outFeatures * this.inFeatures, 'the dense weight');
    live.toDense(data);
    return { type: 'float32', data, dims: [this.outFeatures, this.inFeatures] };
  }

  /**
   * The plan as bytes, for {@link deserializeKHot}: a safetensors file of the weight with a version and a checksum. Of the options, `isa` and
   * `threads` stay behind.
   *
   * @throws SparseKernelsError `ERR_SK_DISPOSED` / `ERR_SK_MEMORY`
   * @example
   * ```ts
   * import { nm } from 'sparse-kernels';
   * const bytes = nm.planKHot({ weight: { data: Float32Array.of(1, 2, 3), dims: [1, 3] } }).serialize();
   * nm.deserializeKHot(bytes).runSync({ indices: Int32Array.of(2), values: Float32Array.of(10), k: 1 }).data; // Float32Array [30]
   * ```
   */
  serialize(): Uint8Array<ArrayBuffer> {
    return writeKHot(this.#saved, this.toDense(), this.#bias);
  }

  /** Frees the packed weight as soon as no run is under way; later use throws `ERR_SK_DISPOSED`. Calling it twice is fine. */
  dispose(): void {
    this.#handle.dispose();
  }

  /** `using layer = nm.planKHot(...)` disposes at the end of the block. */
  [Symbol.dispose](): void {
    this.dispose();
  }
}

/**
 * A dense weight for activations of which few are not zero, found by a list (top-k) or as the zeros of x (ReLU): a run reads the columns of the
 * weight that they meet and no others. It is the decoder of a sparse autoencoder (Gao et al., "Scaling and evaluating sparse autoencoders",
 * 2024), the down projection behind sparse activations (Mirzadeh et al., "ReLU Strikes Back", ICLR 2024), PyTorch's EmbeddingBag with
 * weights.
 *
 * @throws TypeError `ERR_SK_TYPE` / `ERR_SK_DTYPE` / `ERR_SK_BUFFER`, RangeError `ERR_SK_SHAPE` / `ERR_SK_OPTION`, SparseKernelsError
 * `ERR_SK_VALUE` (weights that `dtype` cannot hold) / `ERR_SK_ISA` / `ERR_SK_MEMORY`
 * @example
 * ```ts
 * import { nm } from 'sparse-kernels';
 * const decoder = nm.planKHot({ weight: { data: new Float32Array(64 * 512).fill(0.5), dims: [64, 512] } });
 * const y = await decoder.run({ indices: Int32Array.of(3, 500, 8, 9), values: new Float32Array(4).fill(1), k: 2 });
 * y.dims; // [2, 64]
 * ```
 */
export function planKHot(khotOptions: KHotOptions): KHotPlan {
  return new KHotPlan(khotOptions);
}

/**
 * The plan that {@link KHotPlan.serialize} wrote, on this machine's best kernel.
 *
 * @throws as {@link deserialize}
 * @example
 * ```ts
 * import { nm } from 'sparse-kernels';
 * const layer = nm.planKHot({ weight: { data: Float32Array.of(1, 2, 3), dims: [1, 3] }, activation: 'relu' });
 * const again = nm.deserializeKHot(layer.serialize(), { threads: 1 });
 * ```
 */
export function deserializeKHot(bytes: Uint8Array, deserializeOptions: Pick<KHotOptions, 'isa' | 'threads'> = {}): KHotPlan {
  const given = options<Pick<KHotOptions, 'isa' | 'threads'>>(deserializeOptions, 'options', ['isa', 'threads']);
  const read = readKHot(bytes);
  // What the caller asks for is checked by itself: all else that is wrong is wrong with the bytes.
  new KHotPlan({ weight: { data: new Float32Array(1), dims: [1, 1] }, ...given }).dispose();
  return fromBytes(() => new KHotPlan({ ...read, ...given }));
}
