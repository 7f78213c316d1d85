import { type Isa, kernels } from '../../device.js';
import { rangeError, typeError } from '../../errors.js';
import type { TensorLike } from '../../tensor.js';
import { describe, integer } from '../../validate.js';
import type { Shape } from '../heads.js';
import { lines } from '../lines.js';
import { idsOf } from '../lists.js';
import { band, expand, verticalSlash } from '../patterns.js';
import { pool } from '../pool.js';
import { score } from '../score.js';
import { select } from '../select.js';
import type { Pattern, Rows } from '../types.js';
import { joined, listPattern, type PrefillMethod, prefillMethod, sliceRows } from './common.js';
import { blockLimits, type MethodOptions, methodOptions, passed, passedTo } from './shape.js';

/** Which pattern a head has: its name, two sizes, and the score of the search, which is not used. */
export type MInferenceHead = readonly [type: 'vertical_and_slash' | 'block_sparse' | 'stream_llm', v: number, s: number, score?: number];

/** Options of {@link minference}. Attention is causal. */
export interface MInferenceOptions extends Omit<MethodOptions, 'causal'> {
  /**
   * The heads of one layer, by number, as the layers of MInference's JSON files have them. `vertical_and_slash`: v vertical and s slash
   * lines; `block_sparse`: the 100 best blocks of each 64 queries; `stream_llm`: v initial and s local tokens. A head that is missing has
   * 1000 vertical and 6096 slash lines.
   */
  readonly heads?: Readonly<Record<string, MInferenceHead>>;
  /** How many of the last queries the lines are estimated from; default 64. */
  readonly lastQueries?: number;
  /** The first so many verticals are always kept; default 30. */
  readonly forcedVerticals?: number;
  /** The first so many slashes, the nearest diagonals, are always kept; default 100. */
  readonly forcedSlashes?: number;
  /** Blocks of each 64 queries of a `block_sparse` head; default 100. */
  readonly blocks?: number;
  /**
   * Queries and keys of the tiles that cover the lines, divisors of 64. The authors' kernels take [64, 64]: more is attended to beside each
   * line, at more cost. Default: as many queries as the kernel computes at a time, [16, 16], on AVX-512 [32, 16].
   */
  readonly tile?: readonly [queries: number, keys: number];
}

const blockSize = [64, 64] as const;
const missing: MInferenceHead = ['vertical_and_slash', 1000, 6096];

/**
 * MInference: each head has one pattern, found offline; where its lines and blocks lie is estimated for each prompt.
 *
 * Jiang et al., "MInference 1.0: Accelerating Pre-filling for Long-Context LLMs via Dynamic Sparse Attention" (NeurIPS 2024).
 *
 * @throws TypeError `ERR_SK_TYPE`, RangeError `ERR_SK_OPTION`
 * @example
 * ```ts
 * import { attention } from 'sparse-kernels';
 * const layers = JSON.parse('[{ "0": ["vertical_and_slash", 30, 100, 1.0], "1": ["block_sparse", 100, 0, 1.0] }]');
 * const x = { data: new Float32Array(2 * 256 * 16), dims: [1, 2, 256, 16] };
 * const { output } = await attention.methods.minference({ heads: layers[0] }).prefill(x, x, x);
 * ```
 */
export function minference(minferenceOptions: MInferenceOptions = {}): PrefillMethod {
  const known = ['heads', 'lastQueries', 'forcedVerticals', 'forcedSlashes', 'blocks', 'tile'] as const;
  const o = methodOptions<MInferenceOptions & { causal?: never }>(minferenceOptions, known, ['causal']);
  for (const key of ['lastQueries', 'blocks'] as const) if (o[key] !== undefined) integer(o[key], key, 1, 2 ** 20);
  for (const key of ['forcedVerticals', 'forcedSlashes'] as const) if (o[key] !== undefined) integer(o[key], key, 0, 2 ** 31 - 1);
  const tile = tileOf(o.tile ?? [panelOf(o.isa), 16]);
  return prefillMethod(o, async (q, k, s) => {
    const table = Array.from({ length: s.heads }, (_, head) => headOf(o.heads, head));
    const any = (type: MInferenceHead[0]) => table.some(([t]) => t === type);
    const found = any('vertical_and_slash') ? await findLines(q, k, s, o, table) : undefined;
    const best = any('block_sparse') ? await findBlocks(q, k, s, o) : undefined;
    const blocks = Math.ceil(s.queries / 64);
    const patterns = Array.from({ length: s.batch * s.heads }, (_, row): Pattern => {
      const [type, v, sizes] = table[row % s.heads] as MInferenceHead;
      const size = { queryLength: s.queries, keyLength: s.keys };
      if (type === 'vertical_and_slash') {
        const [verticals, slashes] = [idsOf(found?.vertical as Rows, row), idsOf(found?.slash as Rows, row)];
        return verticalSlash({ ...size, blockSize: tile, verticals, slashes });
      }
      const coarse =
        type === 'stream_llm'
          ? band({ ...size, before: Math.max(0, sizes - 1), sink: v })
          : listPattern({ ...s, batch: 1 }, sliceRows(best as Rows, row * blocks, blocks), blockSize, 'shared', 1);
      return found ? expand(coarse, tile) : coarse; // one plan has tiles of one size
    });
    return joined(patterns, s);
  });
}

