/**
 * Oracles of the prune domain: each rule written down as its paper states it, one weight at a time, in float64. Shares nothing with the
 * library. Matrices are arrays of rows.
 */
export type Rows = number[][];

export function toRows(data: ArrayLike<number>, columns: number): Rows {
  return Array.from({ length: data.length / columns }, (_, r) =>
    Array.from({ length: columns }, (_, c) => data[r * columns + c] as number),
  );
}

const at = (m: Rows, r: number, c: number) => (m[r] as number[])[c] as number;
const zeros = (rows: number, columns: number): Rows => Array.from({ length: rows }, () => new Array<number>(columns).fill(0));

/** The `keep` best of a list of places: by score downwards, then by index upwards. NaN comes last. */
export function best(scores: readonly number[], keep: number): number[] {
  const key = (i: number) => (Number.isNaN(scores[i]) ? -Infinity : (scores[i] as number));
  return scores
    .map((_, i) => i)
    .sort((a, b) => (key(a) === key(b) ? a - b : key(b) - key(a)))
    .slice(0, keep);
}

const kept = (count: number, sparsity: number) => count - Math.floor(count * sparsity);

export function globalMask(scores: Rows, sparsity: number): Rows {
  const columns = scores[0]?.length ?? 0;
  const flat = scores.flat();
  const chosen = new Set(best(flat, kept(flat.length, sparsity)));
  return toRows(
    flat.map((_, i) => (chosen.has(i) ? 1 : 0)),
    columns,
  );
}

export function rowMask(scores: Rows, sparsity: number): Rows {
  return scores.map((row) => {
    const chosen = best(row, kept(row.length, sparsity));
    return row.map((_, i) => (chosen.includes(i) ? 1 : 0));
  });
}

/** Sums over blocks of `height` x `width`, in float32 as the library keeps keys. */
function blockSums(scores: Rows, height: number, width: number): Rows {
  const sums = zeros(Math.ceil(scores.length / height), Math.ceil((scores[0]?.length ?? 0) / width));
  scores.forEach((row, r) => {
    row.forEach((score, c) => {
      (sums[Math.floor(r / height)] as number[])[Math.floor(c / width)] = at(sums, Math.floor(r / height), Math.floor(c / width)) + score;
    });
  });
  return sums.map((row) => row.map(Math.fround));
}

export function blockMask(scores: Rows, [height, width]: readonly [number, number], sparsity: number, scope: 'global' | 'row'): Rows {
  const blocks = (scope === 'global' ? globalMask : rowMask)(blockSums(scores, height, width), sparsity);
  return scores.map((row, r) => row.map((_, c) => at(blocks, Math.floor(r / height), Math.floor(c / width))));
}

/** N of every M inputs, chosen together by `height` rows. */
export function nmMask(scores: Rows, n: number, m: number, height = 1): Rows {
  const sums = blockSums(scores, height, 1);
  const mask = zeros(scores.length, scores[0]?.length ?? 0);
  scores.forEach((row, r) => {
    for (let first = 0; first < row.length; first += m) {
      const group = (sums[Math.floor(r / height)] as number[]).slice(first, first + m);
      for (const i of best(group, n)) (mask[r] as number[])[first + i] = 1;
    }
  });
  return mask;
}

export function venomMask(scores: Rows, n: number, m: number, height: number): Rows {
  const columns = nmMask(scores, 4, m, height);
  const mask = zeros(scores.length, scores[0]?.length ?? 0);
  scores.forEach((row, r) => {
    for (let first = 0; first < row.length; first += m) {
      const places = row.map((_, c) => c).filter((c) => c >= first && c < first + m && at(columns, r, c) === 1);
      const group = places.map((c) => row[c] as number);
      for (const i of best(group, n)) (mask[r] as number[])[places[i] as number] = 1;
    }
  });
  return mask;
}

/** The largest sum over all 2^16 masks of a 4 x 4 tile that have N ones in each row and column. */
export function bestTransposableSum(tile: readonly number[], n: number): number {
  let largest = -Infinity;
  for (let bits = 0; bits < 2 ** 16; bits++) {
    const one = (i: number) => (bits >> i) & 1;
    const balanced = [0, 1, 2, 3].every(
      (k) => one(4 * k) + one(4 * k + 1) + one(4 * k + 2) + one(4 * k + 3) === n && one(k) + one(k + 4) + one(k + 8) + one(k + 12) === n,
    );
    if (balanced)
      largest = Math.max(
        largest,
        tile.reduce((sum, value, i) => sum + one(i) * value, 0),
      );
  }
  return largest;
}

/** Inverse by Gauss-Jordan elimination with pivoting. */
export function inverse(matrix: Rows): Rows {
  const n = matrix.length;
  const work = matrix.map((row, i) => [...row, ...Array.from({ length: n }, (_, j) => (i === j ? 1 : 0))]);
  for (let i = 0; i < n; i++) {
    let pivot = i;
    for (let r = i; r < n; r++) if (Math.abs(at(work, r, i)) > Math.abs(at(work, pivot, i))) pivot = r;
    [work[i], work[pivot]] = [work[pivot] as number[], work[i] as number[]];
    const scale = at(work, i, i);
    work[i] = (work[i] as number[]).map((value) => value / scale);
    for (let r = 0; r < n; r++) {
      if (r === i) continue;
      const factor = at(work, r, i);
      work[r] = (work[r] as number[]).map((value, c) => value - factor * at(work, i, c));
    }
  }
  return work.map((row) => row.slice(n));
}

