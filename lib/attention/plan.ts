import type { NativeAttendOperands, NativeAttendPlan, NativeKvCache } from '../../types/attention.js';
import type { NativeCancelToken } from '../../types/cancel.js';
import { isaOption } from '../device.js';
import { rangeError, typeError } from '../errors.js';
import { cancellable, guarded, NativeHandle } from '../handle.js';
import { native } from '../native.js';
import { type TensorLike, tensor, typedArray } from '../tensor.js';
import { describe, integer, oneOf, options } from '../validate.js';
import { type Operands, operandsOf, resultKeys } from './operands.js';
import type { AttentionResult, Layout, Pattern, PlanOptions, Rows, RunOptions } from './types.js';

const planKeys = [
  'pattern',
  'batch',
  'heads',
  'kvHeads',
  'headDim',
  'causal',
  'window',
  'sinkTokens',
  'scale',
  'softcap',
  'layout',
  'dtype',
  'validate',
  'isa',
  'threads',
] as const;
const headSets = ['shared', 'kv', 'q'] as const;

/** Most that one native run copies of q, k and v; one key-value head at least. Two such runs are under way at a time. */
const sliceBytes = 8 << 20;

/**
 * Attention over the keys that a pattern lists: checked, with its kernel chosen. Immutable; any number of runs may be under way at once.
 * Made by {@link plan}.
 *
 * Results depend neither on the number of threads nor on timing: each query is summed in the order of its lists.
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
    const o = options<PlanOptions>(planOptions, 'options', planKeys);
    const pattern = checkPattern(o.pattern);
    this.pattern = pattern;
    this.batch = integer(o.batch ?? Math.max(1, pattern.batch), 'batch', 1, 2 ** 20);
    this.heads = integer(o.heads, 'heads', 1, 2 ** 20);
    this.kvHeads = integer(o.kvHeads ?? this.heads, 'kvHeads', 1, 2 ** 20);
    this.headDim = integer(o.headDim, 'headDim', 8, 256);
    if (this.headDim % 8 !== 0)
      throw rangeError('ERR_SK_OPTION', `expected headDim to be a multiple of 8 from 8 to 256 but received ${this.headDim}`);
    if (this.heads % this.kvHeads !== 0) {
      throw rangeError('ERR_SK_OPTION', `expected kvHeads to divide heads but received ${this.kvHeads} and ${this.heads}`);
    }
    this.layout = oneOf(o.layout ?? 'BHSD', 'layout', ['BHSD', 'BSHD']);
    this.dtype = oneOf(o.dtype ?? 'float32', 'dtype', ['float32', 'float16', 'bfloat16']);
    const sets = { shared: 1, kv: this.kvHeads, q: this.heads }[pattern.heads];
    if (pattern.sets !== sets) {
      throw rangeError('ERR_SK_SHAPE', `expected a pattern of ${sets} head sets for heads '${pattern.heads}' but received ${pattern.sets}`);
    }
    if (pattern.batch !== 1 && pattern.batch !== this.batch) {
      throw rangeError('ERR_SK_SHAPE', `expected a pattern for 1 or ${this.batch} batch entries but received ${pattern.batch}`);
    }
    const settings = {
      batch: this.batch,
      heads: this.heads,
      kvHeads: this.kvHeads,
      headDim: this.headDim,
      queries: pattern.queryLength,
      keys: pattern.keyLength,
      tokensOutside: this.layout === 'BSHD',
      headSets: headSets.indexOf(pattern.heads),
      listsBatch: pattern.batch,
      blockQueries: pattern.blockSize[0],
      blockKeys: pattern.blockSize[1],
      tokenIds: pattern.unit === 'token',
      tiles: pattern.tiles,
      fullTiles: pattern.fullTiles,
      columns: pattern.columns,
      validate: flag(o.validate ?? true, 'validate'),
      causal: flag(o.causal ?? false, 'causal'),
      window: o.window === undefined ? 0 : integer(o.window, 'window', 1, 2 ** 31 - 1),
      sinkTokens: integer(o.sinkTokens ?? 0, 'sinkTokens', 0, 2 ** 31 - 1),
      scale: o.scale === undefined ? 1 / Math.sqrt(this.headDim) : finite(o.scale, 'scale'),
      softcap: o.softcap === undefined ? 0 : positive(o.softcap, 'softcap'),
      dtype: this.dtype,
      isa: isaOption(o.isa),
      threads: o.threads === undefined ? 0 : integer(o.threads, 'threads', 1, 1024),
    };
    this.#handle = new NativeHandle('the plan', () => new native.AttendPlan(settings));
  }

  /** Name of the kernel that runs, for instance `attend_f32_any_avx2`. */
  get kernel(): string {
    return this.#handle.live().kernel;
  }

  /** Bytes of the plan's copy of the lists. */
  get bytes(): number {
    return this.#handle.live().bytes;
  }

  /** Share of all N x T scores that the lists name; tiles count in full, whatever causality or a window cut off them. */
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
   * @param v - as k
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
    const { signal } = runOptions;
    return cancellable(signal, (token) =>
      this.#handle.use(async (native) => {
        const operands = this.#operands(q, runOptions, { k, v });
        await this.#runSlices(native, operands, token);
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
    const operands = this.#operands(q, runOptions, { k, v });
    const live = this.#handle.live();
    guarded(() => live.runSync(operands.native));
    return this.#result(operands);
  }

  /** @internal Attention over the pages of caches, one for each batch entry. */
  async runCaches(q: TensorLike, caches: readonly NativeKvCache[], runOptions: RunOptions): Promise<AttentionResult> {
    return cancellable(runOptions.signal, (token) =>
      this.#handle.use(async (native) => {
        const operands = this.#operands(q, runOptions, { caches });
        await native.run(operands.native, token);
        return this.#result(operands);
      }),
    );
  }

  /** Frees the lists as soon as no run is under way; later use throws `ERR_SK_DISPOSED`. Calling it twice is fine. */
  dispose(): void {
    this.#handle.dispose();
  }

  /** `using plan = attention.plan(...)` disposes at the end of the block. */
  [Symbol.dispose](): void {
    this.dispose();
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

  /** Slices of whole key-value heads, where heads lie outermost. */
  async #runSlices(plan: NativeAttendPlan, { native: all }: Operands, token: NativeCancelToken | undefined): Promise<void> {
    const { units } = all;
    const bytes = all.q.byteLength + 2 * (all.k?.byteLength ?? 0);
    const slice = Math.max(1, Math.floor(sliceBytes / (bytes / units)));
    if (this.layout === 'BSHD' || slice >= units) return plan.run(all, token);
    const sliced = (['q', 'k', 'v', ...resultKeys] as const).flatMap((key) => {
      const whole = all[key];
      return whole === undefined ? [] : [{ key, whole, perUnit: whole.length / units }];
    });
    const underWay: Promise<void>[] = [];
    try {
      for (let first = 0; first < units; first += slice) {
        const count = Math.min(slice, units - first);
        const part: NativeAttendOperands = { ...all, firstUnit: first, units: count };
        for (const { key, whole, perUnit } of sliced) {
          typedArray(whole, whole instanceof Uint16Array ? 'float16' : 'float32', key, perUnit); // it may have been transferred away
          Object.assign(part, { [key]: whole.subarray(first * perUnit, (first + count) * perUnit) });
        }
        const run = plan.run(part, token);
        run.catch(() => {}); // it is awaited below, but may fail while we still wait for the one before: that is not unhandled
        underWay.push(run);
        if (underWay.length === 2) await underWay.shift();
      }
      await underWay.shift();
    } finally {
      await Promise.allSettled(underWay); // after a failure: nothing writes to the results once the promise is settled
    }
  }

  #result({ native: { output, lse, rowMax }, dims }: Operands): AttentionResult {
    const states = [this.batch, this.heads, this.pattern.queryLength];
    return {
      output: { type: 'float32', data: output, dims },
      lse: { type: 'float32', data: lse, dims: states },
      ...(rowMax && { rowMax: { type: 'float32', data: rowMax, dims: states } }),
    };
  }
}

