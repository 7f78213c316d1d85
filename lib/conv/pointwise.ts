import type { NativePlanesPlan } from '../../types/conv.js';
import { type Isa, isaOption } from '../device.js';
import { rangeError } from '../errors.js';
import { cancellable, guarded, NativeHandle } from '../handle.js';
import { native } from '../native.js';
import { allocate, overlaps, type Tensor, type TensorLike, tensor, typedArray } from '../tensor.js';
import { describe, integer, oneOf, options } from '../validate.js';
import { onCopies } from './run.js';

const activations = ['none', 'relu', 'relu6'] as const;

/** Options of {@link pointwise}. */
export interface PointwiseOptions {
  /** float32 [out, in] or [out, in, 1, ..]: the weight of a 1x1 convolution as ONNX and PyTorch keep it, zeros where it is pruned. Copied. */
  readonly weight: TensorLike;
  /** float32 [out]: added before the activation. Default: none. */
  readonly bias?: TensorLike | Float32Array;
  /** Default `'none'`. */
  readonly activation?: 'none' | 'relu' | 'relu6';
  /**
   * So many output channels, 1, 2 or 4, share the input channels that they keep: what only some of them keep is stored as zeros of the others.
   * Default: the largest of which at least 9 of 10 stored weights are not zero.
   */
  readonly block?: 1 | 2 | 4;
  /** Forces the kernels of one instruction set. Default: `SK_ISA` from the environment, else the best that the machine has. */
  readonly isa?: Isa;
  /** Most threads of one run. Default: all that `getNumThreads()` allows. */
  readonly threads?: number;
}

/** Options of {@link Pointwise.run}. */
export interface PointwiseRunOptions {
  /** Where to write the result; it must not overlap x. Default: a new array. */
  readonly out?: TensorLike | Float32Array;
  /** Aborts the run between strips: the promise then rejects with the signal's `reason`. */
  readonly signal?: AbortSignal;
}

/** Most bytes of x that one native run copies; images are not divided. */
const sliceBytes = 8 << 20;

/**
 * A 1x1 convolution with a sparse weight on dense images, channels first. Immutable; any number of runs may be under way at once. Made by
 * {@link pointwise}.
 *
 * Results are reproducible bit for bit on one instruction set, for any number of threads.
 */
export class Pointwise {
  /** Channels of x. */
  readonly inChannels: number;
  /** Channels of the result. */
  readonly outChannels: number;
  /** Output channels that share their input channels. */
  readonly block: 1 | 2 | 4;
  readonly #handle: NativeHandle<NativePlanesPlan>;

  /** @internal */
  constructor(pointwiseOptions: PointwiseOptions) {
    const o = options<PointwiseOptions>(pointwiseOptions, 'options', ['weight', 'bias', 'activation', 'block', 'isa', 'threads']);
    const { data, dims } = tensor(o.weight, 'weight', ['float32']);
    const [out = 0, inputs = 0, ...kernel] = dims;
    if (dims.length < 2 || data.length === 0 || kernel.some((k) => k !== 1)) {
      throw rangeError('ERR_SK_SHAPE', `expected weight to be [out, in] or [out, in, 1, ..] but received dims ${describe(dims)}`);
    }
    if (o.block !== undefined && ![1, 2, 4].includes(integer(o.block, 'block', 1, 4))) {
      throw rangeError('ERR_SK_OPTION', `expected block to be 1, 2 or 4 but received ${o.block}`);
    }
    this.inChannels = inputs;
    this.outChannels = out;
    this.block = o.block ?? fullest(data, out, inputs);
    const settings = {
      weight: data,
      in: inputs,
      out,
      block: this.block,
      bias: o.bias === undefined ? undefined : perOutput(o.bias, out),
      activation: activations.indexOf(oneOf(o.activation ?? 'none', 'activation', activations)),
      isa: isaOption(o.isa),
      threads: o.threads === undefined ? 0 : integer(o.threads, 'threads', 1, 1024),
    };
    this.#handle = new NativeHandle('the layer', () => new native.PlanesPlan(settings));
  }

