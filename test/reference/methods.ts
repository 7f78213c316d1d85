/** Direct transcriptions of how methods choose keys, in float64 from full maps. Heads of one batch entry; q and k [heads, tokens, dim]. */
import { type ScoreShape, scoreMap, softmax, tiles } from './score.js';
import { ranking } from './select.js';

export interface Input extends ScoreShape {
  q: ArrayLike<number>;
  k: ArrayLike<number>;
}

export const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);
export const top = (values: readonly number[], n: number) => ranking((i) => values[i] as number, values.length).slice(0, n);

/** Indices in descending order, each with the sum up to it. */
export function cumulative(values: readonly number[]): [index: number, total: number][] {
  let total = 0;
  return ranking((i) => values[i] as number, values.length).map((i) => {
    total += values[i] as number;
    return [i, total];
  });
}

/** Mean of each `block` tokens of head h. */
export function means(x: ArrayLike<number>, h: number, tokens: number, dim: number, block: number): number[][] {
  return Array.from({ length: Math.ceil(tokens / block) }, (_, b) => {
    const count = Math.min(block, tokens - b * block);
    return Array.from({ length: dim }, (_, c) =>
      sum(Array.from({ length: count }, (_, t) => (x[(h * tokens + b * block + t) * dim + c] as number) / count)),
    );
  });
}

export const dot = (a: readonly number[], b: readonly number[]) => sum(a.map((x, i) => x * (b[i] as number)));
export const kvHead = (s: ScoreShape, h: number) => Math.floor(h / (s.heads / s.kvHeads));

/** Attention of the last `rows` queries, summed over columns and diagonals. */
export function lineSums(input: Input, h: number, rows: number, scale: number): { vertical: number[]; slash: number[] } {
  const { queries, keys } = input;
  const map = scoreMap(input.q, input.k, input, 0, h, scale, (i) => i + 1 + keys - queries).map(softmax);
  const vertical = new Array<number>(keys).fill(0);
  const slash = new Array<number>(keys).fill(0);
  for (let i = queries - rows; i < queries; i++) {
    for (let j = 0; j <= i + keys - queries; j++) {
      const a = map[i]?.[j] as number;
      vertical[j] = (vertical[j] as number) + a;
      slash[i + keys - queries - j] = (slash[i + keys - queries - j] as number) + a;
    }
  }
  return { vertical, slash };
}

/** MInference: the lines of one head. */
export function minferenceLines(input: Input, h: number, v: number, s: number): { verticals: number[]; slashes: number[] } {
  const { vertical, slash } = lineSums(input, h, Math.min(64, input.queries), 1 / Math.sqrt(input.dim));
  const forced = (line: number[], n: number) => line.map((x, i) => (i < n ? Number.POSITIVE_INFINITY : x));
  return { verticals: top(forced(vertical, 30), Math.max(v, 30)), slashes: top(forced(slash, 100), Math.max(s, 50)) };
}

/**
 * MInference's index of tiles and columns: which keys each block of bq queries lists. Slashes from far to near; a tile of bk keys begins at the
 * first key of a slash that no tile holds yet.
 */
export function minferenceKeys(input: Input, lines: ReturnType<typeof minferenceLines>, bq: number, bk: number): boolean[][] {
  const { queries, keys } = input;
  return Array.from({ length: Math.ceil(queries / bq) }, (_, block) => {
    const first = block * bq + keys - queries;
    const last = Math.min((block + 1) * bq, queries) - 1 + keys - queries;
    const listed = new Array<boolean>(keys).fill(false);
    for (const slash of [...lines.slashes].sort((a, b) => b - a)) {
      for (let key = Math.max(0, first - slash); key <= last - slash; key++) if (!listed[key]) listed.fill(true, key, key + bk);
    }
    for (const key of lines.verticals) if (key <= last) listed[key] = true;
    return listed;
  });
}

/** Blocks of queries and keys: [query block][key block], true where chosen. */
export type BlockMap = boolean[][];

/** MInference's block-sparse heads: the n best blocks by unscaled products of means, block-causal. */
export function meanBlocks(input: Input, h: number, block: number, n: number): BlockMap {
  const q = means(input.q, h, input.queries, input.dim, block);
  const k = means(input.k, kvHead(input, h), input.keys, input.dim, block);
  return q.map((a, i) => {
    const limit = Math.floor((Math.min((i + 1) * block, input.queries) - 1 + input.keys - input.queries) / block) + 1;
    const chosen = new Set(
      top(
        k.slice(0, limit).map((b) => dot(a, b)),
        n,
      ),
    );
    return k.map((_, j) => chosen.has(j));
  });
}

