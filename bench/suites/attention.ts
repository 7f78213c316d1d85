import { attention, type Isa } from 'sparse-kernels';
import { type AttentionCase, type AttentionKind, attentionCase, attentionCases } from '../cases/attention.js';
import { denseAttention } from '../competitors/onnxruntime.js';
import { normals, randomSource } from '../random.js';
import type { Suite, Workload } from '../suite.js';

const kinds: readonly AttentionKind[] = ['dense', 'blocks', 'causal', 'pages'];

/** Attention over some of the keys against attention over all of them. */
export const attentionSuite: Suite<AttentionCase> = {
  name: 'attention',
  cases: attentionCases,
  shapeKeys: ['heads', 'kv', 'tokens', 'd', 'percent'],
  patternHint: kinds.join(', '),
  isPattern: (text) => (kinds as readonly string[]).includes(text),
  caseOf: ({ heads = 1, kv = 1, tokens = 64, d = 64, percent = 100 }, pattern) =>
    attentionCase({ heads, kv, tokens, d, percent }, pattern as AttentionKind),
  prepare: (c) => (c.pattern === 'pages' ? preparePages(c) : prepareTiles(c)),
};

const { dense, fromMask, rows } = attention.patterns;

/** So many percent of [0, count), the last of them always. */
function someOf(count: number, percent: number, next: () => number): number[] {
  const ids = Array.from({ length: count - 1 }, (_, id) => id);
  const wanted = Math.round((count * percent) / 100) - 1;
  for (let i = 0; i < wanted; i++) {
    const j = i + (next() % (ids.length - i));
    [ids[i], ids[j]] = [ids[j] as number, ids[i] as number];
  }
  return [...ids.slice(0, wanted).sort((a, b) => a - b), count - 1];
}

function patternOf({ pattern, shape }: AttentionCase): attention.Pattern {
  const size = { queryLength: shape.tokens };
  if (pattern !== 'blocks') return dense({ ...size, causal: pattern === 'causal' });
  const blocks = Math.ceil(shape.tokens / 64);
  const mask = new Uint8Array(blocks * blocks);
  const next = randomSource(5);
  for (let row = 0; row < blocks; row++) for (const id of someOf(blocks, shape.percent, next)) mask[row * blocks + id] = 1;
  return fromMask(mask, size);
}

function prepareTiles(c: AttentionCase): Workload {
  const { heads, kv, tokens, d } = c.shape;
  const tensor = (of: number, seed: number) => ({ type: 'float32', data: normals(of * tokens * d, seed), dims: [1, of, tokens, d] });
  const [q, k, v] = [tensor(heads, 1), tensor(kv, 2), tensor(kv, 3)];
  const shape = { heads, kvHeads: kv, headDim: d };

  return async ({ threads, isa }) => {
    const forced = { threads, ...(isa !== undefined && { isa: isa as Isa }) };
    const plan = attention.plan({ pattern: patternOf(c), ...shape, ...forced, causal: c.pattern === 'causal' });
    const whole = attention.plan({ pattern: dense({ queryLength: tokens }), ...shape, ...forced });
    // Both sides run in place, on this thread and the pool: what copies for asynchronous runs cost is measured by the suite nm.
    const runOurs = async () => plan.runSync(q, k, v).output.data;
    const peer =
      c.pattern === 'dense'
        ? await denseAttention({ q: q.data, k: k.data, v: v.data, heads, tokens, d, threads })
        : { name: 'our dense attention', run: async () => whole.runSync(q, k, v).output.data };
    const denseFlops = 4 * heads * tokens * tokens * d;
    return {
      kernel: plan.kernel,
      peer: peer.name,
      flops: c.pattern === 'causal' ? denseFlops / 2 : denseFlops * plan.density,
      denseFlops,
      bytes: k.data.byteLength + v.data.byteLength,
      denseBytes: k.data.byteLength + v.data.byteLength,
      runOurs,
      runPeer: peer.run,
      verify: async () => {
        const places = (at: number) => ({ q: q.data, k: k.data, v: v.data, heads, kv, tokens, d, row: at });
        const ours = await runOurs();
        const theirs = await peer.run();
        const problems: string[] = [];
        const next = randomSource(9);
        for (let i = 0; i < 24; i++) {
          const row = next() % (heads * tokens);
          const listed = (j: number) => c.pattern !== 'causal' || j <= row % tokens;
          problems.push(...compare(plan.kernel, ours, places(row), (j) => listed(j) && isListed(plan.pattern, row % tokens, j)));
          problems.push(...compare(peer.name, theirs, { ...places(row), tokensOutside: c.pattern === 'dense' }, () => true));
        }
        return problems;
      },
    };
  };
}

