import { conv } from 'sparse-kernels';
import { powersOfTwo } from './halves.js';

/** The voxels of a slope of width x width columns, as a scan of a street or a room has them. */
export function surface(width: number, channels: number): conv.SparseTensor {
  const height = (y: number, x: number) => Math.round(0.3 * y + 0.2 * x);
  const coords = new Int32Array(4 * width * width);
  for (let i = 0; i < width * width; i++) {
    const [y, x] = [Math.floor(i / width), i % width];
    coords.set([0, height(y, x), y, x], 4 * i);
  }
  const spatialShape = [height(width, width) + 1, width, width];
  return conv.tensor({ coords, features: powersOfTwo(width * width * channels, 1), spatialShape });
}

/** Maps of a surface: of a layer that keeps its sites, and of one that halves the grid. */
export const mapKinds = {
  same: { kernelSize: 3 },
  down: { mode: 'sparse', kernelSize: 3, stride: 2, padding: 1 },
} as const;
