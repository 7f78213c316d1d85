import type { NativeCancelToken, NativeSpmmPlan } from '../../types/native.js';
import { cancellable, guarded, NativeHandle } from '../handle.js';
import { native } from '../native.js';
import { nextTurn } from '../slices.js';
import { allocate, type Tensor, type TensorLike, typedArray } from '../tensor.js';
import { options } from '../validate.js';
import { CudaPlan } from './cuda-plan.js';
import { dtypeNumber, type OutputOf, type RunOperands, runOperands } from './operands.js';
import type { PlanPattern } from './pattern.js';
import { fromBytes, readPlan, writePlan } from './saved.js';
import { type CudaPlanOptions, type PlanOptions, planSettings, type SavedOptions } from './settings.js';

/** Options of {@link Plan.run}. */
export interface RunOptions {
  /** Where to write the result, tokens x out elements; it must not overlap x. Default: a new array. */
  readonly out?: TensorLike | Float32Array;
  /** Added after the activation: of the type and size of the result; it may be `out` itself. Default: none. */
  readonly residual?: TensorLike | Float32Array;
  /** Aborts the run between tiles: the promise then rejects with the signal's `reason`. */
  readonly signal?: AbortSignal;
}

/** Options of {@link Plan.runSync}. */
export type RunSyncOptions = Pick<RunOptions, 'out' | 'residual'>;

/** Most that one native run covers: what the event loop packs at a time. Shorter slices would read the weight too often. */
const sliceBytes = 8 << 20;
const sliceTokens = 1024;

/**
 * Of the packed weight, times tokens: so few take some microseconds. Handing them to another thread and back would take 15 to 100, by which
 * cores are asleep, so they are computed at once, and the event loop gets its turn before the promise settles.
 */
const briefBytes = 32 << 10;

function runAtOnce(plan: NativeSpmmPlan, { input, tokens, output, residual }: RunOperands): void {
  guarded(() => plan.runSync(input.data, dtypeNumber(input.type), tokens, output.data, dtypeNumber(output.type), residual));
}

/**
 * A sparse linear layer: checked, packed, with its kernel chosen. Immutable; any number of runs may be under way at once. Made by
 * {@link plan}.
 *
 * An output depends only on its own row of x, never on the other rows, their number or the number of threads: results are reproducible
 * bit for bit on one instruction set.
 */
export class Plan {
  /** The pattern, for instance `'2:4'`. */
  readonly pattern: PlanPattern;
  /** Size of the input axis. */
  readonly inFeatures: number;
  /** Size of the output axis. */
  readonly outFeatures: number;
  /** It has a gate. */
  readonly gated: boolean;
  readonly #handle: NativeHandle<NativeSpmmPlan>;
  readonly #saved: SavedOptions;
  /** Of the weight, and of the gate if there is one. */
  readonly #biases: readonly (Float32Array | undefined)[];

