import type { NativeAttendCudaPlan } from '../../types/attention.js';
import { DeviceTensor, toDevice } from '../device-tensor.js';
import { rangeError, typeError } from '../errors.js';
import { cancellable, NativeHandle } from '../handle.js';
import { native } from '../native.js';
import { type TensorLike, tensor } from '../tensor.js';
import { describe, options } from '../validate.js';
import { modifiersOf } from './operands.js';
import { settingsOf } from './settings.js';
import type { AttentionResult, CudaPlanOptions, Layout, Pattern, RunOptions } from './types.js';

const runKeys = ['queryPositions', 'keyPositions', 'keyLengths', 'keyBias', 'logWeight', 'sink', 'signal'] as const;

/** Options of {@link CudaPlan.run}, all in host memory. */
export type CudaRunOptions = Pick<
  RunOptions,
  'queryPositions' | 'keyPositions' | 'keyLengths' | 'keyBias' | 'logWeight' | 'sink' | 'signal'
>;

/** An {@link AttentionResult} that stays on the device. */
export interface CudaAttentionResult {
  /** float32, shape and layout of q. */
  readonly output: DeviceTensor<'float32'>;
  /** float32 [batch, heads, N], natural logarithm. */
  readonly lse: DeviceTensor<'float32'>;
}

/**
 * Attention on a CUDA device, on tensor cores: the lists stay there. Made by `attention.plan` with `device: 'cuda'`.
 *
 * Sums are float32; queries times scale and weights (the exponentials) are rounded to the plan's dtype. Results do not depend on timing, and
 * are reproducible bit for bit on devices with the same number of multiprocessors.
 */
export class CudaPlan {
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
  readonly dtype: 'float16' | 'bfloat16';
  readonly #handle: NativeHandle<NativeAttendCudaPlan>;

  /** @internal */
  constructor(planOptions: CudaPlanOptions) {
    const { fields, settings } = settingsOf(planOptions);
    this.pattern = fields.pattern;
    this.batch = fields.batch;
    this.heads = fields.heads;
    this.kvHeads = fields.kvHeads;
    this.headDim = fields.headDim;
    this.layout = fields.layout;
    this.dtype = fields.dtype as 'float16' | 'bfloat16'; // the addon has no kernel for another
    this.#handle = new NativeHandle('the plan', () => new native.AttendCudaPlan(settings));
  }

  /** Name of the kernel that runs, for instance `attend_f16_any_cuda`. */
  get kernel(): string {
    return this.#handle.live().kernel;
  }

  /** Bytes of the lists on the device. */
  get bytes(): number {
    return this.#handle.live().bytes;
  }

