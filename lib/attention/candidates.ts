import { rangeError } from '../errors.js';
import { allocate, type Tensor, type TensorLike } from '../tensor.js';
import { integer, options } from '../validate.js';
import { checkRows } from './check.js';
import { headsOf } from './heads.js';
import { idsOf } from './lists.js';
import { score } from './score.js';
import type { Rows } from './types.js';

/** Options of {@link scoreCandidates}. */
export interface CandidateOptions {
  /** Queries that share a list: row (b x heads + h) x ceil(N / queries) + i has the candidates of queries i x queries and following. Default 1. */
  readonly queries?: number;
  /** Factor of q k; default 1 / sqrt(dim). */
  readonly scale?: number;
}

/**
 * Scores of some keys only: those that lists name. What a hierarchical method asks of the children of the blocks it has chosen.
 *
 * @param q - float32 [batch, heads, N, dim]
 * @param k - float32 [batch, kvHeads, T, dim]
 * @param candidates - keys of each row, as many as `capacity` at most
 * @returns float32 [batch, heads, N, capacity], the longest list's length: entry c belongs to the c-th candidate of the query's row;
 * behind the last one -Infinity
 * @throws (rejects) as {@link score}, and RangeError `ERR_SK_SHAPE` or SparseKernelsError `ERR_SK_LISTS` for lists that do not fit
 * @example
 * ```ts
 * import { attention } from 'sparse-kernels';
 * const q = { data: Float32Array.of(1, 2), dims: [1, 1, 2, 1] };
 * const k = { data: Float32Array.of(5, 6, 7), dims: [1, 1, 3, 1] };
 * const candidates = attention.patterns.rows([[2, 0], [1]]);
 * (await attention.scoreCandidates(q, k, candidates)).data; // Float32Array [7, 5, 12, -Infinity]
 * ```
 */
export async function scoreCandidates(
  q: TensorLike,
  k: TensorLike,
  candidates: Rows,
  candidateOptions: CandidateOptions = {},
): Promise<Tensor> {
  const o = options<CandidateOptions>(candidateOptions, 'options', ['queries', 'scale']);
  const [a, b] = [headsOf(q, 'q', 'BHSD'), headsOf(k, 'k', 'BHSD')];
  if (a.batch !== b.batch || a.dim !== b.dim || b.heads === 0 || a.heads % b.heads !== 0) {
    throw rangeError('ERR_SK_SHAPE', `expected k to fit q [${q.dims}] but received dims [${k.dims}]`);
  }
  const shared = integer(o.queries ?? 1, 'queries', 1, 2 ** 31 - 1);
  const blocks = Math.ceil(a.tokens / shared);
  const rows = a.batch * a.heads * blocks;
  checkRows(candidates, 'candidates', rows, b.tokens);
  const capacity = candidates.count.reduce((most, n) => Math.max(most, n), 0);
  const out = allocate('float32', a.batch * a.heads * a.tokens * capacity, 'the scores').fill(Number.NEGATIVE_INFINITY);
  if (capacity === 0) return { type: 'float32', data: out, dims: [a.batch, a.heads, a.tokens, 0] };
  // Each row is a small problem of its own: its queries, and copies of its candidates.
  const keys = allocate('float32', rows * capacity * a.dim, 'the candidates');
  for (let r = 0; r < rows; r++) {
    const s = Math.floor(r / blocks);
    const kvHead = Math.floor(s / a.heads) * b.heads + Math.floor((s % a.heads) / (a.heads / b.heads));
    for (const [c, id] of idsOf(candidates, r).entries()) {
      const from = (kvHead * b.tokens + id) * a.dim;
      keys.set(b.data.subarray(from, from + a.dim), (r * capacity + c) * a.dim);
    }
  }
  const queries = new Float32Array(rows * shared * a.dim);
  for (let s = 0; s < a.batch * a.heads; s++) {
    queries.set(a.data.subarray(s * a.tokens * a.dim, (s + 1) * a.tokens * a.dim), s * blocks * shared * a.dim);
  }
  const { data } = await score(
    { data: queries, dims: [rows, 1, shared, a.dim] },
    { data: keys, dims: [rows, 1, capacity, a.dim] },
    {
      scale: o.scale ?? 1 / Math.sqrt(a.dim),
    },
  );
  for (let s = 0; s < a.batch * a.heads; s++) {
    for (let i = 0; i < a.tokens; i++) {
      const at = (s * blocks * shared + i) * capacity;
      const n = candidates.count[s * blocks + Math.floor(i / shared)] as number;
      out.set(data.subarray(at, at + n), (s * a.tokens + i) * capacity);
    }
  }
  return { type: 'float32', data: out, dims: [a.batch, a.heads, a.tokens, capacity] };
}