  /** Name of the kernel that runs, for instance `planes_f32_csr_avx2`. */
  get kernel(): string {
    return this.#handle.live().kernel;
  }

  /** Share of the weights that are not zero. */
  get density(): number {
    return this.#handle.live().kept / (this.inChannels * this.outChannels);
  }

  /** Bytes of the packed weight and bias. */
  get bytes(): number {
    return this.#handle.live().bytes;
  }

  /**
   * The convolution of x, off the event loop. x is copied in slices while the run goes on, so it must not change until the promise settles;
   * transferring its buffer away meanwhile is an error, not a crash.
   *
   * @param x - float32 [batch, in, ...spatial] (NCHW for images)
   * @returns float32 [batch, out, ...spatial]
   * @throws (rejects) TypeError `ERR_SK_TYPE` / `ERR_SK_DTYPE` / `ERR_SK_BUFFER`, RangeError `ERR_SK_SHAPE` / `ERR_SK_OVERLAP`,
   * SparseKernelsError `ERR_SK_DISPOSED` / `ERR_SK_MEMORY`, or the reason of `signal`
   * @example
   * ```ts
   * import { conv } from 'sparse-kernels';
   * const layer = conv.pointwise({ weight: { data: Float32Array.of(1, 0, 0, 2), dims: [2, 2] } });
   * const y = await layer.run({ data: Float32Array.of(1, 2, 3, 4), dims: [1, 2, 1, 2] });
   * y.data; // Float32Array [1, 2, 6, 8]
   * ```
   */
  async run(x: TensorLike, runOptions: PointwiseRunOptions = {}): Promise<Tensor> {
    const { out, signal } = options<PointwiseRunOptions>(runOptions, 'options', ['out', 'signal']);
    const { from, to, images, pixels, dims } = this.#operands(x, out);
    const { inChannels, outChannels } = this;
    const slice = Math.max(1, Math.floor(sliceBytes / 4 / Math.max(1, inChannels * pixels)));
    await cancellable(signal, (token) =>
      this.#handle.use(async (plan) => {
        for (let first = 0; first < Math.max(images, 1); first += slice) {
          const end = Math.min(first + slice, images);
          typedArray(from, 'float32', 'x', images * pixels); // it may have been transferred away since the last slice
          typedArray(to, 'float32', 'out', images * pixels);
          const xs = from.subarray(first * inChannels * pixels, end * inChannels * pixels);
          const ys = to.subarray(first * outChannels * pixels, end * outChannels * pixels);
          await onCopies({ data: xs, isPrivate: false }, { data: ys, isPrivate: out === undefined }, (x, y) =>
            plan.run(x.data, end - first, pixels, y.data, x.isPrivate, y.isPrivate, token),
          );
        }
      }),
    );
    return { type: 'float32', data: to, dims };
  }

  /**
   * {@link Pointwise.run} on the calling thread (and the pool): for scripts and small work. x is read in place.
   *
   * @throws as {@link Pointwise.run}
   * @example
   * ```ts
   * import { conv } from 'sparse-kernels';
   * const layer = conv.pointwise({ weight: { data: Float32Array.of(1, -2), dims: [1, 2, 1, 1] }, activation: 'relu' });
   * layer.runSync({ data: Float32Array.of(1, 2, 1, 0), dims: [1, 2, 2] }).data; // Float32Array [0, 2]
   * ```
   */
  runSync(x: TensorLike, runOptions: Pick<PointwiseRunOptions, 'out'> = {}): Tensor {
    const { out } = options<Pick<PointwiseRunOptions, 'out'>>(runOptions, 'options', ['out']);
    const { from, to, images, pixels, dims } = this.#operands(x, out);
    guarded(() => this.#handle.live().runSync(from, images, pixels, to));
    return { type: 'float32', data: to, dims };
  }

  /** Frees the packed weight as soon as no run is under way; later use throws `ERR_SK_DISPOSED`. Calling it twice is fine. */
  dispose(): void {
    this.#handle.dispose();
  }

  /** `using layer = conv.pointwise(...)` disposes at the end of the block. */
  [Symbol.dispose](): void {
    this.dispose();
  }

  #operands(x: TensorLike, out: TensorLike | Float32Array | undefined) {
    const { data: from, dims } = tensor(x, 'x', ['float32']);
    const [images = 0, channels, ...spatial] = dims;
    if (dims.length < 2 || channels !== this.inChannels) {
      throw rangeError('ERR_SK_SHAPE', `expected x to be [batch, ${this.inChannels}, ...spatial] but received dims ${describe(dims)}`);
    }
    const pixels = spatial.reduce((a, b) => a * b, 1);
    const length = images * this.outChannels * pixels;
    const result = { from, images, pixels, dims: [images, this.outChannels, ...spatial] };
    if (out === undefined) return { ...result, to: allocate('float32', length, 'the output') };
    const isTensor = typeof out === 'object' && out !== null && 'dims' in out;
    const to = isTensor ? tensor(out, 'out', ['float32']).data : typedArray(out, 'float32', 'out', length);
    if (to.length !== length) throw rangeError('ERR_SK_SHAPE', `expected out to hold ${length} numbers but received ${to.length}`);
    if (overlaps(from, to)) throw rangeError('ERR_SK_OVERLAP', 'expected out not to share memory with x');
    return { ...result, to };
  }
}

