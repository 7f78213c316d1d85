import { rangeError } from '../../errors.js';
import { type Tensor, typedArray } from '../../tensor.js';
import { toDense } from '../dense.js';
import { rowsOf } from '../sites.js';
import { type SparseTensor, sparseTensor, withFeatures } from '../tensor.js';

/**
 * The dense tensor that a decoder reads: the features where sites are, the mask token elsewhere.
 *
 * @param token - float32 [channels]
 * @returns float32 [batch, channels, ...spatial]
 * @throws TypeError `ERR_SK_TYPE` / `ERR_SK_BUFFER`, RangeError `ERR_SK_SHAPE`, SparseKernelsError `ERR_SK_MEMORY`
 * @example
 * ```ts
 * import { conv } from 'sparse-kernels';
 * const x = conv.tensor({ coords: Int32Array.of(0, 1), features: Float32Array.of(5), spatialShape: [3] });
 * conv.spark.densify(x, Float32Array.of(-1)).data; // Float32Array [-1, 5, -1]
 * ```
 */
export function densify(x: SparseTensor, token: Float32Array): Tensor {
  const input = sparseTensor(x, 'x');
  const { channels } = input;
  if (typedArray(token, 'float32', 'token').length !== channels) {
    throw rangeError('ERR_SK_SHAPE', `expected token to hold ${channels} numbers but received ${token.length}`);
  }
  const present = toDense(withFeatures(x, new Float32Array(rowsOf(x)).fill(1), 1)).data;
  const dense = toDense(input);
  const volume = present.length / input.batchSize;
  for (let i = 0; i < dense.data.length; i++) {
    const site = Math.floor(i / (channels * volume)) * volume + (i % volume);
    if (present[site] === 0) dense.data[i] = token[Math.floor(i / volume) % channels] as number;
  }
  return dense;
}
