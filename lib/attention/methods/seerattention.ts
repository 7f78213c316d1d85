import { rangeError } from '../../errors.js';
import type { TensorLike } from '../../tensor.js';
import { integer, options } from '../../validate.js';
import { headsOf } from '../heads.js';
import { pool, poolSync } from '../pool.js';
import { project } from '../project.js';
import { score } from '../score.js';
import { select } from '../select.js';
import type { Pattern } from '../types.js';
import {
  attend,
  blockLimits,
  listPattern,
  type MethodOptions,
  type MethodResult,
  methodOptions,
  passed,
  passedTo,
  shapeOf,
} from './common.js';
import { type DecodeOptions, decodeKeys, queryOf, queryPattern } from './decoding.js';
import { RowStore } from './store.js';

/** A learned gate: what ranks blocks instead of the keys themselves. */
export interface SeerGate {
  /** Projection of queries, float32 [heads, dim, gateDim]. */
  readonly query: TensorLike;
  /** Projection of the greatest, the least and the mean of each block of keys, in this order, float32 [kvHeads, 3 dim, gateDim]. */
  readonly key: TensorLike;
  /** Weights of an RMS norm of projected queries, float32 [gateDim]; default: none. */
  readonly queryNorm?: Float32Array;
  /** Weights of an RMS norm of projected keys, float32 [gateDim]; default: none. */
  readonly keyNorm?: Float32Array;
  /** Base of the rotary embedding at the first position of each block; default: none. */
  readonly ropeBase?: number;
}

/** Options of {@link seerAttention}: one of `threshold` and `ratio`. Attention is causal. */
export interface SeerAttentionOptions extends Omit<MethodOptions, 'causal'> {
  /** The trained gate. */
  readonly gate: SeerGate;
  /** Tokens of a block; default 64. */
  readonly block?: number;
  /** Blocks with a softmax of the gate above this. The authors use 5e-4 to 5e-3. */
  readonly threshold?: number;
  /** Share of the causal blocks to keep, about: each row keeps the floor((1 - sqrt(1 - ratio)) x blocks) best. */
  readonly ratio?: number;
}

/** Queries and keys before the rotary embedding, which gates are trained on. */
export interface GateInput {
  /** As q. */
  readonly q: TensorLike;
  /** As k. */
  readonly k: TensorLike;
}

/** What {@link seerAttention} returns. */
export interface SeerAttention {
  /** The choice alone, from queries and keys before the rotary embedding. */
  pattern(q: TensorLike, k: TensorLike): Promise<Pattern>;
  /** Chooses and attends; `gateInput` defaults to q and k, for models without rotary embedding. */
  prefill(q: TensorLike, k: TensorLike, v: TensorLike, gateInput?: GateInput): Promise<MethodResult>;
}

const rotation = (gate: SeerGate, positions: Int32Array) => (gate.ropeBase === undefined ? {} : { positions, ropeBase: gate.ropeBase });

/**
 * SeerAttention: blocks are ranked by a small trained gate on pooled queries and keys. The last two rows of blocks are dense.
 *
 * Gao et al., "SeerAttention: Learning Intrinsic Sparse Attention in Your LLMs" (2024).
 *
 * @throws TypeError `ERR_SK_TYPE`, RangeError `ERR_SK_OPTION`
 * @example
 * ```ts
 * import { attention } from 'sparse-kernels';
 * const gate = {
 *   query: { data: new Float32Array(16 * 8).map(Math.sin), dims: [1, 16, 8] },
 *   key: { data: new Float32Array(48 * 8).map(Math.cos), dims: [1, 48, 8] },
 * };
 * const x = { data: new Float32Array(512 * 16).map(Math.sin), dims: [1, 1, 512, 16] };
 * const { output } = await attention.methods.seerAttention({ gate, ratio: 0.5 }).prefill(x, x, x);
 * ```
 */