/** XAttention, causal: forced blocks first, then blocks whose preceding sum is below the threshold. */
export function xattentionBlocks(input: Input, h: number, stride: number, block: number, threshold: number): BlockMap {
  const { queries, keys, dim } = input;
  const map = scoreMap(input.q, input.k, input, 0, h, 1 / (Math.sqrt(dim) * stride), () => keys);
  const [rows, columns] = [Math.ceil(queries / stride), Math.ceil(keys / stride)];
  const reduced = Array.from({ length: rows }, (_, m) =>
    softmax(
      Array.from({ length: columns }, (_, n) => {
        if (n > m + columns - rows) return Number.NEGATIVE_INFINITY;
        return sum(Array.from({ length: stride }, (_, i) => map[m * stride + stride - 1 - i]?.[n * stride + i] ?? 0));
      }),
    ),
  );
  const scores = tiles(reduced, [block / stride, block / stride], sum);
  return scores.map((row, i) => {
    const diagonal = Math.floor((Math.min((i + 1) * block, queries) - 1 + keys - queries) / block);
    const chosen = new Set([0, diagonal]);
    let mass = sum([...chosen].map((j) => row[j] as number));
    for (const j of ranking((n) => row[n] as number, row.length)) {
      if (chosen.has(j) || j > diagonal) continue;
      if (!(mass < threshold * sum(row))) break;
      chosen.add(j);
      mass += row[j] as number;
    }
    return row.map((_, j) => chosen.has(j));
  });
}

/** FlexPrefill. */
export function flexPrefillBlocks(input: Input, h: number, block: number, gamma: number, tau: number): BlockMap {
  const { queries, keys, dim } = input;
  const rows = Math.min(block, queries);
  const lines = lineSums(input, h, rows, 1 / Math.sqrt(dim));
  const [vertical, slash] = [lines.vertical, lines.slash].map((line) => line.map((x) => x / rows)) as [number[], number[]];
  const sums = (line: number[]) => tiles([line], [1, block], sum)[0] as number[];
  const q = means(input.q, h, queries, dim, block);
  const k = means(input.k, kvHead(input, h), keys, dim, block);
  const last = Array.from({ length: dim }, (_, c) =>
    sum(Array.from({ length: rows }, (_, t) => (input.q[(h * queries + queries - rows + t) * dim + c] as number) / rows)),
  );
  const estimate = softmax(k.map((b) => dot(last, b) / Math.sqrt(dim)));
  const actual = sums(vertical);
  const kl = (p: number[], m: number[]) => sum(p.map((x, i) => (x > 0 ? x * Math.log(x / (m[i] as number)) : 0)));
  const middle = estimate.map((x, i) => (x + (actual[i] as number)) / 2);
  const aware = Math.sqrt((kl(estimate, middle) + kl(actual, middle)) / 2) < tau;
  const cover = (line: number[]) => {
    const count = cumulative(line).filter(([, total]) => total <= gamma * sum(line)).length;
    return Math.floor((count + 1) / block) + 1;
  };
  const chosenOf = (line: number[]) => {
    const blocks = sums(line).map((x, i) => (i === 0 ? Number.POSITIVE_INFINITY : x));
    return top(blocks, Math.min(aware ? 1 : cover(line), k.length));
  };
  const [verticals, slashes] = [chosenOf(vertical), chosenOf(slash)];
  const diagonalOf = (i: number) => Math.floor((Math.min((i + 1) * block, queries) - 1 + keys - queries) / block);
  const map = q.map((a, i) => softmax(k.map((b, j) => (j <= diagonalOf(i) ? dot(a, b) / Math.sqrt(dim) : Number.NEGATIVE_INFINITY))));
  const flat = map.flat();
  const fitting = aware ? cumulative(flat).filter(([, total]) => total <= gamma * q.length) : [];
  const pairs = new Set(fitting.map(([i]) => i));
  return map.map((row, i) =>
    row.map(
      (_, j) => j <= diagonalOf(i) && (verticals.includes(j) || slashes.includes(diagonalOf(i) - j) || pairs.has(i * row.length + j)),
    ),
  );
}

/** Row `row` of x. */
export const vector = (x: ArrayLike<number>, row: number, dim: number) => Array.from({ length: dim }, (_, c) => x[row * dim + c] as number);

