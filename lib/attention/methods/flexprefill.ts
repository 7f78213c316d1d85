import type { TensorLike } from '../../tensor.js';
import { integer, number } from '../../validate.js';
import { headsOf, type Shape, takeTokens } from '../heads.js';
import { lines } from '../lines.js';
import { idsOf } from '../lists.js';
import { dense } from '../patterns.js';
import { pool } from '../pool.js';
import { score } from '../score.js';
import { select } from '../select.js';
import type { Rows } from '../types.js';
import { listPattern, type PrefillMethod, prefillMethod, rowsFrom } from './common.js';
import { blockLimits, type MethodOptions, methodOptions, passed, passedTo } from './shape.js';

/** Options of {@link flexPrefill}. Attention is causal. */
export interface FlexPrefillOptions extends Omit<MethodOptions, 'causal'> {
  /** Share of the attention that the chosen blocks are to cover; default 0.9. */
  readonly gamma?: number;
  /** Heads whose estimate is off by less than this, as the square root of a Jensen-Shannon divergence, choose blocks for each query; default 0.1. */
  readonly tau?: number;
  /** Tokens of a block; default 128. */
  readonly block?: number;
  /** Blocks of each kind of line at least; default 1. */
  readonly minBlocks?: number;
  /** Blocks of each kind of line at most; default all. */
  readonly maxBlocks?: number;
}

/**
 * FlexPrefill: each head decides for each prompt whether blocks are chosen for each query block (query-aware) or as vertical and slash
 * lines of blocks, and how many, so that the estimate reaches `gamma`.
 *
 * Lai et al., "FlexPrefill: A Context-Aware Sparse Attention Mechanism for Efficient Long-Sequence Inference" (ICLR 2025).
 *
 * @throws TypeError `ERR_SK_TYPE`, RangeError `ERR_SK_OPTION`
 * @example
 * ```ts
 * import { attention } from 'sparse-kernels';
 * const x = { data: new Float32Array(512 * 16).map(Math.sin), dims: [1, 1, 512, 16] };
 * const { output, density } = await attention.methods.flexPrefill({ gamma: 0.95 }).prefill(x, x, x);
 * ```
 */
export function flexPrefill(flexOptions: FlexPrefillOptions = {}): PrefillMethod {
  const o = methodOptions<FlexPrefillOptions & { causal?: never }>(
    flexOptions,
    ['gamma', 'tau', 'block', 'minBlocks', 'maxBlocks'],
    ['causal'],
  );
  const block = integer(o.block ?? 128, 'block', 1, 2 ** 20);
  const gamma = number(o.gamma ?? 0.9, 'gamma', 0, 1);
  const tau = number(o.tau ?? 0.1, 'tau', 0);
  const least = integer(o.minBlocks ?? 1, 'minBlocks', 1, 2 ** 20);
  const most = integer(o.maxBlocks ?? 2 ** 31 - 1, 'maxBlocks', 1, 2 ** 31 - 1);
  return prefillMethod(o, async (q, k, s) => {
    if (s.queries <= Math.max(2, least) * block) {
      return dense({ queryLength: s.queries, keyLength: s.keys, blockSize: [block, block], causal: true });
    }
    const rows = s.batch * s.heads;
    const [queryBlocks, keyBlocks] = [Math.ceil(s.queries / block), Math.ceil(s.keys / block)];
    const { found, pooled, map } = await estimates(q, k, s, o, block);
    const sums = [found.vertical, found.slash].map((line) => blockSums(line.data, s.keys, block));
    const aware = Array.from({ length: rows }, (_, row) => {
      const [p, v] = [pooled, sums[0] as Float32Array].map((x) => x.subarray(row * keyBlocks, (row + 1) * keyBlocks));
      return distance(p as Float32Array, v as Float32Array) < tau;
    });
    const [verticals, slashes] = (await Promise.all(
      [found.vertical, found.slash].map(async (line, which) => {
        const cover = await select(line, { topP: gamma, relative: true, crossing: 'exceed', ...passedTo(o) });
        const topK = aware.map((is, row) => {
          const wanted = is ? least : Math.floor((cover.count[row] as number) / block) + 1;
          return Math.min(Math.max(wanted, least), most, keyBlocks);
        });
        // The first vertical block and the main diagonal are forced.
        return select({ data: sums[which] as Float32Array, dims: [rows, keyBlocks] }, { topK, force: { sink: 1 }, ...passedTo(o) });
      }),
    )) as [Rows, Rows];
    const flat = { data: map, dims: [rows, queryBlocks * keyBlocks] };
    const topP = aware.map((is) => (is ? gamma * queryBlocks : -1));
    const pairs = await select(flat, { topP, crossing: 'exclude', ...passedTo(o) });

    const limits = blockLimits(s, [block, block], true);
    const lists: Int32Array[] = [];
    for (let row = 0; row < rows; row++) {
      const chosen = Array.from({ length: queryBlocks }, () => new Set<number>());
      for (const id of idsOf(pairs, row)) chosen[Math.floor(id / keyBlocks)]?.add(id % keyBlocks);
      for (const [i, blocks] of chosen.entries()) {
        const limit = limits[i] as number;
        for (const j of idsOf(verticals, row)) if (j < limit) blocks.add(j);
        for (const offset of idsOf(slashes, row)) if (offset < limit) blocks.add(limit - 1 - offset);
        lists.push(Int32Array.from(blocks).sort());
      }
    }
    return listPattern(s, rowsFrom(lists), [block, block], 'q', s.heads);
  });
}

