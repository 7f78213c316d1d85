import type { Isa } from '../device.js';
import { rangeError, typeError } from '../errors.js';
import { type TensorLike, tensor } from '../tensor.js';
import { describe, oneOf, options } from '../validate.js';
import { Cache } from './cache.js';
import { dense } from './patterns.js';
import { Plan } from './plan.js';
import type { AttentionResult, AttentionRules, HeadSets, Pattern, Rows, RunOptions } from './types.js';

/** Options of {@link decode}. */
export interface DecodeOptions extends AttentionRules, Omit<RunOptions, 'keyLengths'> {
  /** Instruction set; default: the best that the machine has. */
  readonly isa?: Isa;
  /** Most threads; default: all of the pool. */
  readonly threads?: number;
  /**
   * Pages to attend to: row b x sets + s has the pages of batch entry b for head set s. Default: all keys, or only `tokens` where these
   * are given.
   */
  readonly pages?: Rows;
  /** Single tokens to attend to, rows as for `pages`; no token of them may lie in one of the pages. */
  readonly tokens?: Rows;
  /** Which heads have rows of their own; default `'shared'`. */
  readonly heads?: HeadSets;
  /** A plan to run instead of the lists and rules here, with its own; its keyLength is at least the length of every cache. */
  readonly plan?: Plan;
  /** Looks for keys that a row lists twice; default true. */
  readonly validate?: boolean;
}

const planKeys = ['causal', 'window', 'sinkTokens', 'scale', 'softcap', 'isa', 'threads'] as const;
const listKeys = ['pages', 'tokens', 'heads', 'plan', 'validate'] as const;
const syncKeys = ['queryPositions', 'keyPositions', 'keyBias', 'logWeight', 'sink', 'initial', 'rowMax'] as const;
const runKeys = [...syncKeys, 'signal'] as const;

/**
 * Attention of a few new queries over cached keys and values: all of them, pages, or single tokens. Pages are read where they lie. The last
 * query is at the position of the last token; with more than one query plan `causal`.
 *
 * @param q - [batch, heads, queries, headDim], in the caches' layout and dtype
 * @param caches - one cache for each batch entry, or one for a batch of one
 * @throws (rejects) as {@link Plan.run}, and SparseKernelsError `ERR_SK_LISTS` for pages or tokens beyond the longest cache, or twice in a row
 * @example
 * ```ts
 * import { attention } from 'sparse-kernels';
 * using cache = attention.cache({ kvHeads: 2, headDim: 8, capacity: 64 });
 * const prompt = { data: new Float32Array(2 * 40 * 8).fill(1), dims: [2, 40, 8] };
 * cache.append(prompt, prompt);
 * const q = { data: new Float32Array(4 * 8), dims: [1, 4, 1, 8] };
 * const pages = attention.patterns.rows([[0, 2]]); // tokens 0 to 15 and 32 to 39
 * const { output, lse } = await attention.decode(q, cache, { pages }); // lse: ln 24 for every head
 * ```
 */
export async function decode(q: TensorLike, caches: Cache | readonly Cache[], decodeOptions: DecodeOptions = {}): Promise<AttentionResult> {
  const { plan, natives, runOptions, own } = prepare(q, caches, decodeOptions, runKeys);
  try {
    return await plan.runCaches(q, natives, runOptions);
  } finally {
    own?.dispose();
  }
}

/**
 * {@link decode} on the calling thread (and the pool): for scripts and for workers that wait anyway. It saves the hand-over to another
 * thread and back.
 *
 * @param q - as for decode
 * @param caches - as for decode
 * @throws as {@link decode}
 * @example
 * ```ts
 * import { attention } from 'sparse-kernels';
 * using cache = attention.cache({ kvHeads: 1, headDim: 8, capacity: 64 });
 * const prompt = { data: new Float32Array(40 * 8).fill(1), dims: [1, 40, 8] };
 * cache.append(prompt, prompt);
 * attention.decodeSync({ data: new Float32Array(8), dims: [1, 1, 1, 8] }, cache).output.data; // Float32Array [1, 1, ...]
 * ```
 */
export function decodeSync(
  q: TensorLike,
  caches: Cache | readonly Cache[],
  decodeOptions: Omit<DecodeOptions, 'signal'> = {},
): AttentionResult {
  const { plan, natives, runOptions, own } = prepare(q, caches, decodeOptions, syncKeys);
  try {
    return plan.runCachesSync(q, natives, runOptions);
  } finally {
    own?.dispose();
  }
}

/** What runs; `own` is a plan made for this call only. */
function prepare(
  q: TensorLike,
  caches: Cache | readonly Cache[],
  decodeOptions: DecodeOptions,
  allowed: readonly (typeof runKeys)[number][],
) {
  const o = options<DecodeOptions>(decodeOptions, 'options', [...planKeys, ...listKeys, ...allowed]);
  const list: readonly Cache[] = caches instanceof Cache ? [caches] : caches;
  if (!Array.isArray(list) || list.length === 0 || !list.every((c) => c instanceof Cache)) {
    throw typeError('ERR_SK_TYPE', `expected a cache or an array of caches but received ${describe(caches)}`);
  }
  const natives = list.map((c) => c.native());
  const runOptions = pick(o, runKeys);
  if (o.plan === undefined) {
    const own = planFor(q, list, o);
    return { plan: own, natives, runOptions, own };
  }
  if (!(o.plan instanceof Plan)) throw typeError('ERR_SK_TYPE', `expected plan to be a Plan but received ${describe(o.plan)}`);
  const beside = [...planKeys, ...listKeys].find((key) => key !== 'plan' && o[key] !== undefined);
  if (beside !== undefined) throw rangeError('ERR_SK_OPTION', `expected no ${beside} beside plan, which has its own`);
  return { plan: o.plan, natives, runOptions };
}

function planFor(q: TensorLike, caches: readonly Cache[], o: DecodeOptions): Plan {
  const [{ kvHeads, headDim, pageSize, dtype, layout }] = caches as [Cache];
  const { dims } = tensor(q, 'q', [dtype]);
  const [heads, queries] = layout === 'BHSD' ? [dims[1], dims[2]] : [dims[2], dims[1]];
  if (dims.length !== 4 || !heads || !queries || heads % kvHeads !== 0) {
    throw rangeError('ERR_SK_SHAPE', `expected q of 4 axes with a multiple of ${kvHeads} heads but received dims ${describe(dims)}`);
  }
  const size = { queryLength: queries, keyLength: Math.max(...caches.map((c) => c.length)), blockSize: [queries, pageSize] as const };
  const of = oneOf(o.heads ?? 'shared', 'heads', ['shared', 'kv', 'q']);
  const lists = { ...(o.pages !== undefined && { tiles: o.pages }), ...(o.tokens !== undefined && { columns: o.tokens }) };
  const listed = { unit: 'block', heads: of, sets: { shared: 1, kv: kvHeads, q: heads }[of], batch: caches.length } as const;
  const pattern: Pattern = Object.keys(lists).length > 0 ? { ...size, ...listed, ...lists } : dense(size);
  const validate = o.validate ?? true;
  return new Plan({ pattern, heads, kvHeads, headDim, batch: caches.length, layout, dtype, validate, ...pick(o, planKeys) });
}

/** The given of some options. */
function pick<T extends object, K extends keyof T>(from: T, keys: readonly K[]): Pick<T, K> {
  return Object.fromEntries(keys.filter((key) => from[key] !== undefined).map((key) => [key, from[key]])) as Pick<T, K>;
}
