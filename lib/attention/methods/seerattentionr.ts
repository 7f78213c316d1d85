import { rangeError } from '../../errors.js';
import type { TensorLike } from '../../tensor.js';
import { integer, number, options } from '../../validate.js';
import { headsOf } from '../heads.js';
import { score } from '../score.js';
import { select } from '../select.js';
import type { Pattern } from '../types.js';
import { attend } from './common.js';
import { type DecodeOptions, decodeKeys, queryOf, queryPattern } from './decoding.js';
import type { MethodResult } from './report.js';
import { gateGroup, gateKeys, gateOf, type SeerGate } from './seergate.js';
import { passedTo } from './shape.js';
import { RowStore } from './store.js';

/** Options of {@link seerAttentionR}: one of `budget` and `threshold`. */
export interface SeerAttentionROptions extends DecodeOptions {
  /** The trained gate, with `query`; the projected queries of a group are added up, and then normed and rotated. */
  readonly gate: SeerGate;
  /** Tokens of a block; default 64. */
  readonly block?: number;
  /** Tokens to attend to. The authors use 4096. */
  readonly budget?: number;
  /** Blocks with a softmax of the gate above this. */
  readonly threshold?: number;
}

/** What {@link seerAttentionR} returns: a method for decoding whose gate sees queries and keys before the rotary embedding. */
export interface SeerAttentionR {
  /** Tokens whose keys have been appended. */
  readonly length: number;
  /** Takes the keys of new tokens before the rotary embedding, float32 [batch, kvHeads, tokens, dim]. */
  append(k: TensorLike): Promise<void>;
  /** The choice for one query before the rotary embedding, float32 [batch, heads, 1, dim]. */
  pattern(q: TensorLike): Promise<Pattern>;
  /** Chooses by `gateQuery`, default q, and attends. */
  decode(q: TensorLike, k: TensorLike, v: TensorLike, gateQuery?: TensorLike): Promise<MethodResult>;
}

/**
 * SeerAttention-R: the gate of {@link seerAttention} for decoding. Complete blocks of keys are compressed once; the block of the newest
 * token is always chosen; one list for each key-value head.
 *
 * Gao et al., "SeerAttention-R: Sparse Attention Adaptation for Long Reasoning" (2025).
 *
 * @throws TypeError `ERR_SK_TYPE`, RangeError `ERR_SK_OPTION`
 * @example
 * ```ts
 * import { attention } from 'sparse-kernels';
 * const gate = {
 *   query: { data: new Float32Array(2 * 16 * 8).map(Math.sin), dims: [2, 16, 8] },
 *   key: { data: new Float32Array(48 * 8).map(Math.cos), dims: [1, 48, 8] },
 * };
 * const k = { data: new Float32Array(300 * 16).map(Math.sin), dims: [1, 1, 300, 16] };
 * const q = { data: new Float32Array(2 * 16).fill(1), dims: [1, 2, 1, 16] };
 * const method = attention.methods.seerAttentionR({ gate, budget: 128 });
 * await method.append(k);
 * const { output } = await method.decode(q, k, k);
 * ```
 */