export function seerAttention(seerOptions: SeerAttentionOptions): SeerAttention {
  const o = methodOptions<SeerAttentionOptions & { causal?: never }>(seerOptions, ['gate', 'block', 'threshold', 'ratio']);
  const block = integer(o.block ?? 64, 'block', 1, 2 ** 20);
  if ((o.threshold === undefined) === (o.ratio === undefined)) throw rangeError('ERR_SK_OPTION', 'expected one of threshold and ratio');
  const pattern: SeerAttention['pattern'] = async (q, k) => {
    const s = shapeOf(q, k, o.layout);
    const { scale: _, ...rest } = passed(o);
    const { pooled: pooledQ, start } = await pool(q, { kind: 'mean', block, ...rest });
    const parts = await Promise.all((['max', 'min', 'mean'] as const).map((kind) => pool(k, { kind, block, ...rest })));
    const pooledK = {
      data: concatenated(
        parts.map((p) => p.pooled.data),
        s.dim,
      ),
      dims: [...(parts[0]?.pooled.dims.slice(0, 3) ?? []), 3 * s.dim],
    };
    const starts = start.map((first) => first + s.keys - s.queries);
    const gateQ = await project(pooledQ, o.gate.query, {
      ...(o.gate.queryNorm && { norm: o.gate.queryNorm }),
      ...rotation(o.gate, starts),
    });
    const keyStarts = parts[0]?.start as Int32Array;
    const gateK = await project(pooledK, o.gate.key, { ...(o.gate.keyNorm && { norm: o.gate.keyNorm }), ...rotation(o.gate, keyStarts) });
    const limit = blockLimits(s, [block, block], true);
    const scores = await score(gateQ, gateK, { kind: o.threshold === undefined ? 'dot' : 'softmax', limit, ...passedTo(o) });
    const blocks = Math.ceil(s.keys / block);
    const rule =
      o.threshold === undefined
        ? { topK: Math.max(1, Math.floor((1 - Math.sqrt(1 - (o.ratio as number))) * blocks)) }
        : { threshold: o.threshold, strict: true };
    const lists = await select(scores, { ...rule, capacity: blocks, limit, force: { lastRows: 2 }, ...passedTo(o) });
    return listPattern(s, lists, [block, block], 'q', s.heads);
  };
  return { pattern, prefill: async (q, k, v, gate = { q, k }) => attend(q, k, v, await pattern(gate.q, gate.k), o) };
}

/** Rows of several arrays side by side. */
function concatenated(parts: readonly Float32Array[], dim: number): Float32Array {
  const width = parts.length * dim;
  const rows = (parts[0]?.length ?? 0) / dim;
  const joined = new Float32Array(rows * width);
  for (const [i, part] of parts.entries()) {
    for (let row = 0; row < rows; row++) joined.set(part.subarray(row * dim, (row + 1) * dim), row * width + i * dim);
  }
  return joined;
}

/** Options of {@link seerAttentionR}: one of `budget` and `threshold`. */
export interface SeerAttentionROptions extends DecodeOptions {
  /** The trained gate; the projected queries of a group are added up. */
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
  const topK = o.budget === undefined ? 0 : Math.ceil(integer(o.budget, 'budget', 1, 2 ** 31 - 1) / block);
  let store: RowStore | undefined; // compressed keys of complete blocks
  let open: Float32Array[] = []; // keys of the open block, head by head
  let length = 0;

  const append = async (k: TensorLike) => {
    const x = headsOf(k, 'k', 'BHSD');
    const before = length % block;
    const tokens = before + x.tokens;
    const whole = Math.floor(tokens / block);
    const joined = Array.from({ length: x.batch * x.heads }, (_, s) => {
      const keys = new Float32Array(tokens * x.dim);
      if (before > 0) keys.set(open[s] as Float32Array);
      keys.set(x.data.subarray(s * x.tokens * x.dim, (s + 1) * x.tokens * x.dim), before * x.dim);
      return keys;
    });
    const gateDim = o.gate.key.dims[2] as number;
    store ??= new RowStore(x.batch, x.heads, gateDim);
    if (whole > 0) {
      const complete = new Float32Array(x.batch * x.heads * whole * block * x.dim);
      for (const [s, keys] of joined.entries()) complete.set(keys.subarray(0, whole * block * x.dim), s * whole * block * x.dim);
      const dims = [x.batch, x.heads, whole * block, x.dim];
      const parts = (['max', 'min', 'mean'] as const).map((kind) => poolSync({ data: complete, dims }, { kind, block }).pooled.data);
      const pooled = { data: concatenated(parts, x.dim), dims: [x.batch, x.heads, whole, 3 * x.dim] };
      const first = store.length;
      const starts = Int32Array.from({ length: whole }, (_, b) => (first + b) * block);
      const { data } = await project(pooled, o.gate.key, { ...(o.gate.keyNorm && { norm: o.gate.keyNorm }), ...rotation(o.gate, starts) });
      store.reserve(first + whole + 1);
      for (let row = 0; row < x.batch * x.heads * whole; row++) {
        store.row(Math.floor(row / whole), first + (row % whole)).set(data.subarray(row * gateDim, (row + 1) * gateDim));
      }
      store.length += whole;
    }
    open = joined.map((keys) => keys.slice(whole * block * x.dim));
    length += x.tokens;
  };

  const pattern: SeerAttentionR['pattern'] = async (q) => {
    const query = queryOf(q, store);
    const { batch, heads, capacity, data, width, length: complete } = store as RowStore;
    const position = Int32Array.of(length - 1);
    const gateQ = await project(q, o.gate.query, { ...(o.gate.queryNorm && { norm: o.gate.queryNorm }), ...rotation(o.gate, position) });
    const blocks = Math.ceil(length / block);
    const limit = Int32Array.of(complete);
    // The sum of a group's scores is the score of the sum of its queries.
    const scores = await score(gateQ, { data, dims: [batch, heads, capacity, width] }, { limit, group: 'sum', ...passedTo(o) });
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
      if (k.dims[2] !== length)
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