  /** @internal */
  constructor(planOptions: PlanOptions) {
    const { settings, pattern, saved } = planSettings(planOptions);
    this.pattern = pattern;
    this.inFeatures = settings.in;
    this.outFeatures = settings.out;
    this.gated = settings.gate !== undefined;
    this.#saved = saved;
    this.#biases = [settings.bias?.slice(), ...(this.gated ? [settings.gateBias?.slice()] : [])];
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
   * `y = activation(x Wᵀ + b)` off the event loop (but for runs of a few microseconds, which handing over would take longer than). x is
   * packed in slices while the run goes on, so it must not change until the promise settles; transferring its buffer away meanwhile is an
   * error, not a crash.
   *
   * @param x - float32, float16 or bfloat16 [..., in], or a bare Float32Array of tokens x in
   * @returns [..., out] of the type of x (or of `out`)
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
  async run<X extends TensorLike | Float32Array>(x: X, runOptions: RunOptions = {}): Promise<OutputOf<X>> {
    const { out, residual, signal } = options<RunOptions>(runOptions, 'options', ['out', 'residual', 'signal']);
    return cancellable(signal, (token) =>
      this.#handle.use(async (native) => {
        const operands = runOperands(x, out, residual, this.inFeatures, this.outFeatures);
        if (operands.tokens * native.bytes > briefBytes) {
          await this.#runSlices(native, operands, out === undefined, token);
        } else {
          runAtOnce(native, operands);
          await nextTurn();
        }
        return operands.output as OutputOf<X>;
      }),
    );
  }

  /** Slices bound the time that packing x holds the event loop. One after the other: two at once would take more threads than the run may. */
  async #runSlices(plan: NativeSpmmPlan, operands: RunOperands, privateY: boolean, token: NativeCancelToken | undefined) {
    const { inFeatures, outFeatures } = this;
    const { input, tokens, output, residual } = operands;
    const [xType, yType] = [dtypeNumber(input.type), dtypeNumber(output.type)];
    const slice = Math.max(1, Math.min(sliceTokens, Math.floor(sliceBytes / 4 / Math.max(inFeatures, outFeatures))));
    for (let first = 0; first < Math.max(tokens, 1); first += slice) {
      const end = Math.min(first + slice, tokens);
      typedArray(input.data, input.type, 'x', tokens); // it may have been transferred away since the last slice
      typedArray(output.data, output.type, 'out', tokens);
      const xs = input.data.subarray(first * inFeatures, end * inFeatures);
      const ys = output.data.subarray(first * outFeatures, end * outFeatures);
      if (residual) typedArray(residual, output.type, 'residual', tokens);
      const added = residual?.subarray(first * outFeatures, end * outFeatures);
      await plan.run(xs, xType, end - first, ys, yType, privateY, token, added);
    }
  }

  /**
   * {@link Plan.run} on the calling thread (and the pool): for scripts and small work. x is read in place.
   *
   * @param x - float32, float16 or bfloat16 [..., in], or a bare Float32Array of tokens x in
   * @returns [..., out] of the type of x (or of `out`)
   * @throws as {@link Plan.run}
   * @example
   * ```ts
   * import { nm } from 'sparse-kernels';
   * const weight = { data: Float32Array.of(1, 0, 2, 0), dims: [1, 4] };
   * nm.plan({ weight, pattern: '2:4' }).runSync(Float32Array.of(1, 1, 1, 1)).data; // Float32Array [3]
   * ```
   */
  runSync<X extends TensorLike | Float32Array>(x: X, runOptions: RunSyncOptions = {}): OutputOf<X> {
    const { out, residual } = options<RunSyncOptions>(runOptions, 'options', ['out', 'residual']);
    const operands = runOperands(x, out, residual, this.inFeatures, this.outFeatures);
    runAtOnce(this.#handle.live(), operands);
    return operands.output as OutputOf<X>;
  }

  /** The pruned weight as the plan holds it, rounded or quantised, float32 [out, in]; with a gate [2 out, in], its rows last. */
  toDense(): Tensor {
    const live = this.#handle.live();
    const rows = this.outFeatures * (this.gated ? 2 : 1);
    const data = allocate('float32', rows * this.inFeatures, 'the dense weight');
    live.toDense(data);
    return { type: 'float32', data, dims: [rows, this.inFeatures] };
  }

  /**
   * The plan as bytes, for {@link deserialize}: a safetensors file of the packed weight in an order that does not depend on the machine, with
   * a version and a checksum. Of the options, `isa` and `threads` stay behind.
   *
   * @throws SparseKernelsError `ERR_SK_DISPOSED` / `ERR_SK_MEMORY`
   * @example
   * ```ts
   * import { nm } from 'sparse-kernels';
   * const weight = { data: Float32Array.of(1, 0, 2, 0), dims: [1, 4] };
   * const bytes = nm.plan({ weight, pattern: '2:4' }).serialize(); // in practice: await writeFile('layer.plan', bytes)
   * nm.deserialize(bytes).runSync(Float32Array.of(1, 1, 1, 1)).data; // Float32Array [3]
   * ```
   */
  serialize(): Uint8Array<ArrayBuffer> {
    const { outFeatures: out, inFeatures } = this;
    const dense = this.toDense().data;
    const { dtype, groupSize } = this.#saved;
    const each = dtype === 'int4' ? Math.ceil(inFeatures / (groupSize as number)) : dtype === 'int8' ? 1 : 0; // of an output
    const scales = new Float32Array((dense.length / inFeatures) * each);
    if (each) this.#handle.live().scales(scales);
    const weights = this.#biases.map((bias, i) => ({
      dense: dense.subarray(i * out * inFeatures, (i + 1) * out * inFeatures),
      scale: each ? scales.subarray(i * out * each, (i + 1) * out * each) : undefined,
      bias,
    }));
    return writePlan(this.#saved, [out, inFeatures], weights);
  }

  /** Frees the packed weight as soon as no run is under way; later use throws `ERR_SK_DISPOSED`. Calling it twice is fine. */
  dispose(): void {
    this.#handle.dispose();
  }

  /** `using layer = nm.plan(...)` disposes at the end of the block. */
  [Symbol.dispose](): void {
    this.dispose();
  }
}

