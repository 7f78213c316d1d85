import type { NativeKHotPlan } from '../../types/native.js';
import { type Isa, isaOption } from '../device.js';
import { rangeError } from '../errors.js';
import { cancellable, guarded, NativeHandle } from '../handle.js';
import { native } from '../native.js';
import { allocate, overlaps, type Tensor, type TensorLike, tensor, typedArray } from '../tensor.js';
import { describe, integer, oneOf, options } from '../validate.js';
import { type ActivationType, activationTypes, dtypeNumber, inputOperand, rowVector } from './operands.js';

/** Options of {@link planKHot}. */
export interface KHotOptions {
  /** float32, float16 or bfloat16 [out, in], dense: of a sparse autoencoder the decoder, a column for each latent. Copied. */
  readonly weight: TensorLike;
  /** What the plan stores the weight as, rounded to nearest even. Default: the type of `weight`. */
  readonly dtype?: ActivationType;
  /** float32 [out]. Default: none. */
  readonly bias?: TensorLike | Float32Array;
  /** Forces the kernels of one instruction set. Default: `SK_ISA` from the environment, else the best that the machine has. */
  readonly isa?: Isa;
  /** Most threads of one run. Default: all that `getNumThreads()` allows. */
  readonly threads?: number;
}

/** The inputs that each token keeps, and their numbers; an input that a list names twice counts twice. */
export interface KHotLists {
  /** Inputs, the lists of all tokens one after the other. */
  readonly indices: Int32Array;
  /** A number for each index. */
  readonly values: Float32Array;
  /** Every list is so long (top-k). Either this or `offsets`. */
  readonly k?: number;
  /** One more than there are tokens: the list of token t is from `offsets[t]` to before `offsets[t + 1]` (CSR). */
  readonly offsets?: Int32Array;
}

/** Options of {@link KHotPlan.run}. */
export interface KHotRunOptions {
  /** Where to write the result; it must not overlap what is read. Default: a new array. */
  readonly out?: TensorLike | Float32Array;
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

