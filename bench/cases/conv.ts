import type { BenchCase } from '../suite.js';

/**
 * - `spark`: a 3x3 layer on the 40.8 % of an image's pixels that a mask of 7 x 7 cells leaves; `size` pixels along each side. Peer: dense Conv
 * - `surface`: a submanifold 3x3x3 layer on about `size` voxels of a terrain. Peer: a MatMul of as many multiply-adds
 * - `map`: building the map of that layer. Peer: running the layer
 * - `1x1-P%`: a 1x1 layer on one image, channels first, `size` pixels along each side, of whose weights P % are zero; `1x1-P%-B`: in blocks of
 *   B output channels. Peer: dense Conv
 */
export type ConvPattern = 'spark' | 'surface' | 'map' | `1x1-${number}%` | `1x1-${number}%-${2 | 4}`;

/** Share of weights that are zero, and the output channels of a block. */
export function parsePointwise(pattern: string): { zeros: number; block: 1 | 2 | 4 } | undefined {
  const [, percent, block = '1'] = /^1x1-([1-9]?\d)%(?:-([24]))?$/.exec(pattern) ?? [];
  return percent === undefined ? undefined : { zeros: Number(percent) / 100, block: Number(block) as 1 | 2 | 4 };
}

export interface ConvCase extends BenchCase {
  readonly shape: { readonly batch: number; readonly size: number; readonly in: number; readonly out: number };
  readonly pattern: ConvPattern;
}

//               pattern   batch  size  in   out  goal
type Row = readonly [ConvPattern, number, number, number, number, number | null];

const rows: readonly Row[] = [
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
  ...(
    [
      [112, 32, 64], // of MobileNet, by size
      [56, 128, 128],
      [28, 256, 256],
      [14, 512, 512],
    ] as const
  ).flatMap(([size, inputs, out]) =>
    (
      [
        ['1x1-90%', 4.5],
        ['1x1-80%', 2.6],
        ['1x1-70%', 1.8],
        ['1x1-50%', null], // for the break-even density
      ] as const
    ).map(([pattern, goal]) => [pattern, 1, size, inputs, out, goal] as const satisfies Row),
  ),
  ['1x1-90%-2', 1, 28, 256, 256, null],
  ['1x1-90%-4', 1, 28, 256, 256, null],
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
    limit: limit(pattern),
  };
}

/** Of the pairs: dense equivalent over GFLOP/s. */
function limit(pattern: ConvPattern): number | null {
  const pointwise = parsePointwise(pattern);
  return pointwise ? 1 / (1 - pointwise.zeros) : null;
}