/** How many windows of `length` tokens, one every `stride`, have ended at a position. */
const windowsSeen = (position: number, length: number, stride: number, windows: number) =>
  Math.min(windows, Math.max(0, Math.floor((position - length + 1) / stride) + 1));

/** NSA and InfLLM-v2: softmax of a group over the windows that a query sees, summed over its heads. keys: [kvHeads][window][dim]. */
export function windowMass(input: Input, group: number, keys: number[][], length: number, stride: number): number[][] {
  const { queries, dim, heads, kvHeads } = input;
  const size = heads / kvHeads;
  return Array.from({ length: queries }, (_, i) => {
    const seen = windowsSeen(i + input.keys - queries, length, stride, keys.length);
    const total = new Array<number>(keys.length).fill(0);
    for (let g = 0; g < size; g++) {
      const q = vector(input.q, (group * size + g) * queries + i, dim);
      const p = softmax(keys.map((key, j) => (j < seen ? dot(q, key) / Math.sqrt(dim) : Number.NEGATIVE_INFINITY)));
      for (const [j, x] of p.entries()) total[j] = (total[j] as number) + x;
    }
    return total;
  });
}

/** The blocks of one query: forced ones and the best others among those that begin at or before it. */
export function blocksOf(scores: readonly number[], position: number, block: number, n: number, initial: number, local: number): number[] {
  const limit = Math.floor(position / block) + 1;
  const ranked = scores.slice(0, limit).map((x, b) => (b < initial || b >= limit - local ? Number.POSITIVE_INFINITY : x));
  return top(ranked, Math.min(n, limit)).sort((a, b) => a - b);
}

/** A row times a matrix [rows][out], given flat. */
export const times = (row: readonly number[], matrix: ArrayLike<number>, out: number): number[] =>
  Array.from({ length: out }, (_, c) => sum(row.map((x, r) => x * (matrix[r * out + c] as number))));

/** Rotary embedding: channel i with channel i + half. */
export function rotated(row: readonly number[], position: number, base: number): number[] {
  const half = row.length / 2;
  const turned = [...row];
  for (let i = 0; i < half; i++) {
    const angle = position / base ** ((2 * i) / row.length);
    turned[i] = (row[i] as number) * Math.cos(angle) - (row[i + half] as number) * Math.sin(angle);
    turned[i + half] = (row[i] as number) * Math.sin(angle) + (row[i + half] as number) * Math.cos(angle);
  }
  return turned;
}

/** Tokens of one head as rows. */
export const rowsOf = (x: ArrayLike<number>, h: number, tokens: number, dim: number): number[][] =>
  Array.from({ length: tokens }, (_, t) => vector(x, h * tokens + t, dim));

/** The greatest, the least and the mean of each block, side by side. */
export function maxMinMean(rows: number[][], block: number): number[][] {
  return Array.from({ length: Math.ceil(rows.length / block) }, (_, b) => {
    const part = rows.slice(b * block, (b + 1) * block);
    const channel = (f: (values: number[]) => number) => (part[0] as number[]).map((_, c) => f(part.map((row) => row[c] as number)));
    return [...channel((v) => Math.max(...v)), ...channel((v) => Math.min(...v)), ...channel((v) => sum(v) / v.length)];
  });
}

/** AnchorAttention: which keys each query sees, as [query][key]. */
export function anchorPairs(input: Input, h: number, block: number, step: number, theta: number): boolean[][] {
  const { queries, keys, dim } = input;
  const scale = 1 / Math.sqrt(dim);
  const map = scoreMap(input.q, input.k, input, 0, h, scale, (i) => i + 1 + keys - queries);
  const group = block * step;
  const near = map.map((row, i) => row.map((s, j) => s > Number.NEGATIVE_INFINITY && (j < group || j >= Math.floor(i / group) * group)));
  const greatest = map.map((row, i) => Math.max(...row.filter((_, j) => near[i]?.[j])));
  const q = means(input.q, h, queries, dim, block);
  const anchors = q.map((_, b) => {
    const rows = greatest.slice(b * block, (b + 1) * block);
    return sum(rows) / rows.length;
  });
  const k = rowsOf(input.k, kvHead(input, h), keys, dim);
  return near.map((row, i) => {
    const g = Math.floor(i / group);
    const members = q.map((mean, b) => ({ mean, anchor: anchors[b] as number })).slice(g * step, (g + 1) * step);
    return row.map((seen, j) => {
      if (seen || j < group || j >= g * group) return seen;
      return members.some(({ mean, anchor }) => dot(mean, k[j] as number[]) * scale + theta >= anchor);
    });
  });
}