/**
 * Checks and packs a pruned weight and chooses its kernel: expensive once, cheap ever after.
 *
 * @throws TypeError `ERR_SK_TYPE` / `ERR_SK_DTYPE` / `ERR_SK_BUFFER`, RangeError `ERR_SK_SHAPE` / `ERR_SK_PATTERN` / `ERR_SK_OPTION`,
 * SparseKernelsError `ERR_SK_SPARSITY` (the first group with too many non-zeros is named) / `ERR_SK_VALUE` (weights that `dtype` cannot hold) /
 * `ERR_SK_ISA` / `ERR_SK_MEMORY`
 * @example
 * ```ts
 * import { nm } from 'sparse-kernels';
 * const weight = { data: Float32Array.of(1, 0, 2, 0, 0, 0, 0, 3), dims: [2, 4] };
 * const layer = nm.plan({ weight, pattern: '2:4', bias: Float32Array.of(10, 20), activation: 'relu' });
 * const y = await layer.run(Float32Array.of(1, 1, 1, 1));
 * y.data; // Float32Array [13, 23]
 * ```
 */
export function plan(planOptions: CudaPlanOptions): CudaPlan;
export function plan(planOptions: PlanOptions): Plan;
export function plan(planOptions: PlanOptions | CudaPlanOptions): Plan | CudaPlan {
  if (planOptions?.device !== 'cuda') return new Plan(planOptions);
  return new CudaPlan(planOptions);
}

/** Options of {@link deserialize}. */
export type DeserializeOptions = Pick<PlanOptions, 'tokens' | 'isa' | 'threads'>;

/**
 * The plan that {@link Plan.serialize} wrote, on this machine's best kernel. Results are the same bits on one instruction set.
 *
 * @throws TypeError `ERR_SK_TYPE`, RangeError `ERR_SK_OPTION`, SparseKernelsError `ERR_SK_FILE` (truncated, damaged or foreign bytes) /
 * `ERR_SK_CHECKSUM` / `ERR_SK_VERSION` / `ERR_SK_ISA` / `ERR_SK_MEMORY`
 * @example
 * ```ts
 * import { nm } from 'sparse-kernels';
 * const weight = { data: Float32Array.of(1, 0, 2, 0), dims: [1, 4] };
 * const layer = nm.deserialize(nm.plan({ weight, pattern: '2:4' }).serialize(), { threads: 1 });
 * ```
 */
export function deserialize(bytes: Uint8Array, deserializeOptions: DeserializeOptions = {}): Plan {
  const given = options<DeserializeOptions>(deserializeOptions, 'options', ['tokens', 'isa', 'threads']);
  const read = readPlan(bytes);
  // What the caller asks for is checked by itself: all else that is wrong is wrong with the bytes.
  planSettings({ weight: { data: new Float32Array(4), dims: [1, 4] }, pattern: '2:4', ...given });
  return fromBytes(() => new Plan({ ...read, ...given }));
}
