import { inSlices } from '../slices.js';
import { allocate } from '../tensor.js';
import { type SparseTensor, withFeatures } from './tensor.js';

/** y[i] = of(i, channel of i), without holding the event loop. */
export async function mapFeatures(x: SparseTensor, of: (i: number, channel: number) => number): Promise<SparseTensor> {
  const { features, channels } = x;
  const y = allocate('float32', features.length, 'the output');
  await inSlices(y.length, channels, (first, end) => {
    for (let row = first; row < end; row += channels) {
      for (let c = 0; c < channels; c++) y[row + c] = of(row + c, c);
    }
  });
  return withFeatures(x, y, channels);
}
