import { parsePattern } from '../pattern.js';
import type { TensorLike } from '../tensor.js';
import { integer, options } from '../validate.js';
import { matrix } from './matrix.js';

/** Options of {@link permutationSearch}. */
export interface PermutationOptions {
  /** The pattern to prune to afterwards. */
  readonly pattern: `${number}:${number}`;
  /** Most passes over all pairs of groups. Default 10. */
  readonly sweeps?: number;
}

/** What {@link permutationSearch} found. */
export interface Permutation {
  /** Column c of the permuted weight is column `order[c]`: for {@link permuteColumns}. */
  readonly order: Int32Array;
  /** Sum of the magnitudes that N:M pruning keeps before. */
  readonly before: number;
  /** The same after {@link permuteColumns}. */
  readonly after: number;
}

/**
 * Searches an order of the input channels in which N:M pruning keeps more magnitude: large weights that share a group compete, in different
 * groups all may stay. Exchanges the two columns of two groups that gain most, for all pairs of groups, until a sweep gains nothing.
 * Orders of the outputs of the layer before follow ({@link permuteRows}), so the network computes the same.
 *
 * Takes the calling thread: a sweep takes some seconds for [512, 512], and grows with the square of in.
 *
 * Pool and Yu, "Channel Permutations for N:M Sparsity" (NeurIPS 2021).
 *
 * @param weight - float32 [out, in], finite; left as it is
 * @throws TypeError `ERR_SK_TYPE` / `ERR_SK_DTYPE` / `ERR_SK_BUFFER`, RangeError `ERR_SK_SHAPE` / `ERR_SK_PATTERN` / `ERR_SK_OPTION`
 * @example
 * ```ts
 * import { prune } from 'sparse-kernels';
 * const weight = { data: Float32Array.of(9, 8, 7, 1, 1, 1, 1, 1), dims: [1, 8] };
 * const { order, before, after } = prune.permutationSearch(weight, { pattern: '2:4' }); // keeps 19, then 25
 * const { weight: pruned } = prune.magnitude(prune.permuteColumns(weight, order), { scope: 'nm', pattern: '2:4' });
 * ```
 */
export function permutationSearch(weight: TensorLike, permutationOptions: PermutationOptions): Permutation {
  const o = options<PermutationOptions>(permutationOptions, 'options', ['pattern', 'sweeps']);
  const { n, m } = parsePattern(o.pattern);
  const sweeps = integer(o.sweeps ?? 10, 'sweeps', 0, 2 ** 31);
  const { data, rows, columns } = matrix(weight, 'weight');
  const search = new Search(data, rows, columns, n, m);
  const before = search.kept();
  for (let sweep = 0; sweep < sweeps && search.sweep(); sweep++);
  return { order: search.order, before, after: search.kept() };
}

/** An exchange must gain more than rounding may feign. */
const LEAST_GAIN = 1e-9;

class Search {
  readonly order: Int32Array;
  readonly #rows: number;
  readonly #n: number;
  readonly #m: number;
  /** Of each channel the magnitudes over rows. */
  readonly #magnitudes: Float64Array[];
  /** Of each channel, over rows: what its group would keep without it if one place less were free, and what it must exceed to get one. */
  readonly #base: Float64Array[];
  readonly #bar: Float64Array[];
  /** What each group keeps. */
  readonly #score: Float64Array;

  constructor(data: Float32Array, rows: number, columns: number, n: number, m: number) {
    [this.#rows, this.#n, this.#m] = [rows, n, m];
    this.order = Int32Array.from({ length: columns }, (_, c) => c);
    const perRow = (of: (r: number, c: number) => number) =>
      Array.from({ length: columns }, (_, c) => Float64Array.from({ length: rows }, (_, r) => of(r, c)));
    this.#magnitudes = perRow((r, c) => Math.abs(data[r * columns + c] as number));
    this.#base = perRow(() => 0);
    this.#bar = perRow(() => 0);
    this.#score = new Float64Array(Math.ceil(columns / m));
    for (let g = 0; g < this.#score.length; g++) this.#refresh(g);
  }

  kept(): number {
    return this.#score.reduce((sum, score) => sum + score, 0);
  }

  /** Makes the best exchange of every pair of groups; false if none gained. */
  sweep(): boolean {
    let gained = false;
    for (let a = 0; a < this.#score.length; a++) {
      for (let b = a + 1; b < this.#score.length; b++) gained = this.#exchange(a, b) || gained;
    }
    return gained;
  }

  #exchange(a: number, b: number): boolean {
    const now = (this.#score[a] as number) + (this.#score[b] as number);
    let [bestGain, from, to] = [LEAST_GAIN * now, -1, -1];
    for (const i of this.#places(a)) {
      for (const j of this.#places(b)) {
        const gain = this.#keptAfter(this.order[i] as number, this.order[j] as number) - now;
        if (gain > bestGain) [bestGain, from, to] = [gain, i, j];
      }
    }
    if (from < 0) return false;
    [this.order[from], this.order[to]] = [this.order[to] as number, this.order[from] as number];
    this.#refresh(a);
    this.#refresh(b);
    return true;
  }

  /** What the groups of two channels keep together if the channels change places. */
  #keptAfter(c: number, d: number): number {
    const [wc, wd] = [this.#magnitudes[c] as Float64Array, this.#magnitudes[d] as Float64Array];
    const [baseC, baseD] = [this.#base[c] as Float64Array, this.#base[d] as Float64Array];
    const [barC, barD] = [this.#bar[c] as Float64Array, this.#bar[d] as Float64Array];
    let sum = 0;
    for (let r = 0; r < this.#rows; r++) {
      const [x, y] = [wd[r] as number, wc[r] as number];
      const [p, q] = [barC[r] as number, barD[r] as number];
      sum += (baseC[r] as number) + (x > p ? x : p) + (baseD[r] as number) + (y > q ? y : q);
    }
    return sum;
  }

  #places(group: number): number[] {
    const first = group * this.#m;
    return Array.from({ length: Math.min(this.#m, this.order.length - first) }, (_, i) => first + i);
  }

  /** Computes base, bar and score of a group anew, from its magnitudes in descending order. */
  #refresh(group: number): void {
    const n = this.#n;
    const channels = this.#places(group).map((place) => this.order[place] as number);
    const sorted = [...channels];
    let score = 0;
    for (let r = 0; r < this.#rows; r++) {
      const magnitude = (c: number | undefined) => (c === undefined ? 0 : ((this.#magnitudes[c] as Float64Array)[r] as number));
      sorted.sort((c, d) => magnitude(d) - magnitude(c));
      let [fewer, all] = [0, 0];
      for (let p = 0; p < n; p++) [fewer, all] = [all, all + magnitude(sorted[p])];
      score += all;
      sorted.forEach((c, p) => {
        (this.#base[c] as Float64Array)[r] = p < n - 1 ? all - magnitude(c) : fewer;
        (this.#bar[c] as Float64Array)[r] = magnitude(sorted[p < n ? n : n - 1]);
      });
    }
    this.#score[group] = score;
  }
}
