import type { NativeKvCache } from '../../types/attention.js';
import { rangeError } from '../errors.js';
import { guarded, NativeHandle } from '../handle.js';
import { native } from '../native.js';
import { allocate, type TensorLike, tensor } from '../tensor.js';
import { describe, integer, oneOf, options } from '../validate.js';
import { checkRows } from './check.js';
import { idsOf, RowsBuilder } from './lists.js';
import type { Layout, Rows } from './types.js';

/** Options of {@link cache}. */
export interface CacheOptions {
  /** Key-value heads. */
  readonly kvHeads: number;
  /** Dims of a head. */
  readonly headDim: number;
  /** Tokens of a page; default 16. */
  readonly pageSize?: number;
  /** Most tokens, rounded up to whole pages, that the cache and its forks hold together. Memory is taken page by page. */
  readonly capacity: number;
  /** Element type of keys and values; default float32. */
  readonly dtype?: 'float32' | 'float16' | 'bfloat16';
  /** Order of the axes of what is appended: heads before tokens (`'BHSD'`, the default) or after (`'BSHD'`). */
  readonly layout?: Layout;
}

/** Keys and values of tokens of a {@link Cache}, copied. */
export interface CachedTokens {
  /** [kvHeads, tokens, headDim]; float32, or the bits of the cache's type. */
  readonly k: Float32Array | Uint16Array;
  /** As k. */
  readonly v: Float32Array | Uint16Array;
}

/**
 * The keys and values of one sequence, in pages that the library owns: decoding reads them where they lie. Made by {@link cache}.
 *
 * A fork shares all pages until one of the two writes to them. A run that is under way keeps what the cache held when it began.
 * Kwon et al., "Efficient Memory Management for Large Language Model Serving with PagedAttention" (SOSP 2023).
 */
export class Cache {
  /** Key-value heads. */
  readonly kvHeads: number;
  /** Dims of a head. */
  readonly headDim: number;
  /** Tokens of a page. */
  readonly pageSize: number;
  /** Most tokens of the cache and its forks together. */
  readonly capacity: number;
  /** Element type of keys and values. */
  readonly dtype: 'float32' | 'float16' | 'bfloat16';
  /** Order of the axes of what is appended. */
  readonly layout: Layout;
  readonly #handle: NativeHandle<NativeKvCache>;

