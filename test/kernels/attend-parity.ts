import { attention, type KernelInfo } from 'sparse-kernels';
import { type AttentionCase, attentionCases } from '../cases/attention.js';
import { type DenseAttention, type DenseResult, denseAttention, listedPairs, rounded } from '../reference/attention.js';
import { firstMismatch, type Mismatch, maxAbs } from '../reference/compare.js';
import { generator, misaligned, smallIntegers, uniform } from '../support/random.js';
import type { Check } from './check.js';

const eps = 2 ** -23;

export function* attendChecks(row: KernelInfo): Iterable<Check> {
  for (const c of attentionCases) {
    yield { name: c.name, run: () => compareWithOracle(c, row, smallIntegers) ?? compareWithOracle(c, row, uniform) };
  }
}

/** Runs one case on one kernel row, synchronously, and compares it with the oracle. */
function compareWithOracle(c: AttentionCase, row: KernelInfo, fill: typeof uniform): Mismatch | null {
  const { heads, kvHeads = heads, headDim, batch = 1, pattern, rules = {}, layout = 'BHSD' } = c;
  const { queryLength: n, keyLength: t } = pattern;
  const dtype = row.dtype as 'float32' | 'float16' | 'bfloat16';
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

  using plan = attention.plan({ pattern, heads, kvHeads, headDim, batch, ...rules, layout, dtype, isa: row.isa });
  if (plan.kernel !== row.name) throw new Error(`expected kernel ${row.name} but ${plan.kernel} was chosen`);
  const run: Omit<attention.RunOptions, 'signal'> = {
    ...(keyBias && { keyBias }),
    ...(sink && { sink }),
    ...(queryPositions && { queryPositions }),
    ...(keyPositions && { keyPositions }),
    ...(keyLengths && { keyLengths }),
    ...(c.logWeight !== undefined && { logWeight: c.logWeight }),
    rowMax: c.rowMax ?? false,
  };
  const actual = plan.runSync(q.tensor, k.tensor, v.tensor, run);

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
  const expected = remembered(`${c.name} ${dtype} ${fill.name}`, () => denseAttention(dense));
  // A score is a dot product in float32; an output moves by twice what its scores do, relative to the largest value.
  const scoreError = eps * ((headDim + 8) * maxAbs(q.values) * maxAbs(k.values) * dense.scale + 32);
  const output = toHeadsFirst(actual.output.data, layout, heads, n, headDim);
  return (
    firstMismatch(output, expected.output, 2 * scoreError * maxAbs(v.values) + Number.MIN_VALUE) ??
    firstMismatch(actual.lse.data, expected.lse, 2 * scoreError) ??
    (actual.rowMax ? firstMismatch(actual.rowMax.data, expected.rowMax, scoreError) : null)
  );
}

/** The oracle is slow, and the same for every ISA. */
const answers = new Map<string, DenseResult>();
function remembered(key: string, compute: () => DenseResult): DenseResult {
  const answer = answers.get(key) ?? compute();
  answers.set(key, answer);
  return answer;
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