  /**
   * Attention on the device; the promise settles when the result is there. With a q in host memory k and v are too, and the result.
   *
   * @param q - [batch, heads, N, headDim] ('BSHD': [batch, N, heads, headDim]), of the plan's dtype
   * @param k - [batch, kvHeads, T, headDim] ('BSHD': [batch, T, kvHeads, headDim])
   * @param v - as k
   * @throws (rejects) TypeError `ERR_SK_TYPE` / `ERR_SK_DTYPE` / `ERR_SK_BUFFER`, RangeError `ERR_SK_SHAPE` / `ERR_SK_OPTION`,
   * SparseKernelsError `ERR_SK_DISPOSED` / `ERR_SK_MEMORY` / `ERR_SK_CUDA`, or the reason of `signal`
   * @example
   * ```ts
   * import { attention, devices } from 'sparse-kernels';
   * if (devices().some((d) => d.type === 'cuda' && d.available)) {
   *   const pattern = attention.patterns.dense({ queryLength: 128, causal: true });
   *   using plan = attention.plan({ pattern, heads: 4, headDim: 64, causal: true, dtype: 'float16', device: 'cuda' });
   *   const x = { data: new Uint16Array(4 * 128 * 64), dims: [1, 4, 128, 64], type: 'float16' };
   *   const { output, lse } = await plan.run(x, x, x); // output.dims: [1, 4, 128, 64]
   * }
   * ```
   */
  async run(q: DeviceTensor, k: DeviceTensor, v: DeviceTensor, runOptions?: CudaRunOptions): Promise<CudaAttentionResult>;
  async run(q: TensorLike, k: TensorLike, v: TensorLike, runOptions?: CudaRunOptions): Promise<AttentionResult>;
  async run(
    q: DeviceTensor | TensorLike,
    k: DeviceTensor | TensorLike,
    v: DeviceTensor | TensorLike,
    runOptions: CudaRunOptions = {},
  ): Promise<CudaAttentionResult | AttentionResult> {
    return this.#handle.use(async (plan) => {
      if (q instanceof DeviceTensor) return this.#runOnDevice(plan, q, k as DeviceTensor, v as DeviceTensor, runOptions);
      const there: Promise<DeviceTensor>[] = [];
      try {
        for (const [value, name] of [
          [q, 'q'],
          [k, 'k'],
          [v, 'v'],
        ] as const) {
          there.push(toDevice(tensor(value as TensorLike, name, [this.dtype]), 'cuda'));
        }
        const [qs, ks, vs] = (await Promise.all(there)) as [DeviceTensor, DeviceTensor, DeviceTensor];
        const { output, lse } = await this.#runOnDevice(plan, qs, ks, vs, runOptions);
        try {
          return { output: await output.to('cpu'), lse: await lse.to('cpu') };
        } finally {
          output.dispose();
          lse.dispose();
        }
      } finally {
        for (const one of await Promise.allSettled(there)) if (one.status === 'fulfilled') one.value.dispose();
      }
    });
  }

  async #runOnDevice(
    plan: NativeAttendCudaPlan,
    q: DeviceTensor,
    k: DeviceTensor,
    v: DeviceTensor,
    runOptions: CudaRunOptions,
  ): Promise<CudaAttentionResult> {
    const o = options<CudaRunOptions>(runOptions, 'options', runKeys);
    const { queryLength, keyLength } = this.pattern;
    this.#check(q, 'q', this.heads, queryLength);
    this.#check(k, 'k', this.kvHeads, keyLength);
    this.#check(v, 'v', this.kvHeads, keyLength);
    const modifiers = modifiersOf(this, o);
    return cancellable(o.signal, async (token) => {
      const output = new DeviceTensor('float32', q.dims);
      const lse = new DeviceTensor('float32', [this.batch, this.heads, queryLength]);
      try {
        await q.use((q) =>
          k.use((k) => v.use((v) => output.use((output) => lse.use((lse) => plan.run({ q, k, v, output, lse, ...modifiers }, token))))),
        );
      } catch (error) {
        output.dispose();
        lse.dispose();
        throw error;
      }
      return { output, lse };
    });
  }

  #check(value: DeviceTensor, name: string, heads: number, tokens: number): void {
    const { batch, headDim } = this;
    if (!(value instanceof DeviceTensor) || value.type !== this.dtype) {
      throw typeError('ERR_SK_DTYPE', `expected ${name} to be a ${this.dtype} tensor on the device, as q is`);
    }
    const wanted = this.layout === 'BHSD' ? [batch, heads, tokens, headDim] : [batch, tokens, heads, headDim];
    if (String(value.dims) === String(wanted)) return;
    throw rangeError('ERR_SK_SHAPE', `expected ${name} to be ${describe(wanted)} but received dims ${describe(value.dims)}`);
  }

  /** Frees the lists as soon as no run is under way; later use throws `ERR_SK_DISPOSED`. Calling it twice is fine. */
  dispose(): void {
    this.#handle.dispose();
  }

  /** `using plan = attention.plan(...)` disposes at the end of the block. */
  [Symbol.dispose](): void {
    this.dispose();
  }
}
