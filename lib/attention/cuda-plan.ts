import type { NativeAttendCudaPlan } from '../../types/attention.js';
import { DeviceTensor, deviceCall, filled, throughDevice, toDevice } from '../device-tensor.js';
import { rangeError, typeError } from '../errors.js';
import { NativeHandle } from '../handle.js';
import { native } from '../native.js';
import type { StreamOption } from '../stream.js';
import { type TensorLike, typedArray } from '../tensor.js';
import { describe, options } from '../validate.js';
import { listKinds } from './check.js';
import { CudaRows } from './cuda-rows.js';
import { rowCount } from './lists.js';
import { modifiersOf } from './operands.js';
import { settingsOf } from './settings.js';
import type { AttentionResult, CudaPattern, CudaPlanOptions, Layout, RunOptions } from './types.js';

const runKeys = [
  ...(['queryPositions', 'keyPositions', 'keyLengths', 'keyBias', 'logWeight', 'sink', 'rowMax', 'signal', 'stream'] as const),
  ...(['initial', 'pageTable', ...listKinds] as const),
] as const;

/** Options of {@link CudaPlan.run}: in host memory, but `initial` where q is, and `pageTable` where you like. */
export interface CudaRunOptions extends Omit<RunOptions, 'initial'>, StreamOption {
  /** A result to continue from: the same as merging with it afterwards. */
  readonly initial?: AttentionResult | CudaAttentionResult;
  /**
   * Where the keys lie in pages: int32 [batch, ceil(T / page size)], the page of each run of so many keys. k and v are then
   * [pages, kvHeads, page size, headDim] ('BSHD': [pages, page size, kvHeads, headDim]). Entries below 0 are pages that a sequence does not
   * have, and their keys are not there. What lies on the device is not looked into: there an entry that is no page is one below 0.
   */
  readonly pageTable?: Int32Array | DeviceTensor<'int32'>;
  /** The lists of a kind that the pattern has a capacity for, row by row as its own would be. */
  readonly tiles?: CudaRows;
  /** As `tiles`. */
  readonly fullTiles?: CudaRows;
  /** As `tiles`. */
  readonly columns?: CudaRows;
}

/** An {@link AttentionResult} that stays on the device. */
export interface CudaAttentionResult {
  /** float32, shape and layout of q. */
  readonly output: DeviceTensor<'float32'>;
  /** float32 [batch, heads, N], natural logarithm. */
  readonly lse: DeviceTensor<'float32'>;
  /** Order of the axes of `output` where it is not `'BHSD'`. */
  readonly layout?: Layout;
  /** float32 [batch, heads, N], where it was asked for. */
  readonly rowMax?: DeviceTensor<'float32'>;
}

interface Operands {
  readonly q: DeviceTensor;
  readonly k: DeviceTensor;
  readonly v: DeviceTensor;
  readonly initialOutput: DeviceTensor | undefined;
  readonly initialLse: DeviceTensor | undefined;
  readonly pageTable: DeviceTensor | undefined;
}

/**
 * Attention on a CUDA device, on tensor cores: the lists stay there. Made by `attention.plan` with `device: 'cuda'`.
 *
 * Sums are float32; queries times scale and weights (the exponentials) are rounded to the plan's dtype. Results do not depend on timing, and
 * are reproducible bit for bit on devices with the same number of multiprocessors.
 */
export class CudaPlan {
  /** Which keys each query block attends to. */
  readonly pattern: CudaPattern;
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
    const { fields, settings, capacity } = settingsOf(planOptions);
    this.pattern = fields.pattern;
    this.batch = fields.batch;
    this.heads = fields.heads;
    this.kvHeads = fields.kvHeads;
    this.headDim = fields.headDim;
    this.layout = fields.layout;
    this.dtype = fields.dtype as 'float16' | 'bfloat16'; // the addon has no kernel for another
    this.#handle = new NativeHandle('the plan', () => new native.AttendCudaPlan(settings, capacity));
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
      const { initial, pageTable, ...o } = options<CudaRunOptions>(runOptions, 'options', runKeys);
      const where = { stream: o.stream };
      const marked = this.layout === 'BSHD' ? { layout: this.layout } : {};
      const given = { q, k, v, initialOutput: initial?.output, initialLse: initial?.lse };
      const table = pageTable instanceof DeviceTensor ? pageTable : pageTable && this.#table(pageTable, k);
      if (!(q instanceof DeviceTensor)) {
        const operands = { ...given, pageTable: table } as Record<keyof Operands, TensorLike>;
        const result = await throughDevice(operands, where, (there) => this.#runOnDevice(plan, there, o));
        return { ...(result as AttentionResult), ...marked };
      }
      using copied = table === undefined || table instanceof DeviceTensor ? undefined : await toDevice(table, 'cuda', where);
      return { ...(await this.#runOnDevice(plan, { ...given, pageTable: copied ?? table } as Operands, o)), ...marked };
    });
  }