  /** @internal */
  constructor(cacheOptions: CacheOptions, from?: Cache) {
    const o = options<CacheOptions>(cacheOptions, 'options', ['kvHeads', 'headDim', 'pageSize', 'capacity', 'dtype', 'layout']);
    this.kvHeads = integer(o.kvHeads, 'kvHeads', 1, 2 ** 20);
    this.headDim = integer(o.headDim, 'headDim', 8, 256);
    if (this.headDim % 8 !== 0) {
      throw rangeError('ERR_SK_OPTION', `expected headDim to be a multiple of 8 from 8 to 256 but received ${this.headDim}`);
    }
    this.pageSize = integer(o.pageSize ?? 16, 'pageSize', 1, 2 ** 16);
    this.capacity = Math.ceil(integer(o.capacity, 'capacity', 0, 2 ** 30) / this.pageSize) * this.pageSize;
    this.dtype = oneOf(o.dtype ?? 'float32', 'dtype', ['float32', 'float16', 'bfloat16']);
    this.layout = oneOf(o.layout ?? 'BHSD', 'layout', ['BHSD', 'BSHD']);
    const { kvHeads, headDim, pageSize, capacity } = this;
    const elementBytes = this.dtype === 'float32' ? 4 : 2;
    this.#handle = new NativeHandle('the cache', () => {
      const made = new native.KvCache({ kvHeads, headDim, pageTokens: pageSize, capacity, elementBytes });
      if (from) made.fork(from.native());
      return made;
    });
  }

  /** @internal */
  native(): NativeKvCache {
    return this.#handle.live();
  }

  /** Tokens that it holds. */
  get length(): number {
    return this.#handle.live().length;
  }

  /** Bytes of its pages, those that it shares with forks included. */
  get bytes(): number {
    return this.#handle.live().bytes;
  }

  /**
   * Appends tokens, all or none.
   *
   * @param k - [kvHeads, tokens, headDim], or with a batch axis of 1 before; layout 'BSHD': [tokens, kvHeads, headDim]
   * @param v - as k
   * @throws TypeError `ERR_SK_TYPE` / `ERR_SK_DTYPE` / `ERR_SK_BUFFER`, RangeError `ERR_SK_SHAPE`, SparseKernelsError `ERR_SK_CAPACITY` /
   * `ERR_SK_DISPOSED` / `ERR_SK_MEMORY`
   * @example
   * ```ts
   * import { attention } from 'sparse-kernels';
   * const cache = attention.cache({ kvHeads: 2, headDim: 8, capacity: 1024 });
   * const token = { data: new Float32Array(2 * 8), dims: [2, 1, 8] };
   * cache.append(token, token);
   * cache.length; // 1
   * ```
   */
  append(k: TensorLike, v: TensorLike): void {
    const live = this.#handle.live();
    const [keys, values] = [this.#tokens(k, 'k'), this.#tokens(v, 'v')];
    if (keys.tokens !== values.tokens) {
      throw rangeError('ERR_SK_SHAPE', `expected k and v of as many tokens but received ${keys.tokens} and ${values.tokens}`);
    }
    guarded(() => live.append(keys.data, values.data, keys.tokens, this.layout === 'BSHD'));
  }

  /**
   * Forgets all but the first tokens, for instance those that a speculative decoder rejects.
   *
   * @param length - from 0 to `cache.length`
   * @throws TypeError `ERR_SK_TYPE`, RangeError `ERR_SK_OPTION`, SparseKernelsError `ERR_SK_DISPOSED`
   */
  truncate(length: number): void {
    const live = this.#handle.live();
    live.truncate(integer(length, 'length', 0, live.length));
  }

  /**
   * A cache with the same tokens. The pages are shared until one of the two writes; both count against one capacity.
   *
   * @throws SparseKernelsError `ERR_SK_DISPOSED`
   * @example
   * ```ts
   * import { attention } from 'sparse-kernels';
   * const prompt = attention.cache({ kvHeads: 1, headDim: 8, capacity: 64 });
   * const answers = [prompt.fork(), prompt.fork()];
   * ```
   */
  fork(): Cache {
    const { kvHeads, headDim, pageSize, capacity, dtype, layout } = this;
    return new Cache({ kvHeads, headDim, pageSize, capacity, dtype, layout }, this);
  }

  /**
   * Copies tokens out of the cache, for instance to pool the keys of a page that has just been filled.
   *
   * @param begin - first token; default 0
   * @param end - behind the last; default all
   * @throws TypeError `ERR_SK_TYPE`, RangeError `ERR_SK_OPTION`, SparseKernelsError `ERR_SK_DISPOSED` / `ERR_SK_MEMORY`
   */
  read(begin = 0, end = this.length): CachedTokens {
    const live = this.#handle.live();
    integer(end, 'end', 0, live.length);
    integer(begin, 'begin', 0, end);
    const size = this.kvHeads * (end - begin) * this.headDim;
    const [k, v] = [allocate(this.dtype, size, 'the keys'), allocate(this.dtype, size, 'the values')];
    live.read(begin, end - begin, k, v);
    return { k, v };
  }

  /** Gives the pages back; later use throws `ERR_SK_DISPOSED`. Forks and runs under way keep what they share. */
  dispose(): void {
    this.#handle.dispose();
  }

  /** `using cache = attention.cache(...)` disposes at the end of the block. */
  [Symbol.dispose](): void {
    this.dispose();
  }

  #tokens(value: TensorLike, name: string) {
    const { data, dims } = tensor(value, name, [this.dtype]);
    const [first, second, ...rest] = dims.length === 4 && dims[0] === 1 ? dims.slice(1) : dims;
    const [heads, tokens] = this.layout === 'BHSD' ? [first, second] : [second, first];
    if (heads === this.kvHeads && rest.length === 1 && rest[0] === this.headDim) return { data, tokens: tokens as number };
    const wanted = this.layout === 'BHSD' ? `[${this.kvHeads}, tokens, ${this.headDim}]` : `[tokens, ${this.kvHeads}, ${this.headDim}]`;
    throw rangeError('ERR_SK_SHAPE', `expected ${name} to be ${wanted} but received dims ${describe(dims)}`);
  }
}

/**
 * An empty cache of keys and values.
 *
 * @throws TypeError `ERR_SK_TYPE`, RangeError `ERR_SK_OPTION`
 * @example
 * ```ts
 * import { attention } from 'sparse-kernels';
 * using cache = attention.cache({ kvHeads: 8, headDim: 128, pageSize: 16, capacity: 65_536 });
 * cache.length; // 0
 * ```
 */
export function cache(cacheOptions: CacheOptions): Cache {
  return new Cache(cacheOptions);
}

/**
 * The ids of each row that the row before did not have: the pages that a step needs and the last one did not, so that a caller who
 * keeps the cache elsewhere moves only those. Locality of this kind is what Huang et al., "NOSA: Native and Offloadable Sparse Attention"
 * (2025), train for.
 *
 * @param previous - lists of the last step
 * @param next - lists of this step, as many rows
 * @throws TypeError `ERR_SK_TYPE` / `ERR_SK_BUFFER`, RangeError `ERR_SK_SHAPE` / `ERR_SK_OPTION`, SparseKernelsError `ERR_SK_LISTS`
 * @example
 * ```ts
 * import { attention } from 'sparse-kernels';
 * const { rows } = attention.patterns;
 * attention.newPages(rows([[0, 1, 5]]), rows([[0, 2, 5]])).index; // Int32Array [2]
 * ```
 */
export function newPages(previous: Rows, next: Rows): Rows {
  checkRows(previous, 'previous');
  checkRows(next, 'next');
  if (previous.count.length !== next.count.length) {
    throw rangeError('ERR_SK_SHAPE', `expected lists of as many rows but received ${previous.count.length} and ${next.count.length}`);
  }
  const builder = new RowsBuilder();
  for (let r = 0; r < next.count.length; r++) {
    builder.row();
    const known = new Set(idsOf(previous, r));
    for (const id of idsOf(next, r)) if (!known.has(id)) builder.push(id);
  }
  return builder.done();
}
