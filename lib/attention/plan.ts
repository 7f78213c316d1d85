import type { NativeAttendPlan, NativeKvCache } from '../../types/attention.js';
import { rangeError } from '../errors.js';
import { cancellable, guarded, NativeHandle } from '../handle.js';
import { native } from '../native.js';
import { type TensorLike, tensor } from '../tensor.js';
import { describe } from '../validate.js';
import { CudaPlan } from './cuda-plan.js';
import { type Operands, operandsOf } from './operands.js';
import { settingsOf } from './settings.js';
import { runSlices } from './slices.js';
import type { AttentionResult, CudaPlanOptions, Layout, Pattern, PlanOptions, RunOptions } from './types.js';

/**
 * Attention over the keys that a pattern lists: checked, with its kernel chosen. Immutable; any number of runs may be under way at once.
 * Made by {@link plan}.
 *
 * Results depend neither on the number of threads nor on timing: each query is summed in the order of its lists, or, with a kernel named `keys`,
 * in the order of the keys.
 */
export class Plan {
  /** Which keys each query block attends to. */
  readonly pattern: Pattern;
  /** Sequences. */
  readonly batch: number;
  /** Query heads. */
  readonly heads: number;
  /** Key-value heads. */
  readonly kvHeads: number;
  /** Dims of a head. */
  readonly headDim: number;
  /** Order of the axes. */
  readonly layout: Layout;
  /** Element type of q, k and v. */
  readonly dtype: 'float32' | 'float16' | 'bfloat16';
  readonly #handle: NativeHandle<NativeAttendPlan>;

  /** @internal */
  constructor(planOptions: PlanOptions) {
    const { fields, settings } = settingsOf(planOptions);
    this.pattern = fields.pattern as Pattern; // with lists: room for some is for devices only
    this.batch = fields.batch;
    this.heads = fields.heads;
    this.kvHeads = fields.kvHeads;
    this.headDim = fields.headDim;
    this.layout = fields.layout;
    this.dtype = fields.dtype;
    this.#handle = new NativeHandle('the plan', () => new native.AttendPlan(settings));
  }

  /**
   * Name of the kernel that runs: `attend_f32_any_avx2` (an example) takes the rows of a list and walks its keys. Where a list is for 8 rows at most
   * (queries of a block x query heads that share it) and 16 rows or more share each tile of 8 keys or more, on average, as in NSA,
   * `attend_f32_keys_avx2` takes the keys of a tile, once, and multiplies them with all rows that list it (FSA, Yan et al., 2025).
   */
  get kernel(): string {
    return this.#handle.live().kernel;
  }

  /** Bytes of the plan's copy of the lists. */
  get bytes(): number {
    return this.#handle.live().bytes;
  }

  /** Share of all N x T scores that the lists name, whatever causality or a window cut off their tiles. */
  get density(): number {
    const { queryLength, keyLength, batch } = this.pattern;
    const scores = batch * this.heads * queryLength * keyLength;
    return scores === 0 ? 0 : this.#handle.live().listed / scores;
  }