  async #runOnDevice(plan: NativeAttendCudaPlan, operands: Operands, o: CudaRunOptions): Promise<Omit<CudaAttentionResult, 'layout'>> {
    const { batch, heads, kvHeads, pattern, dtype } = this;
    const { q, k, v, initialOutput, initialLse, pageTable } = operands;
    const states = [batch, heads, pattern.queryLength];
    const dims = this.#dims(batch, heads, pattern.queryLength);
    this.#check(q, 'q', dtype, dims);
    const [pages, pageTokens] = pageTable ? this.#pages(k) : [batch, pattern.keyLength];
    for (const [name, value] of Object.entries({ k, v })) this.#check(value, name, dtype, this.#dims(pages, kvHeads, pageTokens));
    if (pageTable) this.#check(pageTable, 'pageTable', 'int32', [batch, Math.ceil(pattern.keyLength / pageTokens)]);
    if (initialOutput || initialLse) {
      this.#check(initialOutput, 'initial.output', 'float32', dims);
      this.#check(initialLse, 'initial.lse', 'float32', states);
    }
    const modifiers = modifiersOf(this, o);
    const lists = this.#lists(o);
    const floats = (size: number[]) => new DeviceTensor('float32', size, o.stream);
    const results = { output: floats(dims), lse: floats(states), ...(o.rowMax && { rowMax: floats(states) }) };
    return filled(results, () =>
      deviceCall(o, { ...operands, ...lists, ...results, rowMax: results.rowMax }, (arrays, call) =>
        plan.run({ ...arrays, ...modifiers, pages, pageTokens }, call),
      ),
    );
  }

  /** The lists of the run, checked. */
  #lists(o: CudaRunOptions): Record<string, DeviceTensor> {
    const found: Record<string, DeviceTensor> = {};
    for (const kind of listKinds) {
      const [planned, given] = [this.pattern[kind], o[kind]];
      const capacity = planned && 'capacity' in planned ? planned.capacity : undefined;
      if ((capacity === undefined) !== (given === undefined)) {
        throw rangeError('ERR_SK_OPTION', `expected ${kind} of a run where the pattern has a capacity for them, and only there`);
      }
      if (given === undefined) continue;
      if (!(given instanceof CudaRows)) throw typeError('ERR_SK_TYPE', `expected ${kind} to be CudaRows but received ${describe(given)}`);
      const wanted = [rowCount(this.pattern), capacity];
      if (String(given.index.dims) !== String(wanted)) {
        throw rangeError(
          'ERR_SK_SHAPE',
          `expected ${kind} of rows and capacity ${describe(wanted)} but received ${describe(given.index.dims)}`,
        );
      }
      Object.assign(found, { [`${kind}Count`]: given.count, [`${kind}Index`]: given.index });
    }
    return found;
  }

  #dims(batch: number, heads: number, tokens: number): number[] {
    return this.layout === 'BHSD' ? [batch, heads, tokens, this.headDim] : [batch, tokens, heads, this.headDim];
  }

  #check(value: DeviceTensor | undefined, name: string, type: string, wanted: readonly number[]): void {
    if (!(value instanceof DeviceTensor) || value.type !== type) {
      throw typeError('ERR_SK_DTYPE', `expected ${name} to be a ${type} tensor on the device, as q is`);
    }
    if (String(value.dims) === String(wanted)) return;
    throw rangeError('ERR_SK_SHAPE', `expected ${name} to be ${describe(wanted)} but received dims ${describe(value.dims)}`);
  }

  /** How many pages k has, and of how many tokens. */
  #pages(k: DeviceTensor | TensorLike): [pages: number, tokens: number] {
    const [pages = 0, first = 0, second = 0] = k.dims;
    const tokens = this.layout === 'BHSD' ? second : first;
    if (k.dims.length === 4 && tokens > 0) return [pages, tokens];
    throw rangeError('ERR_SK_SHAPE', `expected k of 4 axes and pages of at least one token but received dims ${describe(k.dims)}`);
  }

  /** A page table of the host, checked. */
  #table(table: Int32Array, k: DeviceTensor | TensorLike): TensorLike {
    const [pages, tokens] = this.#pages(k);
    const data = typedArray(table, 'int32', 'pageTable');
    const wrong = data.find((page) => page >= pages);
    if (wrong === undefined) return { data, dims: [this.batch, data.length / this.batch], type: 'int32' };
    throw rangeError('ERR_SK_OPTION', `expected pageTable to name pages below ${pages}, of ${tokens} tokens, but received ${wrong}`);
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
