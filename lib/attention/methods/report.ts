/** What a method's result says of itself: how much it computed, and how much of dense attention that covers. */
import type { TensorLike } from '../../tensor.js';
import { integer } from '../../validate.js';
import { headsOf, type Shape, takeTokens } from '../heads.js';
import { score } from '../score.js';
import type { AttentionResult, Pattern } from '../types.js';
import { type MethodOptions, passed, shapeOf } from './shape.js';

/** What a method made of an input. */
export interface MethodReport {
  /** Share of all N x T scores that were computed; dense causal attention has about 0.5. */
  readonly density: number;
  /** Share of the dense attention's mass that falls on the chosen keys, mean over the sampled queries: 1 is exact. */
  readonly coveredMass: number;
  /** Smallest of these shares. */
  readonly leastCoveredMass: number;
}

/** A result that can say how good its choice of keys was. */
export interface MethodResult extends AttentionResult {
  /** Which keys were attended to. */
  readonly pattern: Pattern;
  /** Share of all N x T scores that were computed. */
  readonly density: number;
  /**
   * Compares with dense attention at some of the queries. It costs about as much as dense attention of so many queries.
   *
   * @param queries - how many queries of each head to sample, evenly, at least 1; default 32
   */
  report(queries?: number): Promise<MethodReport>;
}

/** What a report compares: the operands, and the log-sum-exp over the chosen keys. */
export interface Reported {
  readonly q: TensorLike;
  readonly k: TensorLike;
  readonly lse: Float32Array;
  readonly density: number;
  readonly pattern: Pattern;
  /** Added to the scores of each key, [batch, kvHeads, keys], in the dense attention as well. */
  readonly keyBias?: Float32Array;
}

/** The part of a result that reports. */
export function reported(of: Reported, o: MethodOptions) {
  const { density, pattern } = of;
  return {
    pattern,
    density,
    report: async (queries = 32): Promise<MethodReport> => ({
      density,
      ...(await coverage(of, o, integer(queries, 'queries', 1, 2 ** 31 - 1))),
    }),
  };
}

/** exp(lse - dense lse) at sampled queries. */
async function coverage({ q, k, lse, keyBias }: Reported, o: MethodOptions, wanted: number) {
  const s = shapeOf(q, k, o.layout);
  const count = Math.min(wanted, s.queries);
  const sample = Array.from({ length: count }, (_, i) => Math.floor(((i + 0.5) * s.queries) / count));
  const rows = takeTokens(headsOf(q, 'q', o.layout ?? 'BHSD'), sample);
  const limit = Int32Array.from(sample, (i) => ((o.causal ?? true) ? Math.max(0, i + 1 + s.keys - s.queries) : s.keys));
  const order = o.layout === 'BSHD' ? toTokensOutside(rows, s, count) : rows;
  const dims = o.layout === 'BSHD' ? [s.batch, count, s.heads, s.dim] : [s.batch, s.heads, count, s.dim];
  const { data } = await score({ data: order, dims }, k, { ...passed(o), limit });
  let sum = 0;
  let least = 1;
  for (let row = 0; row < s.batch * s.heads * count; row++) {
    const head = Math.floor(row / count);
    const scores = data.subarray(row * s.keys, row * s.keys + (limit[row % count] as number));
    const first = Math.floor(head / (s.heads / s.kvHeads)) * s.keys;
    const dense = logSumExp(keyBias ? scores.map((x, j) => x + (keyBias[first + j] as number)) : scores);
    const chosen = lse[head * s.queries + (sample[row % count] as number)] as number;
    const share = dense === Number.NEGATIVE_INFINITY ? 1 : Math.exp(chosen - dense);
    sum += share;
    least = Math.min(least, share);
  }
  return { coveredMass: sum / (s.batch * s.heads * count), leastCoveredMass: least };
}

function logSumExp(x: Float32Array): number {
  let most = Number.NEGATIVE_INFINITY;
  for (const value of x) if (value > most) most = value;
  if (most === Number.NEGATIVE_INFINITY) return most;
  let sum = 0;
  for (const value of x) sum += Math.exp(value - most);
  return most + Math.log(sum);
}

/** [batch, heads, tokens, dim] as [batch, tokens, heads, dim]. */
function toTokensOutside(x: Float32Array, s: Shape, tokens: number): Float32Array {
  const moved = new Float32Array(x.length);
  for (let b = 0; b < s.batch; b++) {
    for (let h = 0; h < s.heads; h++) {
      for (let t = 0; t < tokens; t++) {
        const from = ((b * s.heads + h) * tokens + t) * s.dim;
        moved.set(x.subarray(from, from + s.dim), ((b * tokens + t) * s.heads + h) * s.dim);
      }
    }
  }
  return moved;
}
