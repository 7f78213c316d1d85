/** Scores of all queries at a time would be a matrix: they are made, and chosen from, for some queries after the others. */
import type { TensorLike } from '../../tensor.js';
import type { Shape } from '../heads.js';
import { headsOf, takeTokens } from '../heads.js';
import { idsOf } from '../lists.js';
import type { Rows } from '../types.js';

/** Most scores at a time, 64 MB; those of one query at least. */
export const mostScores = 2 ** 24;

/** Chooses for the queries from `first` on, in q: one list a head set and query. */
type Choose = (q: TensorLike, first: number, queries: number) => Promise<Rows>;

/**
 * Lists for every query of `sets` head sets of each batch entry.
 *
 * @param q - [batch, heads, queries, dim]
 * @param perQuery - scores that one query has, of all heads and batch entries
 */
export async function chosenInChunks(q: TensorLike, s: Shape, sets: number, perQuery: number, choose: Choose): Promise<Rows> {
  const most = Math.max(1, Math.floor(mostScores / Math.max(1, perQuery)));
  if (most >= s.queries) return choose(q, 0, s.queries);
  const heads = headsOf(q, 'q', 'BHSD');
  const parts: Rows[] = [];
  for (let first = 0; first < s.queries; first += most) {
    const n = Math.min(most, s.queries - first);
    const data = takeTokens(
      heads,
      Int32Array.from({ length: n }, (_, i) => first + i),
    );
    parts.push(await choose({ data, dims: [s.batch, s.heads, n, s.dim] }, first, n));
  }
  return joinedRows(parts, s.batch * sets, s.queries, most);
}

/** Part p has, of each set, the rows from p x most on. */
function joinedRows(parts: readonly Rows[], sets: number, rows: number, most: number): Rows {
  const count = new Int32Array(sets * rows);
  const start = new Int32Array(sets * rows);
  const index = new Int32Array(parts.reduce((sum, part) => part.count.reduce((a, b) => a + b, sum), 0));
  let end = 0;
  for (let row = 0; row < sets * rows; row++) {
    const [set, i] = [Math.floor(row / rows), row % rows];
    const p = Math.floor(i / most);
    const part = parts[p] as Rows;
    const ids = idsOf(part, set * Math.min(most, rows - p * most) + (i % most));
    start[row] = end;
    count[row] = ids.length;
    index.set(ids, end);
    end += ids.length;
  }
  return { start, count, index };
}
