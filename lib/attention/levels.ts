import { rangeError } from '../errors.js';
import { type TensorLike, tensor } from '../tensor.js';
import { describe, options } from '../validate.js';
import { idsOf, RowsBuilder } from './lists.js';
import { type SelectOptions, select } from './select.js';
import type { Rows } from './types.js';

/** Options of {@link selectLevels}: either `quotas` or `energies`. */
export interface LevelOptions extends Pick<SelectOptions, 'limit' | 'force' | 'isa' | 'threads'> {
  /** Shares of a row's columns, ascending: the best quotas[0] get level 0, those up to quotas[1] level 1 and so on; counts are rounded up. */
  readonly quotas?: readonly number[];
  /** Shares of a row's sum, ascending: level i ends with the column that exceeds energies[i]. */
  readonly energies?: readonly number[];
  /** For `energies`: level 0 has at least so many columns; default 1. */
  readonly minCount?: number;
}

/**
 * Ranks the columns of every row and cuts the ranking into levels: one set of lists for each, disjoint. What lies behind the last level is
 * in none. Forced columns have level 0.
 *
 * Li et al., "PSA: Pyramid Sparse Attention for Efficient Video Understanding and Generation" (2025), whose key blocks of lower levels are
 * attended to in coarser means.
 *
 * @param scores - float32 [..., rows, columns]
 * @throws (rejects) as {@link select}
 * @example
 * ```ts
 * import { attention } from 'sparse-kernels';
 * const scores = { data: Float32Array.of(4, 1, 3, 2), dims: [1, 4] };
 * const [fine, coarse] = await attention.selectLevels(scores, { quotas: [0.25, 0.75] });
 * fine?.index; // Int32Array [0]
 * coarse?.index; // Int32Array [2, 3]
 * ```
 */
export async function selectLevels(scores: TensorLike, levelOptions: LevelOptions): Promise<Rows[]> {
  const known = ['quotas', 'energies', 'minCount', 'limit', 'force', 'isa', 'threads'] as const;
  const { quotas, energies, minCount, ...rest } = options<LevelOptions>(levelOptions, 'options', known);
  const shares = quotas ?? energies;
  if (quotas !== undefined && minCount !== undefined) throw rangeError('ERR_SK_OPTION', 'expected minCount for energies only');
  if ((quotas === undefined) === (energies === undefined) || !Array.isArray(shares) || !ascending(shares)) {
    throw rangeError('ERR_SK_OPTION', `expected quotas or energies, shares that ascend from 0 to 1, but received ${describe(shares)}`);
  }
  const columns = tensor(scores, 'scores', ['float32']).dims.at(-1) ?? 0;
  const prefixes: Rows[] = [];
  for (const share of shares) {
    const rule = quotas
      ? { topK: Math.ceil(share * columns - 1e-9) }
      : { topP: share + 1e-6, relative: true, crossing: 'exceed' as const, ...(minCount !== undefined && { minCount }) };
    prefixes.push(await select(scores, { ...rest, ...rule }));
  }
  return prefixes.map((prefix, level) => (level === 0 ? prefix : without(prefix, prefixes[level - 1] as Rows)));
}

const ascending = (shares: readonly number[]) =>
  shares.every((share, i) => typeof share === 'number' && share >= (shares[i - 1] ?? 0) && share <= 1);

/** Prefixes of one ranking are nested. */
function without(rows: Rows, less: Rows): Rows {
  const builder = new RowsBuilder();
  for (let r = 0; r < rows.count.length; r++) {
    builder.row();
    const taken = new Set(idsOf(less, r));
    for (const id of idsOf(rows, r)) if (!taken.has(id)) builder.push(id);
  }
  return builder.done();
}