export function seerAttentionR(seerOptions: SeerAttentionROptions): SeerAttentionR {
  const o = options<SeerAttentionROptions>(seerOptions, 'options', [...decodeKeys, 'gate', 'block', 'budget', 'threshold']);
  const block = integer(o.block ?? 64, 'block', 1, 2 ** 20);
  if ((o.threshold === undefined) === (o.budget === undefined)) throw rangeError('ERR_SK_OPTION', 'expected one of budget and threshold');
  const gate = gateOf(o.gate, true);
  if (o.threshold !== undefined) number(o.threshold, 'threshold');
  const topK = o.budget === undefined ? 0 : Math.ceil(integer(o.budget, 'budget', 1, 2 ** 31 - 1) / block);
  let store: RowStore | undefined; // compressed keys of complete blocks
  let open: Float32Array[] = []; // keys of the open block, head by head
  let dim: number | undefined;
  let length = 0;
  let appending: Promise<unknown> = Promise.resolve(); // appends that nobody waits for keep their order

  const appendNow = async (k: TensorLike) => {
    const x = headsOf(k, 'k', 'BHSD');
    const rows = store ?? new RowStore(x.batch, x.heads, gate.key.dims[2] as number, 'float32');
    dim ??= x.dim;
    if (rows.batch !== x.batch || rows.heads !== x.heads || dim !== x.dim) {
      throw rangeError('ERR_SK_SHAPE', `expected k of the same batch, heads and dim as before but received dims [${k.dims}]`);
    }
    store = rows;
    const before = length % block;
    const tokens = before + x.tokens;
    const whole = Math.floor(tokens / block);
    const joined = Array.from({ length: x.batch * x.heads }, (_, s) => {
      const keys = new Float32Array(tokens * x.dim);
      if (before > 0) keys.set(open[s] as Float32Array);
      keys.set(x.data.subarray(s * x.tokens * x.dim, (s + 1) * x.tokens * x.dim), before * x.dim);
      return keys;
    });
    const gateDim = gate.key.dims[2] as number;
    if (whole > 0) {
      const complete = new Float32Array(x.batch * x.heads * whole * block * x.dim);
      for (const [s, keys] of joined.entries()) complete.set(keys.subarray(0, whole * block * x.dim), s * whole * block * x.dim);
      const dims = [x.batch, x.heads, whole * block, x.dim];
      const first = rows.length;
      const { data } = await gateKeys(gate, { data: complete, dims }, { block }, first * block);
      rows.reserve(first + whole + 1);
      for (let row = 0; row < x.batch * x.heads * whole; row++) {
        rows.row(Math.floor(row / whole), first + (row % whole)).set(data.subarray(row * gateDim, (row + 1) * gateDim));
      }
      rows.length += whole;
    }
    open = joined.map((keys) => keys.slice(whole * block * x.dim));
    length += x.tokens;
  };

  const append = (k: TensorLike) => {
    const done = appending.then(() => appendNow(k));
    appending = done.catch(() => undefined);
    return done;
  };

  const pattern: SeerAttentionR['pattern'] = async (q) => {
    await appending;
    const query = queryOf(q, store);
    const { batch, heads, capacity, data, width, length: complete } = store as RowStore;
    const gateQ = await gateGroup(gate, q, heads, length - 1);
    const blocks = Math.ceil(length / block);
    const limit = Int32Array.of(complete);
    const scores = await score(gateQ, { data, dims: [batch, heads, capacity, width] }, { limit, ...passedTo(o) });
    const all = new Float32Array(batch * heads * blocks);
    for (let s = 0; s < batch * heads; s++) {
      const row = scores.data.subarray(s * capacity, s * capacity + complete);
      all.set(o.threshold === undefined ? row : softmax(row), s * blocks);
    }
    const rule = o.threshold === undefined ? { topK } : { threshold: o.threshold, strict: true };
    const lists = await select({ data: all, dims: [batch, heads, 1, blocks] }, { ...rule, force: { local: 1 }, ...passedTo(o) });
    return queryPattern(query, length, lists, block, heads, 'tiles');
  };
  return {
    get length() {
      return length;
    },
    append,
    pattern,
    decode: async (q, k, v, gateQuery = q) => {
      const chosen = await pattern(gateQuery);
      if (headsOf(k, 'k', 'BHSD').tokens !== length)
        throw rangeError('ERR_SK_SHAPE', `expected k of the ${length} tokens appended but received dims [${k.dims}]`);
      return attend(q, k, v, chosen, { ...o, causal: true });
    },
  };
}

function softmax(row: Float32Array): Float32Array {
  const most = row.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  const e = row.map((x) => Math.exp(x - most));
  const sum = e.reduce((a, b) => a + b, 0);
  return e.map((x) => x / sum);
}
