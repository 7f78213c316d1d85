import type { BenchCase } from '../suite.js';

/**
 * - `spark`: a 3x3 layer on the 40.8 % of an image's pixels that a mask of 7 x 7 cells leaves; `size` pixels along each side. Peer: dense Conv
 * - `surface`: a submanifold 3x3x3 layer on about `size` voxels of a terrain. Peer: a MatMul of as many multiply-adds
 * - `map`: building the map of that layer. Peer: running the layer
 */
export type ConvPattern = 'spark' | 'surface' | 'map';

export interface ConvCase extends BenchCase {
  readonly shape: { readonly batch: number; readonly size: number; readonly in: number; readonly out: number };
  readonly pattern: ConvPattern;
}

//    pattern   batch  size  in   out  goal
const rows: readonly [ConvPattern, number, number, number, number, number | null][] = [
  ['spark', 8, 56, 64, 64, 2],
  ['spark', 8, 28, 128, 128, 2],
  ['spark', 8, 14, 256, 256, 2],
  ['spark', 8, 7, 512, 512, 2],
  ['surface', 1, 100_000, 32, 32, 0.67],
  ['surface', 1, 100_000, 32, 64, 0.67],
  ['surface', 1, 100_000, 64, 64, 0.67],
  ['map', 1, 100_000, 32, 64, 3.3],
  ['surface', 1, 10_000, 32, 64, null], // the cost grows with the voxels and with nothing else
  ['surface', 1, 1_000_000, 32, 64, null],
];

export const convCases: readonly ConvCase[] = rows.map(([pattern, batch, size, inputs, out, goal]) =>
  convCase({ batch, size, in: inputs, out }, pattern, goal),
);

export function convCase(shape: ConvCase['shape'], pattern: ConvPattern, goal: number | null = null): ConvCase {
  const { batch, size, in: inputs, out } = shape;
  return {
    name: `f32-${pattern}-${batch}x${size}-${inputs}x${out}`,
    shape,
    dtype: 'float32',
    pattern,
    goal,
    limit: null, // that of the pairs: dense equivalent over GFLOP/s
  };
}