/** Every field of a pattern; what its lists hold is checked natively. */
function checkPattern(value: unknown): Pattern {
  const keys = ['queryLength', 'keyLength', 'batch', 'heads', 'sets', 'blockSize', 'unit', 'tiles', 'fullTiles', 'columns'] as const;
  const pattern = options<Pattern>(value, 'pattern', keys);
  integer(pattern.queryLength, 'pattern.queryLength', 1, 2 ** 31 - 1);
  integer(pattern.keyLength, 'pattern.keyLength', 0, 2 ** 31 - 1);
  integer(pattern.batch, 'pattern.batch', 1, 2 ** 20);
  integer(pattern.sets, 'pattern.sets', 1, 2 ** 20);
  oneOf(pattern.heads, 'pattern.heads', headSets);
  oneOf(pattern.unit, 'pattern.unit', ['block', 'token']);
  if (!Array.isArray(pattern.blockSize) || pattern.blockSize.length !== 2) {
    throw typeError('ERR_SK_TYPE', `expected pattern.blockSize to be [queries, keys] but received ${describe(pattern.blockSize)}`);
  }
  for (const i of [0, 1]) integer(pattern.blockSize[i], `pattern.blockSize[${i}]`, 1, 2 ** 31 - 1);
  for (const key of ['tiles', 'fullTiles', 'columns'] as const) {
    if (pattern[key] !== undefined) options<Rows>(pattern[key], `pattern.${key}`, ['start', 'count', 'index']);
  }
  return pattern;
}

function flag(value: unknown, name: string): boolean {
  if (typeof value === 'boolean') return value;
  throw typeError('ERR_SK_TYPE', `expected ${name} to be a boolean but received ${describe(value)}`);
}

function finite(value: unknown, name: string): number {
  if (typeof value !== 'number') throw typeError('ERR_SK_TYPE', `expected ${name} to be a number but received ${describe(value)}`);
  if (!Number.isFinite(value)) throw rangeError('ERR_SK_OPTION', `expected ${name} to be finite but received ${value}`);
  return value;
}

function positive(value: unknown, name: string): number {
  if (finite(value, name) > 0) return value as number;
  throw rangeError('ERR_SK_OPTION', `expected ${name} to be above 0 but received ${value}`);
}

/**
 * Checks lists of keys and chooses a kernel: once for many runs of the same shape.
 *
 * @throws TypeError `ERR_SK_TYPE` / `ERR_SK_BUFFER`, RangeError `ERR_SK_OPTION` / `ERR_SK_SHAPE`, SparseKernelsError `ERR_SK_LISTS` (an id
 * out of range, a range outside the index, a key that a row lists twice: row and key are named) / `ERR_SK_ISA` / `ERR_SK_MEMORY`
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
export function plan(planOptions: PlanOptions): Plan {
  return new Plan(planOptions);
}
