import { attention, type Isa } from 'sparse-kernels';
import { compare } from '../attention-oracle.js';
import type { AttentionCase } from '../cases/attention.js';
import { normals, randomSource } from '../random.js';
import type { Workload } from '../suite.js';
import { someOf } from './some.js';

const { dense, rows } = attention.patterns;
const { quest, doubleSparsity } = attention.methods;

/** Channels of Double Sparsity's labels: a sixteenth of the keys' bytes in all. */
const CHANNELS = 8;

/** One new query over some of a cache against all of it. */
export function prepareDecoding(c: AttentionCase): Workload {
  const { heads, kv, tokens, d, percent } = c.shape;
  const data = (of: number, seed: number) => ({ type: 'float32', data: normals(of * d, seed), dims: [1, of / tokens, tokens, d] });
  const [k, v] = [data(kv * tokens, 2), data(kv * tokens, 3)];
  const q = { type: 'float32', data: normals(heads * d, 1), dims: [1, heads, 1, d] };
  const cache = attention.cache({ kvHeads: kv, headDim: d, capacity: tokens });
  cache.append(k, v);
  const bytes = 2 * kv * tokens * d * 4;
  const denseFlops = 4 * heads * tokens * d;
  const budget = Math.round((tokens * percent) / 100);

  return async ({ threads, isa }) => {
    const forced = { threads, ...(isa !== undefined && { isa: isa as Isa }) };
    const shape = { heads, kvHeads: kv, headDim: d, ...forced };
    const size = { queryLength: 1, keyLength: tokens, blockSize: [1, cache.pageSize] as const };
    const planOf = (pattern: attention.Pattern) => attention.plan({ pattern, ...shape, validate: false });
    const choose = chooser(c, k, cache.pageSize, budget, forced);
    const whole = planOf(dense(size));
    const fixed = choose === undefined ? planOf(somePages(c, cache.pageSize)) : undefined;
    const chosen = () => choose?.(q) ?? (fixed as attention.Plan).pattern;
    // Both sides run in place, on this thread and the pool, as the prefill cases do.
    const runOurs = async () => {
      if (fixed !== undefined) return attention.decodeSync(q, cache, { plan: fixed }).output.data;
      using plan = planOf(chosen());
      return attention.decodeSync(q, cache, { plan }).output.data;
    };
    const runPeer = async () => attention.decodeSync(q, cache, { plan: whole }).output.data;
    return {
      kernel: whole.kernel,
      peer: 'our decoding over all keys',
      flops: (denseFlops * percent) / 100,
      denseFlops,
      bytes: (bytes * percent) / 100,
      denseBytes: bytes,
      runOurs,
      runPeer,
      verify: async () => {
        const [ours, theirs] = [await runOurs(), await runPeer()];
        const { tiles, columns } = chosen();
        const { start, count, index } = (tiles ?? columns) as attention.Rows;
        const problems: string[] = [];
        for (const row of [0, heads - 1]) {
          const place = { q: q.data, k: k.data, v: v.data, heads, kv, tokens, d, row, queries: 1 };
          const list = Math.floor(row / (heads / kv));
          const listed = new Set(index.subarray(start[list], (start[list] as number) + (count[list] as number)));
          problems.push(...compare(whole.kernel, ours, place, (j) => listed.has(tiles ? Math.floor(j / cache.pageSize) : j)));
          problems.push(...compare('all keys', theirs, place, () => true));
        }
        return problems;
      },
    };
  };
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
