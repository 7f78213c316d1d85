import { attention, type Isa } from 'sparse-kernels';
import { compare } from '../attention-oracle.js';
import type { AttentionCase } from '../cases/attention.js';
import { plainReading } from '../machine.js';
import { normals, randomSource } from '../random.js';
import type { Workload } from '../suite.js';
import { someOf } from './some.js';

const { dense, rows } = attention.patterns;
const { quest, doubleSparsity } = attention.methods;

/** Channels of Double Sparsity's labels: a sixteenth of the keys' bytes in all. */
const CHANNELS = 8;

/** One new query over all of a cache against plain reading of as many bytes. */
export function prepareCache(c: AttentionCase): Workload {
  const filled = fill(c);
  return async ({ threads, isa }) => {
    const plan = filled.plan(wholeOf(c, filled.cache), { threads, ...(isa !== undefined && { isa: isa as Isa }) });
    const runOurs = async () => filled.decode(plan);
    return {
      kernel: plan.kernel,
      peer: 'plain reading of the cache',
      flops: filled.flops,
      denseFlops: filled.flops,
      bytes: filled.bytes,
      denseBytes: filled.bytes,
      runOurs,
      runPeer: plainReading(threads, filled.bytes),
      verify: async () => {
        const ours = await runOurs();
        return [0, c.shape.heads - 1].flatMap((row) => compare(plan.kernel, ours, filled.place(row), () => true));
      },
    };
  };
}

/** One new query over some of a cache against all of it. */
export function prepareDecoding(c: AttentionCase): Workload {
  const { heads, kv, tokens, percent } = c.shape;
  const filled = fill(c);
  const { cache } = filled;
  const budget = Math.round((tokens * percent) / 100);

  return async ({ threads, isa }) => {
    const forced = { threads, ...(isa !== undefined && { isa: isa as Isa }) };
    const choose = chooser(c, filled.k, cache.pageSize, budget, forced);
    const whole = filled.plan(wholeOf(c, cache), forced);
    const fixed = choose === undefined ? filled.plan(somePages(c, cache.pageSize), forced) : undefined;
    const chosen = () => choose?.(filled.q) ?? (fixed as attention.Plan).pattern;
    const runOurs = async () => {
      if (fixed !== undefined) return filled.decode(fixed);
      using plan = filled.plan(chosen(), forced);
      return filled.decode(plan);
    };
    const runPeer = async () => filled.decode(whole);
    return {
      kernel: whole.kernel,
      peer: 'our decoding over all keys',
      flops: (filled.flops * percent) / 100,
      denseFlops: filled.flops,
      bytes: (filled.bytes * percent) / 100,
      denseBytes: filled.bytes,
      runOurs,
      runPeer,
      verify: async () => {
        const [ours, theirs] = [await runOurs(), await runPeer()];
        const { tiles, columns } = chosen();
        const { start, count, index } = (tiles ?? columns) as attention.Rows;
        const problems: string[] = [];
        for (const row of [0, heads - 1]) {
          const list = Math.floor(row / (heads / kv));
          const listed = new Set(index.subarray(start[list], (start[list] as number) + (count[list] as number)));
          const sees = (j: number) => listed.has(tiles ? Math.floor(j / cache.pageSize) : j);
          problems.push(...compare(whole.kernel, ours, filled.place(row), sees));
          problems.push(...compare('all keys', theirs, filled.place(row), () => true));
        }
        return problems;
      },
    };
  };
}

/** A cache of random keys and values, a query, and what decodes it: in place, on this thread and the pool, as the prefill cases do. */
function fill({ shape: { heads, kv, tokens, d } }: AttentionCase) {
  const data = (of: number, seed: number) => ({ type: 'float32', data: normals(of * d, seed), dims: [1, of / tokens, tokens, d] });
  const [k, v] = [data(kv * tokens, 2), data(kv * tokens, 3)];
  const q = { type: 'float32', data: normals(heads * d, 1), dims: [1, heads, 1, d] };
  const cache = attention.cache({ kvHeads: kv, headDim: d, capacity: tokens });
  cache.append(k, v);
  const plan = (pattern: attention.Pattern, forced: { threads: number; isa?: Isa }) =>
    attention.plan({ pattern, heads, kvHeads: kv, headDim: d, validate: false, ...forced });
  const decode = (plan: attention.Plan) => attention.decodeSync(q, cache, { plan }).output.data;
  const place = (row: number) => ({ q: q.data, k: k.data, v: v.data, heads, kv, tokens, d, row, queries: 1 });
  return { q, k, cache, plan, decode, place, bytes: 2 * kv * tokens * d * 4, flops: 4 * heads * tokens * d };
}

function wholeOf({ shape }: AttentionCase, cache: { readonly pageSize: number }): attention.Pattern {
  return dense({ queryLength: 1, keyLength: shape.tokens, blockSize: [1, cache.pageSize] });
}

/** What chooses keys for a query; nothing where they are chosen beforehand. */
function chooser(
  c: AttentionCase,
  k: { data: Float32Array; dims: number[] },
  pageSize: number,
  budget: number,
  forced: { threads: number; isa?: Isa },
) {
  if (c.pattern === 'pages') return undefined;
  const { kv, d } = c.shape;
  const channels = Int32Array.from({ length: kv * CHANNELS }, (_, i) => (i % CHANNELS) * (d / CHANNELS));
  const summaries = c.pattern.endsWith('16') ? 'bfloat16' : 'float32';
  const method =
    c.pattern === 'channels' || c.pattern === 'channels16'
      ? doubleSparsity({ channels, budget, perGroup: true, labels: summaries, ...forced })
      : quest({ budget, pageSize, perGroup: true, summaries, ...forced });
  method.append(k);
  return (q: { data: Float32Array; dims: number[] }) => method.pattern(q);
}

/** Random pages for each key-value head, the last one always. */
function somePages({ shape: { kv, tokens, percent } }: AttentionCase, pageSize: number): attention.Pattern {
  const next = randomSource(7);
  const lists = Array.from({ length: kv }, () => someOf(tokens / pageSize, percent, next));
  return {
    queryLength: 1,
    keyLength: tokens,
    blockSize: [1, pageSize],
    unit: 'block',
    batch: 1,
    heads: 'kv',
    sets: kv,
    tiles: rows(lists),
  };
}
