import { atOnce, inTurns, type Steps, slices } from '../slices.js';
import { type Tensor, typedArray } from '../tensor.js';
import { oneOf } from '../validate.js';
import { type SparseTensor, sparseTensor } from './tensor.js';

/** What becomes of all sites of a sample. */
type Op = 'max' | 'avg' | 'sum';

/**
 * Every channel of every sample over all its sites.
 *
 * @param op - `'max'`, `'avg'` or `'sum'`; samples without sites give 0
 * @returns float32 [batch, channels]
 * @throws TypeError `ERR_SK_TYPE` / `ERR_SK_BUFFER`, RangeError `ERR_SK_SHAPE` / `ERR_SK_OPTION`
 * @example
 * ```ts
 * import { conv } from 'sparse-kernels';
 * const x = conv.tensor({ coords: Int32Array.of(0, 0, 0, 2), features: Float32Array.of(1, 2, 3, 6), spatialShape: [4] });
 * conv.globalPool(x, 'avg').data; // Float32Array [2, 4]
 * ```
 */
export function globalPool(x: SparseTensor, op: 'max' | 'avg' | 'sum'): Tensor {
  return atOnce(pooled(sparseTensor(x, 'x'), oneOf(op, 'op', ['max', 'avg', 'sum'])));
}

/**
 * {@link globalPool}, a slice at a time, so that other turns of the event loop come in between: for many sites.
 *
 * @throws (rejects) as {@link globalPool}
 * @example
 * ```ts
 * import { conv } from 'sparse-kernels';
 * const x = conv.tensor({ coords: Int32Array.of(0, 0, 0, 2), features: Float32Array.of(1, 2, 3, 6), spatialShape: [4] });
 * (await conv.globalPoolAsync(x, 'max')).data; // Float32Array [3, 6]
 * ```
 */
export async function globalPoolAsync(x: SparseTensor, op: 'max' | 'avg' | 'sum'): Promise<Tensor> {
  return inTurns(pooled(sparseTensor(x, 'x'), oneOf(op, 'op', ['max', 'avg', 'sum'])));
}

function* pooled({ coords, features, channels, batchSize, spatialShape }: SparseTensor, op: Op): Steps<Tensor> {
  const width = 1 + spatialShape.length;
  const sums = new Float64Array(batchSize * channels);
  const counts = new Int32Array(batchSize);
  for (const [first, end] of slices(features.length, channels)) {
    const [sites, from] = [typedArray(coords, 'int32', 'x.coords'), typedArray(features, 'float32', 'x.features')]; // still there
    for (let at = first; at < end; at += channels) {
      const sample = sites[(at / channels) * width] as number;
      const to = sample * channels;
      const isFirst = counts[sample] === 0;
      counts[sample] = (counts[sample] as number) + 1;
      for (let c = 0; c < channels; c++) {
        const [sum, value] = [sums[to + c] as number, from[at + c] as number];
        sums[to + c] = op !== 'max' ? sum + value : isFirst ? value : Math.max(sum, value);
      }
    }
    yield;
  }
  if (op === 'avg') {
    for (let i = 0; i < sums.length; i++) sums[i] = (sums[i] as number) / Math.max(1, counts[Math.floor(i / channels)] as number);
  }
  return { type: 'float32', data: Float32Array.from(sums), dims: [batchSize, channels] };
}
