import { attention, type Isa } from 'sparse-kernels';
import { compare } from '../attention-oracle.js';
import type { AttentionCase } from '../cases/attention.js';
import { normals, randomSource } from '../random.js';
import type { Conditions, Workload } from '../suite.js';

const { dense, streaming } = attention.patterns;

const forcedBy = ({ threads, isa }: Conditions) => ({ threads, ...(isa !== undefined && { isa: isa as Isa }) });

/** MInference, its estimate and its index included, against causal attention to everything. */
export function prepareLines({ shape: { tokens, d } }: AttentionCase): Workload {
  const [q, k, v] = [positioned(tokens, d, 1), positioned(tokens, d, 2), random(tokens, d, 3)];
  return async (conditions) => {
    const forced = forcedBy(conditions);
    const method = attention.methods.minference({ heads: { 0: ['vertical_and_slash', 500, 700, 1] }, ...forced });
    const whole = attention.plan({ pattern: dense({ queryLength: tokens, causal: true }), heads: 1, headDim: d, causal: true, ...forced });
    const denseFlops = 2 * tokens * tokens * d;
    const first = await method.prefill(q, k, v);
    return {
      kernel: whole.kernel,
      peer: 'our causal attention',
      flops: 2 * denseFlops * first.density,
      denseFlops,
      bytes: 2 * k.data.byteLength,
      denseBytes: 2 * k.data.byteLength,
      runOurs: () => method.prefill(q, k, v),
      runPeer: () => whole.run(q, k, v),
      verify: async () => {
        const theirs = await whole.run(q, k, v);
        const next = randomSource(9);
        return Array.from({ length: 12 }, () => next() % tokens).flatMap((row) => {
          const place = { q: q.data, k: k.data, v: v.data, heads: 1, kv: 1, tokens, d, row };
          const listed = listedKeys(first.pattern, row);
          return [
            ...compare('minference', first.output.data, place, (j) => j <= row && listed.has(j)),
            ...compare(whole.kernel, theirs.output.data, place, (j) => j <= row),
          ];
        });
      },
    };
  };
}

/** Keys that the row of a query lists. */
function listedKeys({ blockSize: [bq, bk], unit, tiles, columns }: attention.Pattern, query: number): Set<number> {
  const r = Math.floor(query / bq);
  const ids = (rows: attention.Rows | undefined) =>
    rows ? [...rows.index.subarray(rows.start[r], (rows.start[r] as number) + (rows.count[r] as number))] : [];
  const firsts = ids(tiles).map((id) => (unit === 'block' ? id * bk : id));
  return new Set([...firsts.flatMap((first) => Array.from({ length: bk }, (_, t) => first + t)), ...ids(columns)]);
}

const WINDOW = 2048;
const SHORT = 4096;
/** What 128 k tokens may take in all. */
const MOST_BYTES = 4 * 2 ** 30;

/** A fixed number of keys for every query, at this length and at 4096 tokens. */
export function prepareBudget({ shape: { tokens, d } }: AttentionCase): Workload {
  return async (conditions) => {
    const side = (length: number) => {
      const [q, k, v] = [random(length, d, 1), random(length, d, 2), random(length, d, 3)];
      const pattern = streaming({ queryLength: length, sink: 64, local: WINDOW - 64 });
      const rules = { causal: true, window: WINDOW - 64, sinkTokens: 64 };
      const plan = attention.plan({ pattern, heads: 1, headDim: d, ...rules, ...forcedBy(conditions) });
      return { q, k, v, plan, run: () => plan.run(q, k, v) };
    };
    const [ours, short] = [side(tokens), side(SHORT)];
    return {
      kernel: ours.plan.kernel,
      peer: `the same window at ${SHORT} tokens`,
      flops: 4 * d * tokens * WINDOW,
      denseFlops: 2 * tokens * tokens * d,
      bytes: 2 * ours.k.data.byteLength,
      denseBytes: 2 * ours.k.data.byteLength,
      runOurs: ours.run,
      runPeer: short.run,
      verify: async () => {
        const { output } = await ours.run();
        const next = randomSource(9);
        const problems = Array.from({ length: 12 }, () => next() % tokens).flatMap((row) => {
          const place = { q: ours.q.data, k: ours.k.data, v: ours.v.data, heads: 1, kv: 1, tokens, d, row };
          return compare(ours.plan.kernel, output.data, place, (j) => j <= row && (j < 64 || j > row - (WINDOW - 64)));
        });
        const { rss } = process.memoryUsage();
        return rss > MOST_BYTES ? [...problems, `${rss} bytes in use, expected at most ${MOST_BYTES}`] : problems;
      },
    };
  };
}

const random = (tokens: number, d: number, seed: number) => ({ type: 'float32', data: normals(tokens * d, seed), dims: [1, 1, tokens, d] });

/** Noise plus sinusoidal positions: near tokens are alike. */
function positioned(tokens: number, d: number, seed: number) {
  const x = random(tokens, d, seed);
  for (let t = 0; t < tokens; t++) {
    for (let c = 0; c < d / 2; c++) {
      const angle = t * 10_000 ** (-c / (d / 2));
      for (const [at, value] of [
        [t * d + c, Math.sin(angle)],
        [t * d + d / 2 + c, Math.cos(angle)],
      ] as const) {
        x.data[at] = (x.data[at] as number) + 2 * value;
      }
    }
  }
  return x;
}
