import { attention, type Isa, type KernelInfo } from 'sparse-kernels';
import { groupMask, maskGroups, maskTopK, topKMask } from '../../lib/select.js';
import { firstMismatch, type Mismatch } from '../reference/compare.js';
import { groupMaskBySorting, topKMaskBySorting } from '../reference/select.js';
import { generator, misaligned, smallIntegers, uniform } from '../support/random.js';
import type { Check } from './check.js';

/** [rows, columns]: whole and ragged groups, fewer than one chunk of any vector, several chunks and a rest. */
export const shapes = [
  [0, 8],
  [1, 1],
  [3, 7],
  [2, 37],
  [5, 64],
  [3, 515],
  [1, 1024],
  [2, 2081],
] as const;

const sizes = [2, 4, 8, 16, 32];

/** Few values, so that there are ties; both zeros; infinities. */
function tricky(length: number, seed: number): Float32Array {
  const next = generator(seed);
  const values = [0, -0, 1, -1, 1, 2, -2, 0.5, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1e-45, -3];
  return Float32Array.from({ length }, () => values[Math.floor(next() * values.length)] as number);
}

const withNaN = (data: Float32Array) => data.map((x, i) => (i % 5 === 3 ? Number.NaN : x));

export const fills = { 'small integers': smallIntegers, uniform, 'ties, zeros, infinities': tricky };

export function* selectChecks({ isa }: KernelInfo): Iterable<Check> {
  for (const [fill, values] of Object.entries(fills)) {
    for (const [rows, columns] of shapes) {
      const data = misaligned(values(rows * columns, 7));
      for (const m of sizes) {
        yield { name: `N:${m} of ${rows} x ${columns}, ${fill}`, run: () => groups(withNaN(data), rows, columns, m) };
      }
      yield { name: `top-k of ${rows} x ${columns}, ${fill}`, run: () => topK(data, rows, columns) };
      yield { name: `lists of ${rows} x ${columns}, ${fill}`, run: () => lists(data, rows, columns) };
    }
  }
  const long = 40_000; // long enough for the cut to be guessed from a sample
  // Rows whose cut is looked for where that of the row before lay: it must not matter that this one is another.
  const rows = 40;
  for (const columns of [47, 48, 300, 1000]) {
    const scales = uniform(rows * columns, 6).map((x, i) => {
      const row = Math.floor(i / columns);
      return row % 5 === 4 ? 1 : x * 10 ** ((row % 7) - 3) + (row % 3) * 1e4;
    });
    yield { name: `top-k of ${rows} x ${columns}, rows of their own`, run: () => topK(scales, rows, columns) };
  }
  yield { name: `top-k of 1 x ${long}`, run: () => topK(uniform(long, 3), 1, long) };
  yield { name: `top-k of 1 x ${long}, ties`, run: () => topK(tricky(long, 4), 1, long) };
  yield { name: `top-k of 1 x ${long}, sorted`, run: () => topK(uniform(long, 5).sort(), 1, long) };

  function groups(data: Float32Array, rows: number, columns: number, m: number): Mismatch | null {
    for (const n of new Set([1, m / 2, m - 1])) {
      for (const magnitude of [false, true]) {
        const scores = { data, rows, columns };
        const expected = groupMaskBySorting(magnitude ? data.map(Math.abs) : data, rows, columns, n, m);
        const weight = misaligned(uniform(data.length, 9));
        const wrong =
          firstMismatch(groupMask(scores, { n, m, magnitude, isa }), expected, 0) ??
          firstMismatch(
            maskGroups(weight, scores, { n, m, magnitude, isa }),
            weight.map((w, i) => (expected[i] ? w : 0)),
            0,
          );
        if (wrong) return wrong;
      }
    }
    return null;
  }

  function topK(data: Float32Array, rows: number, columns: number): Mismatch | null {
    for (const share of [0, 0.01, 0.3, 0.5, 0.97, 1, 2]) {
      const k = new Int32Array(rows).map((_, row) => Math.floor(columns * share) + row);
      for (const magnitude of [false, true]) {
        const scores = { data, rows, columns };
        const expected = topKMaskBySorting(magnitude ? data.map(Math.abs) : data, rows, columns, (row) => k[row] as number);
        const weight = misaligned(uniform(data.length, 9));
        const wrong =
          firstMismatch(topKMask(scores, { k, magnitude, isa }), expected, 0) ??
          firstMismatch(
            maskTopK(weight, scores, { k, magnitude, isa }),
            weight.map((w, i) => (expected[i] ? w : 0)),
            0,
          );
        if (wrong) return wrong;
      }
    }
    return null;
  }

  /** Shorter than a vector, as long as the lists that are gathered beside, and longer. */
  function lists(data: Float32Array, rows: number, columns: number): Mismatch | null {
    for (const k of [0, 1, 5, 31, 32, 33, 70]) {
      const { start, count, index } = attention.selectSync({ data, dims: [rows, columns] }, { topK: k, isa: isa as Isa });
      const listed = new Uint8Array(data.length);
      for (let row = 0; row < rows; row++) {
        const begin = start[row] as number;
        const ids = [...index.subarray(begin, begin + (count[row] as number))];
        ids.forEach((id, i) => {
          listed[row * columns + id] = i === 0 || id > (ids[i - 1] as number) ? 1 : 2; // 2: not ascending
        });
      }
      const wrong = firstMismatch(
        listed,
        topKMaskBySorting(data, rows, columns, () => k),
        0,
      );
      if (wrong) return wrong;
    }
    return null;
  }
}