/** The last block's attention by line, what pooled keys make of it, and the pooled map. */
async function estimates(q: TensorLike, k: TensorLike, s: Shape, o: MethodOptions, block: number) {
  const found = await lines(q, k, { ...passed(o), lastQueries: block });
  const rows = Math.min(block, s.queries);
  const { scale, ...rest } = passed(o);
  const [pooledQ, pooledK] = await Promise.all([pool(q, { kind: 'mean', block, ...rest }), pool(k, { kind: 'mean', block, ...rest })]);
  const scaled = { scale: scale ?? 1 / Math.sqrt(s.dim), ...passedTo(o) };
  const last = takeTokens(
    headsOf(q, 'q', o.layout ?? 'BHSD'),
    Array.from({ length: rows }, (_, i) => s.queries - rows + i),
  );
  const lastMean = await pool({ data: last, dims: [s.batch, s.heads, rows, s.dim] }, { kind: 'mean', block: rows, ...passedTo(o) });
  return {
    found,
    pooled: (await score(lastMean.pooled, pooledK.pooled, { kind: 'softmax', ...scaled })).data,
    map: (await score(pooledQ.pooled, pooledK.pooled, { kind: 'softmax', limit: blockLimits(s, [block, block], true), ...scaled })).data,
  };
}

/** Sums of each row's blocks. */
function blockSums(x: Float32Array, columns: number, block: number): Float32Array {
  const blocks = Math.ceil(columns / block);
  const sums = new Float32Array((x.length / columns) * blocks);
  x.forEach((value, i) => {
    const at = Math.floor(i / columns) * blocks + Math.floor((i % columns) / block);
    sums[at] = (sums[at] as number) + value;
  });
  return sums;
}

/** Square root of the Jensen-Shannon divergence, natural logarithm; 0 ln 0 is 0. */
function distance(p: Float32Array, q: Float32Array): number {
  const [a, b] = [p, q].map((x) => x.reduce((sum, v) => sum + v, 0)) as [number, number];
  let sum = 0;
  for (let i = 0; i < p.length; i++) {
    const [x, y] = [(p[i] as number) / a, (q[i] as number) / b];
    const m = (x + y) / 2;
    if (x > 0) sum += (x * Math.log(x / m)) / 2;
    if (y > 0) sum += (y * Math.log(y / m)) / 2;
  }
  return Math.sqrt(Math.max(0, sum));
}