/** XᵀX. */
export function gram(x: Rows): Rows {
  const n = x[0]?.length ?? 0;
  return Array.from({ length: n }, (_, i) =>
    Array.from({ length: n }, (_, j) => x.reduce((sum, row) => sum + (row[i] as number) * (row[j] as number), 0)),
  );
}

/**
 * SparseGPT by its definition: at each column the inverse Hessian of the columns that are left, computed anew. `choose` gives the mask of
 * a group of columns from the scores at the moment when the sweep reaches it.
 */
export function sparseGpt(weight: Rows, x: Rows, damp: number, unit: number, choose: (scores: Rows) => Rows): { weight: Rows; mask: Rows } {
  const h = gram(x);
  const w = weight.map((row) => [...row]);
  const n = h.length;
  for (let j = 0; j < n; j++) {
    if (at(h, j, j) !== 0) continue;
    (h[j] as number[])[j] = 1;
    for (const row of w) row[j] = 0;
  }
  const mean = h.reduce((sum, row, j) => sum + (row[j] as number), 0) / n;
  h.forEach((row, j) => {
    row[j] = (row[j] as number) + damp * mean;
  });
  const mask = zeros(w.length, n);
  const left = Array.from({ length: n }, (_, j) => inverse(h.slice(j).map((row) => row.slice(j))));
  for (let first = 0; first < n; first += unit) {
    const end = Math.min(first + unit, n);
    const scores = w.map((row) => row.slice(first, end).map((value, k) => Math.fround(value ** 2 / at(left[first + k] as Rows, 0, 0))));
    choose(scores).forEach((row, r) => {
      row.forEach((one, k) => {
        (mask[r] as number[])[first + k] = one;
      });
    });
    for (let j = first; j < end; j++) {
      const inv = left[j] as Rows;
      w.forEach((row, r) => {
        if (at(mask, r, j) === 1) return;
        const error = (row[j] as number) / at(inv, 0, 0);
        for (let k = j; k < n; k++) row[k] = (row[k] as number) - error * at(inv, 0, k - j);
        row[j] = 0;
      });
    }
  }
  return { weight: w, mask };
}

/** DSnoT for one row: each cycle looks through all weights anew. `group` is undefined for unstructured rows. */
export function dsnotRow(
  row: readonly number[],
  start: readonly number[],
  scores: readonly number[],
  mean: readonly number[],
  variance: readonly number[],
  settings: { cycles: number; threshold: number; group?: number | undefined },
): number[] {
  const mask = [...start];
  const effect = row.map((value, j) => value * (mean[j] as number));
  const used = new Set<number>();
  const expected = () => effect.reduce((sum, value, j) => sum + (mask[j] === 0 ? value : 0), 0);
  const first = Math.sign(expected());
  for (let cycle = 0; cycle < settings.cycles; cycle++) {
    const error = expected();
    if (Math.abs(error) <= settings.threshold) break;
    const sign = Math.sign(error);
    const pruned = row.map((_, j) => j).filter((j) => start[j] === 0 && !used.has(j));
    if (pruned.length === 0) break;
    const grows = pruned.reduce((a, b) => {
      const [ga, gb] = [a, b].map((j) => ((effect[j] as number) / (variance[j] as number)) * sign) as [number, number];
      return gb > ga || (gb === ga && sign > 0) ? b : a;
    });
    if (Math.sign(effect[grows] as number) !== sign) break;
    used.add(grows);
    const candidates = row
      .map((_, j) => j)
      .filter((j) => start[j] === 1 && !used.has(j))
      .filter((j) =>
        settings.group === undefined
          ? Math.sign(effect[j] as number) === -sign
          : Math.floor(j / settings.group) === Math.floor(grows / settings.group),
      );
    if (candidates.length === 0) {
      if (settings.group === undefined) break;
      continue;
    }
    const gone = candidates.reduce((a, b) => ((scores[b] as number) < (scores[a] as number) ? b : a));
    const after = error + (effect[gone] as number) - (effect[grows] as number);
    if (Math.sign(after) !== first) break;
    used.add(gone);
    mask[grows] = 1;
    mask[gone] = 0;
  }
  return mask;
}

/** The scale of Erdős–Rényi densities by bisection: the sum of min(1, scale raw) size grows with the scale. */
export function erdosRenyi(layers: readonly (readonly number[])[], sparsity: number, kernel: boolean): number[] {
  const product = (dims: readonly number[]) => dims.reduce((a, b) => a * b, 1);
  const raw = layers.map((dims) => (kernel ? dims : dims.slice(0, 2))).map((dims) => dims.reduce((a, b) => a + b, 0) / product(dims));
  const density = (scale: number) => raw.map((value) => Math.min(1, scale * value));
  const budget = (1 - sparsity) * layers.reduce((sum, dims) => sum + product(dims), 0);
  let [low, high] = [0, 1e12];
  for (let i = 0; i < 400; i++) {
    const middle = (low + high) / 2;
    const total = density(middle).reduce((sum, value, layer) => sum + value * product(layers[layer] as number[]), 0);
    if (total < budget) low = middle;
    else high = middle;
  }
  return density(high).map((value) => 1 - value);
}