function isListed({ tiles }: attention.Pattern, query: number, key: number): boolean {
  const { start, count, index } = tiles as attention.Rows;
  const r = Math.floor(query / 64);
  const begin = start[r] as number;
  return index.subarray(begin, begin + (count[r] as number)).includes(Math.floor(key / 64));
}

interface Place {
  q: Float32Array;
  k: Float32Array;
  v: Float32Array;
  heads: number;
  kv: number;
  tokens: number;
  d: number;
  /** head x tokens + query */
  row: number;
  tokensOutside?: boolean;
  queries?: number;
}

/** One row of the output against float64. */
function compare(side: string, output: Float32Array, p: Place, sees: (key: number) => boolean): string[] {
  const { d, tokens, queries = tokens } = p;
  const head = Math.floor(p.row / queries);
  const first = Math.floor(head / (p.heads / p.kv)) * tokens;
  const scores: [number, number][] = [];
  for (let j = 0; j < tokens; j++) {
    if (!sees(j)) continue;
    let s = 0;
    for (let i = 0; i < d; i++) s += (p.q[p.row * d + i] as number) * (p.k[(first + j) * d + i] as number);
    scores.push([s / Math.sqrt(d), first + j]);
  }
  const max = scores.reduce((m, [s]) => Math.max(m, s), Number.NEGATIVE_INFINITY);
  const sum = scores.reduce((total, [s]) => total + Math.exp(s - max), 0);
  for (let i = 0; i < d; i++) {
    const wanted = scores.reduce((total, [s, j]) => total + (Math.exp(s - max) / sum) * (p.v[j * d + i] as number), 0);
    const at = p.tokensOutside ? ((p.row % queries) * p.heads + head) * d + i : p.row * d + i;
    if (!(Math.abs((output[at] as number) - wanted) <= 1e-4)) return [`${side}: output ${at} is ${output[at]}, expected ${wanted}`];
  }
  return [];
}

function preparePages(c: AttentionCase): Workload {
  const { heads, kv, tokens, d, percent } = c.shape;
  const data = (of: number, seed: number) => ({ type: 'float32', data: normals(of * d, seed), dims: [1, of / tokens, tokens, d] });
  const [k, v] = [data(kv * tokens, 2), data(kv * tokens, 3)];
  const q = { type: 'float32', data: normals(heads * d, 1), dims: [1, heads, 1, d] };
  const cache = attention.cache({ kvHeads: kv, headDim: d, capacity: tokens });
  cache.append(k, v);
  const next = randomSource(7);
  const lists = Array.from({ length: kv }, () => someOf(tokens / cache.pageSize, percent, next));
  const bytes = 2 * kv * tokens * d * 4;
  const denseFlops = 4 * heads * tokens * d;

  return async ({ threads, isa }) => {
    const shape = { heads, kvHeads: kv, headDim: d, threads, ...(isa !== undefined && { isa: isa as Isa }) };
    const size = { queryLength: 1, keyLength: tokens, blockSize: [1, cache.pageSize] as const };
    const some = { ...size, unit: 'block' as const, batch: 1, heads: 'kv' as const, sets: kv, tiles: rows(lists) };
    const plan = attention.plan({ pattern: some, ...shape });
    const whole = attention.plan({ pattern: dense(size), ...shape });
    const runOurs = async () => (await attention.decode(q, cache, { plan })).output.data;
    const runPeer = async () => (await attention.decode(q, cache, { plan: whole })).output.data;
    return {
      kernel: plan.kernel,
      peer: 'our decoding over all keys',
      flops: (denseFlops * percent) / 100,
      denseFlops,
      bytes: (bytes * percent) / 100,
      denseBytes: bytes,
      runOurs,
      runPeer,
      verify: async () => {
        const [ours, theirs] = [await runOurs(), await runPeer()];
        const problems: string[] = [];
        for (const row of [0, heads - 1]) {
          const place = { q: q.data, k: k.data, v: v.data, heads, kv, tokens, d, row, queries: 1 };
          const listed = new Set(lists[Math.floor(row / (heads / kv))]);
          problems.push(...compare(plan.kernel, ours, place, (j) => listed.has(Math.floor(j / cache.pageSize))));
          problems.push(...compare('all keys', theirs, place, () => true));
        }
        return problems;
      },
    };
  };
}
