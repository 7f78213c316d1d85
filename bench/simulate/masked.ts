import { conv } from 'sparse-kernels';
import { powersOfTwo } from './halves.js';

const CELLS = 7;

/** The share of cells that SparK leaves visible. */
export const VISIBLE = 20 / CELLS ** 2;

/** The visible pixels of square images, under masks of 7 x 7 cells. */
export function maskedImages(pixels: number, images: number, channels: number): conv.SparseTensor {
  const mask = conv.spark.mask({ shape: [CELLS, CELLS], batchSize: images, seed: 1 });
  return conv.fromDense({ data: powersOfTwo(images * channels * pixels ** 2, 1), dims: [images, channels, pixels, pixels] }, mask);
}
