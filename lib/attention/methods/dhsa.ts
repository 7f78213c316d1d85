import { rangeError } from '../../errors.js';
import { allocate, type TensorLike, typedArray } from '../../tensor.js';
import { integer } from '../../validate.js';
import type { Shape } from '../heads.js';
import { pool } from '../pool.js';
import { score } from '../score.js';
import { select } from '../select.js';
import { listPattern, type PrefillMethod, prefillMethod } from './common.js';
import { type MethodOptions, methodOptions, passed, passedTo } from './shape.js';

/** Options of {@link dhsa}. Attention is causal. */
export interface DhsaOptions extends Omit<MethodOptions, 'causal'> {
  /** Tokens of each query block, forced ones included. */
  readonly budget: number;
  /** Where the chunks of keys begin and end, int32 [chunks + 1], as a boundary predictor says; default: chunks of 64. */
  readonly boundaries?: Int32Array;
  /** The last so many tokens of each query are always seen; default 128. */
  readonly recent?: number;
  /** The first so many tokens are always seen; default 128. */
  readonly global?: number;
  /** The last so many queries, rounded up to blocks of 64, see everything; default 64. */
  readonly denseQueries?: number;
}

const block = 64;

/**
 * DHSA: keys in chunks of a length that follows the text; a chunk's vector is the sum of its keys over the square root of their number. Scores
 * of chunks with blocks of 64 queries, a mean over the heads, become scores of tokens, and each block of queries takes the best tokens.
 *
 * Xiong et al., "Long-Context Modeling with Dynamic Hierarchical Sparse Attention for On-Device LLMs" (2025). The boundary predictor is the
 * caller's.
 *
 * @throws TypeError `ERR_SK_TYPE`, RangeError `ERR_SK_OPTION`
 * @example
 * ```ts
 * import { attention } from 'sparse-kernels';
 * const x = { data: new Float32Array(2 * 512 * 8).map(Math.sin), dims: [1, 2, 512, 8] };
 * const { output } = await attention.methods.dhsa({ budget: 128, recent: 32, global: 32 }).prefill(x, x, x);
 * ```
 */
export function dhsa(dhsaOptions: DhsaOptions): PrefillMethod {
  const o = methodOptions<DhsaOptions & { causal?: never }>(
    dhsaOptions,
    ['budget', 'boundaries', 'recent', 'global', 'denseQueries'],
    ['causal'],
  );
  const topK = integer(o.budget, 'budget', 1, 2 ** 31 - 1);
  // The first query of a block must find its recent tokens before the limit of the last one.
  const force = { sink: integer(o.global ?? 128, 'global', 0, 2 ** 30), local: integer(o.recent ?? 128, 'recent', 1, 2 ** 30) + block - 1 };
  const denseQueries = integer(o.denseQueries ?? block, 'denseQueries', 0, 2 ** 31 - 1);
  const boundaries = o.boundaries === undefined ? undefined : typedArray(o.boundaries, 'int32', 'boundaries');
  return prefillMethod(o, async (q, k, s) => {
    const offsets = boundaries ?? Int32Array.from({ length: Math.ceil(s.keys / block) + 1 }, (_, c) => Math.min(c * block, s.keys));
    if (offsets[0] !== 0 || offsets.at(-1) !== s.keys) {
      throw rangeError('ERR_SK_OPTION', `expected boundaries from 0 to ${s.keys} but received ${offsets[0]} to ${offsets.at(-1)}`);
    }
    const { scale: _, ...rest } = passed(o);
    const chunks = await pool(k, { kind: 'sum', offsets, ...rest });
    const queries = await pool(q, { kind: 'sum', block, ...rest });
    const [a, b] = [rooted(queries.pooled, queries.count), rooted(chunks.pooled, chunks.count)];
    const { data } = await score(a, b, { scale: 1, ...passedTo(o) });
    const scores = tokenScores(data, s, chunks.start, chunks.count);
    const rows = Math.ceil(s.queries / block);
    const lastRows = denseQueries === 0 ? 0 : rows - Math.floor(Math.max(0, s.queries - denseQueries) / block);
    const limit = Int32Array.from({ length: rows }, (_, i) => Math.max(0, Math.min((i + 1) * block, s.queries) + s.keys - s.queries));
    const lists = await select(
      { data: scores, dims: [s.batch, rows, s.keys] },
      { topK, limit, force: { ...force, lastRows }, ...passedTo(o) },
    );
    return listPattern(s, lists, [block, block], 'shared', 1, 'columns');
  });
}

/** Sums over the square root of how many they are of. */
function rooted(x: TensorLike & { data: Float32Array }, count: Int32Array): TensorLike {
  const dim = x.dims[3] as number;
  const data = x.data.map((value, i) => value / Math.sqrt(count[Math.floor(i / dim) % count.length] as number));
  return { data, dims: x.dims };
}

/** Mean over the heads, each chunk's score for all of its tokens, [batch, query blocks, keys]. */
function tokenScores(scores: Float32Array, s: Shape, start: Int32Array, count: Int32Array): Float32Array {
  const rows = Math.ceil(s.queries / block);
  const out = allocate('float32', s.batch * rows * s.keys, 'the scores of tokens');
  for (let row = 0; row < s.batch * rows; row++) {
    for (let c = 0; c < start.length; c++) {
      let sum = 0;
      for (let h = 0; h < s.heads; h++) {
        sum += scores[((Math.floor(row / rows) * s.heads + h) * rows + (row % rows)) * start.length + c] as number;
      }
      const first = row * s.keys + (start[c] as number);
      out.fill(sum / s.heads, first, first + (count[c] as number));
    }
  }
  return out;
}
