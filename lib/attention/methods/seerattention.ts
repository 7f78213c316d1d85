import { rangeError } from '../../errors.js';
import type { TensorLike } from '../../tensor.js';
import { integer, number, options } from '../../validate.js';
import { pool } from '../pool.js';
import { score } from '../score.js';
import { select } from '../select.js';
import type { Pattern } from '../types.js';
import { attend, listPattern } from './common.js';
import type { MethodResult } from './report.js';
import { gateKeys, gateOf, gateQueries, type SeerGate } from './seergate.js';
import { blockLimits, type MethodOptions, methodOptions, passed, passedTo, shapeOf } from './shape.js';

/** Options of {@link seerAttention}: one of `threshold` and `ratio`. Attention is causal. */
export interface SeerAttentionOptions extends Omit<MethodOptions, 'causal'> {
  /** The trained gate. */
  readonly gate: SeerGate;
  /** Tokens of a block; default 64. */
  readonly block?: number;
  /** Blocks with a softmax of the gate above this. The authors use 5e-4 to 5e-3. */
  readonly threshold?: number;
  /** Share of the causal blocks to keep, about: each row keeps the floor((1 - sqrt(1 - ratio)) x blocks) best, at least one. */
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

/**
 * SeerAttention: blocks are ranked by a small trained gate on pooled queries and keys. The last two rows of blocks are dense. The gates are
 * those of means of queries and of greatest, least and mean keys.
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
  const o = methodOptions<SeerAttentionOptions & { causal?: never }>(seerOptions, ['gate', 'block', 'threshold', 'ratio'], ['causal']);
  const block = integer(o.block ?? 64, 'block', 1, 2 ** 20);
  const gate = gateOf(o.gate, false);
  if (o.threshold !== undefined) number(o.threshold, 'threshold');
  if (o.ratio !== undefined) number(o.ratio, 'ratio', 0, 1);
  if ((o.threshold === undefined) === (o.ratio === undefined)) throw rangeError('ERR_SK_OPTION', 'expected one of threshold and ratio');
  const pattern: SeerAttention['pattern'] = async (q, k) => {
    const s = shapeOf(q, k, o.layout);
    const { scale: _, ...rest } = passed(o);
    const { pooled: pooledQ, start } = await pool(q, { kind: 'mean', block, ...rest });
    const gateQ = await gateQueries(
      gate,
      pooledQ,
      start.map((first) => first + s.keys - s.queries),
    );
    const gateK = await gateKeys(gate, k, { block, ...rest }, 0);
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
  return {
    pattern,
    prefill: async (q, k, v, gateInput = { q, k }) => {
      const { q: gateQ, k: gateK } = options<GateInput>(gateInput, 'gateInput', ['q', 'k']);
      return attend(q, k, v, await pattern(gateQ, gateK), o);
    },
  };
}
