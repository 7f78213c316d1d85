/** Made-up scans: the surface of a sphere, of a cube or of a torus, somewhere in a grid; a network has to say which it is. */
import { conv } from 'sparse-kernels';

export const classes = ['sphere', 'cube', 'torus'] as const;
const extent = 24;

/** Seeded generator (mulberry32). */
export function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Distance of a point from the surface of the shape of size 1. */
const surfaces: Record<(typeof classes)[number], (z: number, y: number, x: number) => number> = {
  sphere: (z, y, x) => Math.hypot(z, y, x) - 1,
  cube: (z, y, x) => Math.max(Math.abs(z), Math.abs(y), Math.abs(x)) - 0.8,
  torus: (z, y, x) => Math.hypot(z, Math.hypot(y, x) - 0.7) - 0.3,
};

export interface Batch {
  /** Every surface voxel has the one feature 1: all that can be learnt from is where they are. */
  readonly x: conv.SparseTensor;
  readonly labels: readonly number[];
}

export function batch(size: number, next: () => number): Batch {
  const labels = Array.from({ length: size }, () => Math.floor(next() * classes.length));
  const coords: number[] = [];
  labels.forEach((label, sample) => {
    const radius = 5 + 3 * next();
    const centre = [0, 0, 0].map(() => radius + 1 + next() * (extent - 2 * radius - 2));
    const distance = surfaces[classes[label] as (typeof classes)[number]];
    for (let z = 0; z < extent; z++) {
      for (let y = 0; y < extent; y++) {
        for (let x = 0; x < extent; x++) {
          const point = [z, y, x].map((v, axis) => (v - (centre[axis] as number)) / radius) as [number, number, number];
          if (Math.abs(distance(...point)) * radius < 0.6) coords.push(sample, z, y, x);
        }
      }
    }
  });
  const x = conv.tensor({
    coords: Int32Array.from(coords),
    features: new Float32Array(coords.length / 4).fill(1),
    spatialShape: [extent, extent, extent],
    batchSize: size,
  });
  return { x, labels };
}
