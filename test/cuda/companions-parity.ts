import { attention, type CudaKernelInfo, nm, toDevice } from 'sparse-kernels';
import type { Check } from '../kernels/check.js';
import type { Companions } from '../kernels/companions.js';
import { poolChecksOf } from '../kernels/pool-parity.js';
import { scoreChecksOf, shapes } from '../kernels/score-parity.js';
import { fills, shapes as matrices } from '../kernels/select-parity.js';
import { firstMismatch, type Mismatch } from '../reference/compare.js';
import { groupMaskBySorting, topKMaskBySorting } from '../reference/select.js';
import { uniform } from '../support/random.js';
import { onDevice } from './companions.js';

export function poolChecks({ dtype }: CudaKernelInfo): Iterable<Check> {
  return poolChecksOf(onDevice(dtype as Companions['type']));
}

/** The cases of the CPU, and some for the tiles of 8 x 128 and 64 x 64: several of them, groups that are larger than they have rows. */
export function scoreChecks({ dtype }: CudaKernelInfo): Iterable<Check> {
  const more = [
    { batch: 1, heads: 12, kvHeads: 1, queries: 1, keys: 300, dim: 72 },
    { batch: 2, heads: 6, kvHeads: 2, queries: 2, keys: 129, dim: 8 },
    { batch: 1, heads: 70, kvHeads: 1, queries: 3, keys: 65, dim: 24 },
  ];
  return scoreChecksOf(onDevice(dtype as Companions['type']), [...shapes, ...more]);
}

/** Lists where the CPU is checked by masks: the same rows and ties, by their columns. */
export function* selectChecks(): Iterable<Check> {
  for (const [fill, values] of Object.entries(fills)) {
    for (const [rows, columns] of matrices) {
      const data = values(rows * columns, 7);
      yield { name: `top-k of ${rows} x ${columns}, ${fill}`, run: () => topK(data, rows, columns) };
      for (const pattern of ['1:4', '2:4', '3:8', '5:16', '31:32'] as const) {
        const nan = data.map((x, i) => (i % 5 === 3 ? Number.NaN : x));
        yield { name: `${pattern} of ${rows} x ${columns}, ${fill}`, run: () => groups(nan, rows, columns, pattern) };
      }
    }
  }
  const long = 40_000;
  yield { name: `top-k of 1 x ${long}`, run: () => topK(uniform(long, 3), 1, long) };
  yield { name: `top-k of 1 x ${long}, sorted`, run: () => topK(uniform(long, 5).sort(), 1, long) };
}

async function topK(data: Float32Array, rows: number, columns: number): Promise<Mismatch | null> {
  using scores = await toDevice({ data, dims: [rows, columns] }, 'cuda');
  for (const share of [0, 0.01, 0.3, 0.97, 1, 2]) {
    const k = new Int32Array(rows).map((_, row) => Math.floor(columns * share) + row);
    using there = await attention.select(scores, { topK: k });
    const { start, count, index } = await there.to('cpu');
    const mask = topKMaskBySorting(data, rows, columns, (row) => k[row] as number);
    for (let row = 0; row < rows; row++) {
      const expected = Array.from({ length: columns }, (_, i) => i).filter((i) => mask[row * columns + i]);
      const begin = start[row] as number;
      const wrong = firstMismatch(index.subarray(begin, begin + (count[row] as number)), expected, 0);
      if (wrong) return wrong;
    }
  }
  return null;
}

async function groups(data: Float32Array, rows: number, columns: number, pattern: nm.Pattern): Promise<Mismatch | null> {
  const [n, m] = pattern.split(':').map(Number) as [number, number];
  using weight = await toDevice({ data, dims: [rows, columns] }, 'cuda');
  using masked = await nm.prune(weight, { pattern });
  const kept = groupMaskBySorting(data.map(Math.abs), rows, columns, n, m);
  return firstMismatch(
    (await masked.to('cpu')).data,
    data.map((w, i) => (kept[i] ? w : 0)),
    0,
  );
}