  /** @internal */
  constructor(khotOptions: KHotOptions) {
    const o = options<KHotOptions>(khotOptions, 'options', ['weight', 'dtype', 'bias', 'isa', 'threads']);
    const { data, dims, type } = tensor(o.weight, 'weight', activationTypes);
    const [out = 0, inputs = 0] = dims;
    if (dims.length !== 2 || data.length === 0) {
      throw rangeError('ERR_SK_SHAPE', `expected weight to be [out, in] with both at least 1 but received dims ${describe(dims)}`);
    }
    this.inFeatures = inputs;
    this.outFeatures = out;
    const settings = {
      weight: data,
      type: dtypeNumber(type),
      values: dtypeNumber(o.dtype === undefined ? type : oneOf(o.dtype, 'dtype', activationTypes)),
      out,
      in: inputs,
      bias: o.bias === undefined ? undefined : rowVector(o.bias, 'bias', out),
      isa: isaOption(o.isa),
      threads: o.threads === undefined ? 0 : integer(o.threads, 'threads', 1, 1024),
    };
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
   * `y = x Wᵀ + b` off the event loop. Lists are read before the call returns; x is read in slices while the run goes on, so it must not change
   * until the promise settles.
   *
   * @param x - lists, or float32 [..., in] whose zeros are skipped, or a bare Float32Array of tokens x in
   * @returns float32 [tokens, out], or [..., out]
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
  async run(x: KHotLists | TensorLike | Float32Array, runOptions: KHotRunOptions = {}): Promise<Tensor> {
    const { out, signal } = options<KHotRunOptions>(runOptions, 'options', ['out', 'signal']);
    return cancellable(signal, (token) =>
      this.#handle.use(async (plan) => {
        const { values, indices, offsets, tokens, y, dims } = this.#operands(x, out);
        const { inFeatures, outFeatures } = this;
        const slice = indices ? tokens : Math.max(1, Math.floor(sliceBytes / 4 / inFeatures));
        for (let first = 0; first < Math.max(tokens, 1); first += Math.max(slice, 1)) {
          const end = Math.min(first + slice, tokens);
          typedArray(values, 'float32', 'x', tokens); // it may have been transferred away since the last slice
          typedArray(y, 'float32', 'out', tokens);
          const from = indices ? values : values.subarray(first * inFeatures, end * inFeatures);
          const to = y.subarray(first * outFeatures, end * outFeatures);
          await plan.run(from, end - first, to, indices, offsets, out === undefined, token);
        }
        return { type: 'float32', data: y, dims } as Tensor;
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
  runSync(x: KHotLists | TensorLike | Float32Array, runOptions: Pick<KHotRunOptions, 'out'> = {}): Tensor {
    const { out } = options<Pick<KHotRunOptions, 'out'>>(runOptions, 'options', ['out']);
    const { values, indices, offsets, tokens, y, dims } = this.#operands(x, out);
    guarded(() => this.#handle.live().runSync(values, tokens, y, indices, offsets));
    return { type: 'float32', data: y, dims };
  }

  /** Frees the packed weight as soon as no run is under way; later use throws `ERR_SK_DISPOSED`. Calling it twice is fine. */
  dispose(): void {
    this.#handle.dispose();
  }

  /** `using layer = nm.planKHot(...)` disposes at the end of the block. */
  [Symbol.dispose](): void {
    this.dispose();
  }

  #operands(x: unknown, out: TensorLike | Float32Array | undefined) {
    const isLists = typeof x === 'object' && x !== null && 'indices' in x;
    const operand = isLists ? listOperand(x as KHotLists) : { ...denseOperand(x, this.inFeatures), indices: undefined, offsets: undefined };
    const dims = [...operand.dims, this.outFeatures];
    const y = this.#output(out, operand.tokens);
    for (const read of [operand.values, operand.indices, operand.offsets]) {
      if (read && overlaps(read, y)) throw rangeError('ERR_SK_OVERLAP', 'expected out not to share memory with what is read');
    }
    return { ...operand, y, dims };
  }

  #output(out: TensorLike | Float32Array | undefined, tokens: number): Float32Array {
    const length = tokens * this.outFeatures;
    if (out === undefined) return allocate('float32', length, 'the output');
    const isTensor = typeof out === 'object' && out !== null && 'dims' in out;
    const data = isTensor ? tensor(out, 'out', ['float32']).data : typedArray(out, 'float32', 'out', length);
    if (data.length === length) return data;
    throw rangeError('ERR_SK_SHAPE', `expected out to hold ${tokens} x ${this.outFeatures} elements but received ${data.length}`);
  }
}

function denseOperand(x: unknown, inFeatures: number) {
  const { data, dims } = inputOperand(x, inFeatures);
  const values = typedArray(data, 'float32', 'x');
  return { values, tokens: values.length / inFeatures, dims: dims.slice(0, -1) };
}

function listOperand(x: KHotLists) {
  const lists = options<KHotLists>(x, 'lists', ['indices', 'values', 'k', 'offsets']);
  const indices = typedArray(lists.indices, 'int32', 'indices');
  const values = typedArray(lists.values, 'float32', 'values');
  if (values.length !== indices.length) {
    throw rangeError('ERR_SK_SHAPE', `expected a value for each of the ${indices.length} indices but received ${values.length}`);
  }
  if ((lists.k === undefined) === (lists.offsets === undefined)) {
    throw rangeError('ERR_SK_OPTION', 'expected either k or offsets beside indices and values');
  }
  const offsets = lists.offsets === undefined ? everyK(lists.k, indices.length) : typedArray(lists.offsets, 'int32', 'offsets');
  if (offsets.length === 0) throw rangeError('ERR_SK_SHAPE', 'expected offsets to hold one more than there are tokens but received none');
  return { indices, values, offsets, tokens: offsets.length - 1, dims: [offsets.length - 1] };
}

function everyK(asked: unknown, length: number): Int32Array {
  const k = integer(asked, 'k', 1, 2 ** 31 - 1);
  if (length % k !== 0 || length > 2 ** 31 - 1) {
    throw rangeError('ERR_SK_SHAPE', `expected a multiple of k = ${k} indices but received ${length}`);
  }
  return Int32Array.from({ length: length / k + 1 }, (_, t) => t * k);
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