/** Rows of queries that a kernel computes at a time: two vectors of them. Tiles of fewer would leave lanes empty. */
function panelOf(isa: Isa | undefined): number {
  const kernel = kernels().find(
    (row) => row.verb === 'attend' && row.supported && (isa === undefined || isa === row.isa || isa === `${row.isa}vnni`),
  );
  return Math.max(16, 2 * (kernel?.lanes ?? 0));
}

function tileOf(tile: unknown): readonly [number, number] {
  if (!Array.isArray(tile) || tile.length !== 2) {
    throw typeError('ERR_SK_TYPE', `expected tile to be [queries, keys] but received ${describe(tile)}`);
  }
  const wrong = tile.find((size, i) => 64 % integer(size, `tile[${i}]`, 1, 64) !== 0);
  if (wrong === undefined) return tile as unknown as readonly [number, number];
  throw rangeError('ERR_SK_OPTION', `expected tile to be of divisors of 64 but received ${describe(tile)}`);
}

function headOf(heads: MInferenceOptions['heads'], head: number): MInferenceHead {
  if (heads === undefined) return missing;
  if (typeof heads !== 'object' || heads === null) {
    throw typeError('ERR_SK_TYPE', `expected heads to be an object of one layer's heads but received ${describe(heads)}`);
  }
  const given = heads[String(head)];
  if (given === undefined) return missing;
  const types = ['vertical_and_slash', 'block_sparse', 'stream_llm'];
  if (!Array.isArray(given) || !types.includes(given[0])) {
    throw rangeError('ERR_SK_OPTION', `expected heads['${head}'] to be [${types.join(' | ')}, v, s] but received ${describe(given)}`);
  }
  integer(given[1], `heads['${head}'][1]`, 0, 2 ** 31 - 1);
  integer(given[2], `heads['${head}'][2]`, 0, 2 ** 31 - 1);
  return given as unknown as MInferenceHead;
}

async function findLines(q: TensorLike, k: TensorLike, s: Shape, o: MInferenceOptions, table: readonly MInferenceHead[]) {
  const { vertical, slash } = await lines(q, k, { ...passed(o), lastQueries: o.lastQueries ?? 64 });
  const sizes = (which: 1 | 2, least: number) =>
    Array.from({ length: s.batch * s.heads }, (_, row) => Math.min(s.keys, Math.max(least, table[row % s.heads]?.[which] as number)));
  const [sink, near] = [o.forcedVerticals ?? 30, o.forcedSlashes ?? 100];
  return {
    vertical: await select(vertical, { topK: sizes(1, sink), force: { sink }, ...passedTo(o) }),
    slash: await select(slash, { topK: sizes(2, 50), force: { sink: near }, ...passedTo(o) }),
  };
}

async function findBlocks(q: TensorLike, k: TensorLike, s: Shape, o: MInferenceOptions): Promise<Rows> {
  const { scale: _, ...rest } = passed(o);
  const [pooledQ, pooledK] = await Promise.all([
    pool(q, { kind: 'mean', block: 64, ...rest }),
    pool(k, { kind: 'mean', block: 64, ...rest }),
  ]);
  const limit = blockLimits(s, blockSize, true);
  const scores = await score(pooledQ.pooled, pooledK.pooled, { scale: 1, limit, ...passedTo(o) });
  return select(scores, { topK: o.blocks ?? 100, limit, ...passedTo(o) });
}
