import { rangeError } from '../../errors.js';
import { type Tensor, typedArray } from '../../tensor.js';
import { emptyDense, scatter } from '../dense.js';
import { type SparseTensor, sparseTensor } from '../tensor.js';

/**
 * The dense tensor that a decoder reads: the features where sites are, the mask token elsewhere. On the calling thread; {@link densifier} has
 * SparK's norm before and its projection behind this, off the event loop.
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
  const dense = emptyDense(input);
  const volume = dense.data.length / (input.batchSize * channels);
  for (let plane = 0; plane * volume < dense.data.length; plane++) {
    dense.data.fill(token[plane % channels] as number, plane * volume, (plane + 1) * volume);
  }
  scatter(input, dense.data);
  return dense;
}
