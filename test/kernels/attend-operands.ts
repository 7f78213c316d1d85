/** A case of attend as operands of a plan, and as dense attention for the oracle. */
import type { attention } from 'sparse-kernels';
import type { AttentionCase } from '../cases/attention-case.js';
import { type DenseAttention, listedPairs, rounded } from '../reference/attention.js';
import { generator, misaligned, uniform } from '../support/random.js';

export function attendOperands(c: AttentionCase, dtype: 'float32' | 'float16' | 'bfloat16', fill: typeof uniform) {
  const { heads, kvHeads = heads, headDim, batch = 1, pattern, rules = {}, layout = 'BHSD' } = c;
  const { queryLength: n, keyLength: t } = pattern;
  const operand = (seed: number, headCount: number, tokens: number) => {
    const values = fill(batch * headCount * tokens * headDim, seed);
    const stored = dtype === 'float32' ? { bits: misaligned(values), values } : rounded(values, dtype);
    const dims = layout === 'BHSD' ? [batch, headCount, tokens, headDim] : [batch, tokens, headCount, headDim];
    return { values: toHeadsFirst(stored.values, layout, headCount, tokens, headDim), tensor: { data: stored.bits, dims, type: dtype } };
  };
  const [q, k, v] = [operand(1, heads, n), operand(2, kvHeads, t), operand(3, kvHeads, t)];
  const next = generator(4);
  const int32 = (length: number, most: number) => Int32Array.from({ length }, () => Math.floor(next() * most));
  const biasRows = { shared: 1, kv: kvHeads, batch: batch * kvHeads };
  const keyBias =
    c.bias && Float32Array.from({ length: biasRows[c.bias] * t }, () => (next() < 0.2 ? Number.NEGATIVE_INFINITY : next() * 2));
  const sink = c.sink ? uniform(heads, 5) : undefined;
  const queryPositions = c.positions ? int32(batch * n, t) : undefined;
  const keyPositions = c.positions === 'both' ? int32(t, t) : undefined;
  const keyLengths = c.keyLengths && Int32Array.from(c.keyLengths);
  const run: Omit<attention.RunOptions, 'signal' | 'rowMax' | 'initial'> = {
    ...(keyBias && { keyBias }),
    ...(sink && { sink }),
    ...(queryPositions && { queryPositions }),
    ...(keyPositions && { keyPositions }),
    ...(keyLengths && { keyLengths }),
    ...(c.logWeight !== undefined && { logWeight: c.logWeight }),
  };
  const pairs = listedPairs(pattern);
  const group = heads / kvHeads;
  const dense: DenseAttention = {
    ...{ batch, heads, kvHeads, headDim, queries: n, keys: t, q: q.values, k: k.values, v: v.values },
    ...{ scale: rules.scale ?? 1 / Math.sqrt(headDim), softcap: rules.softcap, logWeight: c.logWeight, sink },
    sees: (b, h, i, j) => {
      const length = keyLengths?.[b] ?? t;
      if (j >= length) return false;
      const set = { shared: 0, kv: Math.floor(h / group), q: h }[pattern.heads];
      const pair = pairs[(((pattern.batch === 1 ? 0 : b) * pattern.sets + set) * n + i) * t + j];
      if (pair !== 1) return pair === 2;
      const at = queryPositions?.[b * n + i] ?? i + length - n;
      const key = keyPositions?.[j] ?? j;
      const inWindow = rules.window === undefined || key > at - rules.window || key < (rules.sinkTokens ?? 0);
      return inWindow && !(rules.causal && key > at);
    },
    bias: (b, kvHead, j) => keyBias?.[(c.bias === 'shared' ? 0 : c.bias === 'kv' ? kvHead : b * kvHeads + kvHead) * t + j] ?? 0,
  };
  return {
    /** Of the plan, without dtype and device. */
    shape: { pattern, heads, kvHeads, headDim, batch, ...rules, layout },
    q: q.tensor,
    k: k.tensor,
    v: v.tensor,
    run,
    dense,
    headsFirst: (output: Float32Array) => toHeadsFirst(output, layout, heads, n, headDim),
  };
}

/** [batch, token, head, dim] to [batch, head, token, dim]. */
function toHeadsFirst<T extends Float32Array | Float64Array>(x: T, layout: attention.Layout, heads: number, tokens: number, d: number): T {
  if (layout === 'BHSD') return x;
  const y = x.slice() as T;
  for (let i = 0; i < x.length; i++) {
    const [dim, h, token, b] = [i % d, Math.floor(i / d) % heads, Math.floor(i / d / heads) % tokens, Math.floor(i / d / heads / tokens)];
    y[((b * heads + h) * tokens + token) * d + dim] = x[i] as number;
  }
  return y;
}
