/** Decoding over long caches that all key-value heads read: against the oracle, for whatever the rules cut. */
import { attention, cpu, type Isa } from 'sparse-kernels';
import { describe, expect, test } from 'vitest';
import { denseAttention, rounded } from '../reference/attention.js';
import { firstMismatch } from '../reference/compare.js';
import { uniform } from '../support/random.js';

const isas = [...cpu().isa, 'scalar16'] as Isa[];
const tokens = 16_500; // enough for the heads to go through the pages together

interface Case {
  lengths: number[];
  kvHeads: number;
  group: number;
  queries: number;
  headDim: number;
  pageSize: number;
  dtype: 'float32' | 'float16' | 'bfloat16';
  /** Every so many pages, for all heads. */
  every: number;
  rules: { causal?: boolean; window?: number; sinkTokens?: number; softcap?: number };
}

const standard: Case = {
  ...{ lengths: [tokens], kvHeads: 2, group: 4, queries: 1, headDim: 16, pageSize: 16, dtype: 'float32', every: 1 },
  rules: {},
};

function operands(o: Case) {
  const make = (count: number, seed: number, dims: number[]) => {
    const data = uniform(count, seed);
    if (o.dtype === 'float32') return { tensor: { data, dims }, values: data };
    const { bits, values } = rounded(data, o.dtype);
    return { tensor: { data: bits, dims, type: o.dtype }, values };
  };
  const { kvHeads, headDim, group, queries, lengths } = o;
  const batch = lengths.length;
  const q = make(batch * kvHeads * group * queries * headDim, 3, [batch, kvHeads * group, queries, headDim]);
  const kv = lengths.map((length, b) => [4, 5].map((seed) => make(kvHeads * length * headDim, 10 * b + seed, [kvHeads, length, headDim])));
  const caches = kv.map(([k, v], b) => {
    const cache = attention.cache({
      kvHeads,
      headDim,
      capacity: (lengths[b] as number) + o.pageSize,
      pageSize: o.pageSize,
      dtype: o.dtype,
    });
    cache.append((k as typeof q).tensor, (v as typeof q).tensor);
    return cache;
  });
  return { q, kv, caches };
}

function pagesOf(o: Case) {
  const pages = (length: number) => Array.from({ length: Math.ceil(length / o.pageSize) }, (_, id) => id);
  return attention.patterns.rows(o.lengths.map((length) => pages(length).filter((id) => id % o.every === 0)));
}

/** Queries are the last tokens of their sequence. */
function oracle(o: Case, { q, kv }: ReturnType<typeof operands>) {
  const { window = Number.POSITIVE_INFINITY, sinkTokens = 0, causal = false } = o.rules;
  return o.lengths.map((length, b) => {
    const size = q.values.length / o.lengths.length;
    const [k, v] = (kv[b] as { values: ArrayLike<number> }[]).map((x) => x.values) as [ArrayLike<number>, ArrayLike<number>];
    return denseAttention({
      ...{ batch: 1, heads: o.kvHeads * o.group, kvHeads: o.kvHeads, headDim: o.headDim, queries: o.queries, keys: length },
      ...{ q: q.values.subarray(b * size, (b + 1) * size), k, v, scale: o.headDim ** -0.5, softcap: o.rules.softcap },
      sees: (_b, _h, i, j) => {
        const position = length - o.queries + i;
        if (Math.floor(j / o.pageSize) % o.every !== 0 || (causal && j > position)) return false;
        return j > position - window || j < sinkTokens;
      },
    });
  });
}

describe('all heads through a cache', () => {
  test.each<[string, Partial<Case>]>([
    ['one query', {}],
    ['two queries of one head a key-value head', { queries: 2, group: 1, kvHeads: 3, rules: { causal: true } }],
    ['two queries of four heads', { queries: 2, rules: { causal: true } }],
    ['a window and a sink', { rules: { causal: true, window: 3000, sinkTokens: 21 } }],
    ['a sink that reaches into the window', { rules: { window: 16_000, sinkTokens: 600 } }],
    ['soft capped', { rules: { softcap: 0.5 } }],
    ['pages of 8', { pageSize: 8 }],
    ['pages of 12, dims that are no whole vectors', { pageSize: 12, headDim: 24 }],
    ['pages longer than a chunk', { pageSize: 200 }],
    ['every third page', { lengths: [3 * tokens], every: 3 }],
    ['sequences of different lengths', { lengths: [9001, 1, 7600] }],
    ['float16', { dtype: 'float16', headDim: 8 }],
    ['bfloat16', { dtype: 'bfloat16', headDim: 8 }],
  ])('%s', async (_, changes) => {
    const o = { ...standard, ...changes };
    const x = operands(o);
    const wanted = oracle(o, x);
    const pages = pagesOf(o);
    const pattern = {
      ...{ queryLength: o.queries, keyLength: Math.max(...o.lengths), blockSize: [o.queries, o.pageSize] as const },
      ...{ unit: 'block' as const, heads: 'shared' as const, sets: 1, batch: o.lengths.length, tiles: pages },
    };
    for (const isa of isas) {
      const results = await Promise.all(
        [1, 2].map((threads) => {
          const heads = { heads: o.kvHeads * o.group, kvHeads: o.kvHeads, headDim: o.headDim };
          const plan = attention.plan({ pattern, ...heads, batch: o.lengths.length, dtype: o.dtype, isa, threads, ...o.rules });
          return attention.decode(x.q.tensor, x.caches, { plan });
        }),
      );
      const [first, second] = results as [attention.AttentionResult, attention.AttentionResult];
      for (const [b, { output, lse }] of wanted.entries()) {
        expect(firstMismatch(first.output.data.subarray(b * output.length, (b + 1) * output.length), output, 1e-5)).toBeNull();
        expect(firstMismatch(first.lse.data.subarray(b * lse.length, (b + 1) * lse.length), lse, 1e-5)).toBeNull();
      }
      expect(second).toEqual(first);
    }
  });

  test('what belongs to a head has no part in it: biases go head by head', async () => {
    const x = operands(standard);
    const keyBias = uniform(tokens, 8);
    const k = x.kv[0] as { values: Float32Array }[];
    const wanted = denseAttention({
      ...{ batch: 1, heads: 8, kvHeads: 2, headDim: 16, queries: 1, keys: tokens, q: x.q.values, scale: 0.25 },
      ...{ k: k[0]?.values as Float32Array, v: k[1]?.values as Float32Array, sees: () => true, bias: (_b, _h, j) => keyBias[j] as number },
    });
    const result = await attention.decode(x.q.tensor, x.caches, { keyBias: { data: keyBias, dims: [tokens] } });
    expect(firstMismatch(result.output.data, wanted.output, 1e-5)).toBeNull();
    expect(firstMismatch(result.lse.data, wanted.lse, 1e-5)).toBeNull();
  });
});
