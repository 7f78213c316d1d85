/** What methods for decoding share: one query, lists for each head, summaries of keys that grow with the cache. */
import { rangeError } from '../../errors.js';
import type { TensorLike } from '../../tensor.js';
import { type Heads, headsOf } from '../heads.js';
import { poolSync } from '../pool.js';
import type { Pattern, Rows } from '../types.js';
import { outward } from './bfloat16.js';
import { attend, listPattern } from './common.js';
import type { MethodResult } from './report.js';
import type { MethodOptions } from './shape.js';
import { RowStore } from './store.js';

/** Options of methods that decode: the query is the last token, so there is nothing to mask. */
export type DecodeOptions = Pick<MethodOptions, 'scale' | 'isa' | 'threads'>;

/** Names of the options in {@link DecodeOptions}. */
export const decodeKeys = ['scale', 'isa', 'threads'] as const;

/** A method that chooses keys for one query at a time. It holds summaries of the keys of one cache, in `'BHSD'` order. */
export interface DecodeMethod {
  /** Tokens whose keys have been appended. */
  readonly length: number;
  /** Takes the keys of new tokens, float32 [batch, kvHeads, tokens, dim], in order: before the query of the last of them. */
  append(k: TensorLike): void;
  /** The choice alone: for attention over a paged cache. q is float32 [batch, heads, 1, dim]. */
  pattern(q: TensorLike): Pattern;
  /** Chooses and attends. k and v are [batch, kvHeads, T, dim], with the T tokens that have been appended. */
  decode(q: TensorLike, k: TensorLike, v: TensorLike): Promise<MethodResult>;
}

/** One query, checked against the keys appended so far, which have so many dims. */
export function queryOf(q: TensorLike, store: Pick<RowStore, 'batch' | 'heads'> | undefined, dim?: number): Heads {
  if (store === undefined) throw rangeError('ERR_SK_SHAPE', 'expected append() before a query');
  const query = headsOf(q, 'q', 'BHSD');
  const fits = query.batch === store.batch && query.heads % store.heads === 0 && (dim ?? query.dim) === query.dim;
  if (query.tokens === 1 && fits) return query;
  const wanted = `[${store.batch}, a multiple of ${store.heads}, 1, ${dim ?? 'dim'}]`;
  throw rangeError('ERR_SK_SHAPE', `expected q to be ${wanted} but received dims [${q.dims}]`);
}

/** Attention of one query over a pattern. */
export function decodeWith(choose: (q: TensorLike) => Pattern, length: () => number, o: DecodeOptions): DecodeMethod['decode'] {
  return async (q, k, v) => {
    const pattern = choose(q);
    if (headsOf(k, 'k', 'BHSD').tokens !== length()) {
      throw rangeError('ERR_SK_SHAPE', `expected k of the ${length()} tokens appended but received dims [${k.dims}]`);
    }
    return attend(q, k, v, pattern, { ...o, causal: true });
  };
}

/** A pattern for one query. */
export function queryPattern(
  q: Heads,
  keys: number,
  lists: Rows,
  block: number,
  perGroup: number | false,
  what: 'tiles' | 'columns',
): Pattern {
  const size = { batch: q.batch, queries: 1, keys };
  return perGroup === false
    ? listPattern(size, lists, [1, block], 'q', q.heads, what)
    : listPattern(size, lists, [1, block], 'kv', perGroup, what);
}

/** Summaries of pages of keys: whole pages once, the open page again with every append. Those in bfloat16 are bounds, rounded outward. */
export class PageStore<D extends 'float32' | 'bfloat16' = 'float32'> {
  rows: RowStore<D> | undefined;
  tokens = 0;
  readonly #page: number;
  readonly #kind: 'minmax' | 'mean';
  readonly #dtype: D;
  #open: Float32Array[] = [];

  constructor(page: number, kind: D extends 'bfloat16' ? 'minmax' : 'minmax' | 'mean', dtype: D) {
    this.#page = page;
    this.#kind = kind;
    this.#dtype = dtype;
  }

  append(k: TensorLike): void {
    const x = headsOf(k, 'k', 'BHSD');
    const width = this.#kind === 'minmax' ? 2 * x.dim : x.dim;
    const store = this.rows ?? new RowStore(x.batch, x.heads, width, this.#dtype);
    if (store.batch !== x.batch || store.heads !== x.heads || store.width !== width) {
      throw rangeError('ERR_SK_SHAPE', `expected k of the same batch, heads and dim as before but received dims [${k.dims}]`);
    }
    this.rows = store;
    const page = this.#page;
    const before = this.tokens % page; // tokens of the open page
    const tokens = before + x.tokens;
    const first = Math.floor(this.tokens / page);
    store.reserve(first + Math.ceil(tokens / page));
    const joined = new Float32Array(x.batch * x.heads * tokens * x.dim);
    for (let s = 0; s < x.batch * x.heads; s++) {
      if (before > 0) joined.set(this.#open[s] as Float32Array, s * tokens * x.dim);
      joined.set(x.data.subarray(s * x.tokens * x.dim, (s + 1) * x.tokens * x.dim), (s * tokens + before) * x.dim);
    }
    const { pooled } = poolSync({ data: joined, dims: [x.batch, x.heads, tokens, x.dim] }, { kind: this.#kind, block: page });
    const summaries = this.#dtype === 'bfloat16' ? outward(pooled.data as Float32Array, x.dim) : (pooled.data as Float32Array);
    const pages = Math.ceil(tokens / page);
    const open = tokens % page;
    for (let s = 0; s < x.batch * x.heads; s++) {
      for (let p = 0; p < pages; p++) store.row(s, first + p).set(summaries.subarray((s * pages + p) * width, (s * pages + p + 1) * width));
      this.#open[s] = joined.slice(((s + 1) * tokens - open) * x.dim, (s + 1) * tokens * x.dim);
    }
    this.tokens += x.tokens;
    store.length = first + pages;
  }
}