  /**
   * Attention off the event loop. The operands are copied, a few key-value heads at a time, while the run goes on: they must not change
   * until the promise settles. Transferring one away meanwhile is an error, not a crash.
   *
   * @param q - [batch, heads, N, headDim] ('BSHD': [batch, N, heads, headDim]), of the plan's dtype
   * @param k - [batch, kvHeads, T, headDim] ('BSHD': [batch, T, kvHeads, headDim])
   * @param v - as k. A NaN or infinity in a row of v reaches all queries of a block that lists the key, those that causality or a window cut
   * off from it too (0 times NaN is NaN); keys beyond `keyLengths` and keys of bias -Infinity are never read
   * @returns output, as q but float32, and lse, float32 [batch, heads, N]
   * @throws (rejects) TypeError `ERR_SK_TYPE` / `ERR_SK_DTYPE` / `ERR_SK_BUFFER`, RangeError `ERR_SK_SHAPE` / `ERR_SK_OPTION`,
   * SparseKernelsError `ERR_SK_DISPOSED` / `ERR_SK_MEMORY`, or the reason of `signal`
   * @example
   * ```ts
   * import { attention } from 'sparse-kernels';
   * const pattern = attention.patterns.window({ queryLength: 256, window: 64 });
   * using plan = attention.plan({ pattern, heads: 4, kvHeads: 2, headDim: 32, causal: true, window: 64 });
   * const tensor = (heads: number) => ({ data: new Float32Array(heads * 256 * 32), dims: [1, heads, 256, 32] });
   * const { output, lse } = await plan.run(tensor(4), tensor(2), tensor(2)); // output.dims: [1, 4, 256, 32], lse.dims: [1, 4, 256]
   * ```
   */
  async run(q: TensorLike, k: TensorLike, v: TensorLike, runOptions: RunOptions = {}): Promise<AttentionResult> {
    return cancellable(runOptions?.signal, (token) =>
      this.#handle.use(async (native) => {
        const operands = this.#operands(q, runOptions, { k, v });
        await runSlices(native, operands.native, this.layout, token);
        return this.#result(operands);
      }),
    );
  }

  /**
   * {@link Plan.run} on the calling thread (and the pool): for scripts. The operands are read in place.
   *
   * @param q - as for run
   * @param k - as for run
   * @param v - as for run
   * @throws as {@link Plan.run}
   * @example
   * ```ts
   * import { attention } from 'sparse-kernels';
   * const plan = attention.plan({ pattern: attention.patterns.dense({ queryLength: 2 }), heads: 1, headDim: 8 });
   * const x = { data: new Float32Array(16).fill(1), dims: [1, 1, 2, 8] };
   * plan.runSync(x, x, x).output.data; // Float32Array [1, 1, ...]
   * ```
   */
  runSync(q: TensorLike, k: TensorLike, v: TensorLike, runOptions: Omit<RunOptions, 'signal'> = {}): AttentionResult {
    return this.#runSync(this.#operands(q, runOptions, { k, v }));
  }

  /** @internal Attention over the pages of caches, one for each batch entry, off the event loop. */
  async runCaches(q: TensorLike, caches: readonly NativeKvCache[], runOptions: RunOptions): Promise<AttentionResult> {
    return cancellable(runOptions.signal, (token) =>
      this.#handle.use(async (native) => {
        const operands = this.#operands(q, runOptions, { caches });
        await native.run(operands.native, token);
        return this.#result(operands);
      }),
    );
  }

  /** @internal The same on the calling thread (and the pool). */
  runCachesSync(q: TensorLike, caches: readonly NativeKvCache[], runOptions: Omit<RunOptions, 'signal'>): AttentionResult {
    return this.#runSync(this.#operands(q, runOptions, { caches }));
  }

  /** Frees the lists as soon as no run is under way; later use throws `ERR_SK_DISPOSED`. Calling it twice is fine. */
  dispose(): void {
    this.#handle.dispose();
  }

  /** `using plan = attention.plan(...)` disposes at the end of the block. */
  [Symbol.dispose](): void {
    this.dispose();
  }

  #runSync(operands: Operands): AttentionResult {
    const live = this.#handle.live();
    guarded(() => live.runSync(operands.native));
    return this.#result(operands);
  }

  #operands(
    q: TensorLike,
    runOptions: RunOptions,
    source: { k: TensorLike; v: TensorLike } | { caches: readonly NativeKvCache[] },
  ): Operands {
    const { queryLength, keyLength } = this.pattern;
    const check = (value: TensorLike, name: string, heads: number, tokens: number) => {
      const { batch, headDim } = this;
      const wanted = this.layout === 'BHSD' ? [batch, heads, tokens, headDim] : [batch, tokens, heads, headDim];
      const view = tensor(value, name, [this.dtype]);
      if (String(view.dims) === String(wanted)) return view.data;
      throw rangeError('ERR_SK_SHAPE', `expected ${name} to be ${describe(wanted)} but received dims ${describe(view.dims)}`);
    };
    const queries = check(q, 'q', this.heads, queryLength);
    const keys =
      'caches' in source
        ? { caches: source.caches }
        : { k: check(source.k, 'k', this.kvHeads, keyLength), v: check(source.v, 'v', this.kvHeads, keyLength) };
    return operandsOf(this, { q: queries, ...keys }, runOptions);
  }

  #result({ native: { output, lse, rowMax }, dims }: Operands): AttentionResult {
    const states = [this.batch, this.heads, this.pattern.queryLength];
    return {
      output: { type: 'float32', data: output, dims },
      lse: { type: 'float32', data: lse, dims: states },
      ...(this.layout === 'BSHD' && { layout: this.layout }),
      ...(rowMax && { rowMax: { type: 'float32', data: rowMax, dims: states } }),
    };
  }
}

/**
 * Checks lists of keys and chooses a kernel: once for many runs of the same shape. With `device: 'cuda'` the lists go to the device.
 *
 * @throws TypeError `ERR_SK_TYPE` / `ERR_SK_BUFFER`, RangeError `ERR_SK_OPTION` / `ERR_SK_SHAPE`, SparseKernelsError `ERR_SK_LISTS` (an id
 * out of range, a range outside the index, a key that a row lists twice: row and key are named) / `ERR_SK_ISA` / `ERR_SK_MEMORY` /
 * `ERR_SK_DEVICE` / `ERR_SK_CUDA`
 * @example
 * ```ts
 * import { attention } from 'sparse-kernels';
 * const { fromMask } = attention.patterns;
 * // Two blocks of 64 queries; the second attends to both blocks of keys.
 * const plan = attention.plan({ pattern: fromMask(Uint8Array.of(1, 0, 1, 1), { queryLength: 128 }), heads: 8, headDim: 64, causal: true });
 * plan.kernel; // 'attend_f32_any_avx2'
 * plan.density; // 0.75
 * ```
 */
export function plan(planOptions: CudaPlanOptions): CudaPlan;
export function plan(planOptions: PlanOptions): Plan;
export function plan(planOptions: PlanOptions | CudaPlanOptions): Plan | CudaPlan {
  return planOptions?.device === 'cuda' ? new CudaPlan(planOptions) : new Plan(planOptions);
}