function perOutput(bias: TensorLike | Float32Array, out: number): Float32Array {
  const isTensor = typeof bias === 'object' && bias !== null && 'dims' in bias;
  const data = isTensor ? tensor(bias, 'bias', ['float32']).data : typedArray(bias, 'float32', 'bias');
  if (data.length === out) return data;
  throw rangeError('ERR_SK_SHAPE', `expected bias to hold ${out} elements but received ${data.length}`);
}

/** The largest block of which at least 9 of 10 stored weights are not zero. */
function fullest(weight: Float32Array, out: number, inputs: number): 1 | 2 | 4 {
  for (const block of [4, 2] as const) {
    let [kept, stored] = [0, 0];
    for (let row = 0; row < out; row += block) {
      for (let i = 0; i < inputs; i++) {
        let some = 0;
        for (let r = row; r < Math.min(row + block, out); r++) if (weight[r * inputs + i] !== 0) some++;
        kept += some;
        if (some > 0) stored += block;
      }
    }
    if (kept >= 0.9 * stored) return block;
  }
  return 1;
}

/**
 * Packs the sparse weight of a 1x1 convolution and chooses its kernel: expensive once, cheap ever after. Images stay as they are, channels first;
 * zeros of the weight cost nothing (Elsen et al., "Fast Sparse ConvNets", CVPR 2020).
 *
 * @throws TypeError `ERR_SK_TYPE` / `ERR_SK_DTYPE` / `ERR_SK_BUFFER`, RangeError `ERR_SK_SHAPE` / `ERR_SK_OPTION`, SparseKernelsError
 * `ERR_SK_ISA` / `ERR_SK_MEMORY`
 * @example
 * ```ts
 * import { conv, prune } from 'sparse-kernels';
 * const dense = { data: new Float32Array(256 * 128).map(Math.random), dims: [256, 128] };
 * const { weight } = prune.magnitude(dense, { scope: 'global', sparsity: 0.9 });
 * using layer = conv.pointwise({ weight, activation: 'relu6' });
 * const y = await layer.run({ data: new Float32Array(128 * 28 * 28), dims: [1, 128, 28, 28] });
 * y.dims; // [1, 256, 28, 28]
 * ```
 */
export function pointwise(pointwiseOptions: PointwiseOptions): Pointwise {
  return new Pointwise(pointwiseOptions);
}
