/** Shapes of mapmm, chosen against the tiles: six pairs, panels of 2 x 4, 2 x 8 and 2 x 16 channels, k blocks of 128 to 512, row blocks of 48 up. */
export interface ConvCase {
  name: string;
  mode: 'submanifold' | 'sparse' | 'transposed' | 'inverse' | 'masked';
  batch?: number;
  shape: number[];
  density: number;
  inputs: number;
  outputs: number;
  groups?: number;
  size: number[];
  stride?: number[];
  padding?: number[];
  dilation?: number[];
  outputPadding?: number[];
  relu?: boolean;
  bias?: boolean;
  /** Sites come in whole cells of so many along each axis, whose inputs the layer gathers as tiles. */
  cell?: number;
  /** features, weight and out start 4 bytes into their buffers. */
  misaligned?: boolean;
}

export const denseCases: readonly ConvCase[] = [
  { name: 'no sites', mode: 'submanifold', shape: [5], density: 0, inputs: 3, outputs: 2, size: [3], bias: true },
  { name: 'one site', mode: 'submanifold', shape: [1], density: 1, inputs: 1, outputs: 1, size: [3], bias: true },
  { name: '1x1', mode: 'submanifold', shape: [9, 9], density: 0.5, inputs: 17, outputs: 9, size: [1, 1], bias: true, relu: true },
  { name: 'all sites', mode: 'submanifold', shape: [7, 9], density: 1, inputs: 16, outputs: 32, size: [3, 3], bias: true },
  {
    name: 'submanifold 3D',
    mode: 'submanifold',
    batch: 2,
    shape: [6, 7, 5],
    density: 0.4,
    inputs: 32,
    outputs: 33,
    size: [3, 3, 3],
    relu: true,
  },
  { name: 'submanifold 4D', mode: 'submanifold', shape: [3, 4, 3, 5], density: 0.3, inputs: 4, outputs: 8, size: [3, 3, 3, 3] },
  {
    name: 'dilated',
    mode: 'submanifold',
    shape: [12, 13],
    density: 0.5,
    inputs: 5,
    outputs: 31,
    size: [3, 5],
    dilation: [2, 3],
    bias: true,
  },
  { name: 'kernel wider than the grid', mode: 'submanifold', shape: [3, 2], density: 0.8, inputs: 6, outputs: 7, size: [9, 7] },
  {
    name: 'wide rows of pairs',
    mode: 'submanifold',
    shape: [40],
    density: 0.9,
    inputs: 7,
    outputs: 48,
    size: [7],
    misaligned: true,
    bias: true,
  },
  { name: 'several k blocks', mode: 'submanifold', shape: [4, 5], density: 0.7, inputs: 521, outputs: 20, size: [3, 3], bias: true },
  { name: 'several output blocks', mode: 'submanifold', shape: [5, 4], density: 0.7, inputs: 12, outputs: 150, size: [3, 3], relu: true },
  { name: 'several row blocks', mode: 'submanifold', shape: [23, 29], density: 0.6, inputs: 3, outputs: 5, size: [3, 3], bias: true },
  {
    name: 'strided',
    mode: 'sparse',
    batch: 2,
    shape: [9, 8],
    density: 0.3,
    inputs: 8,
    outputs: 16,
    size: [3, 3],
    stride: [2, 2],
    padding: [1, 1],
    bias: true,
  },
  { name: 'dilating', mode: 'sparse', shape: [6, 7, 5], density: 0.1, inputs: 6, outputs: 9, size: [3, 3, 3], padding: [1, 1, 1] },
  {
    name: 'even kernel, stride 2',
    mode: 'sparse',
    shape: [8, 8, 8],
    density: 0.2,
    inputs: 16,
    outputs: 24,
    size: [2, 2, 2],
    stride: [2, 2, 2],
  },
  {
    name: 'all different',
    mode: 'sparse',
    shape: [11, 9],
    density: 0.5,
    inputs: 3,
    outputs: 4,
    size: [4, 3],
    stride: [3, 2],
    padding: [2, 0],
    dilation: [1, 2],
    bias: true,
  },
  { name: 'no padding drops sites', mode: 'sparse', shape: [7], density: 0.5, inputs: 2, outputs: 3, size: [2], stride: [4] },
  {
    name: 'given outputs',
    mode: 'masked',
    shape: [8, 10],
    density: 0.4,
    inputs: 16,
    outputs: 16,
    size: [3, 3],
    stride: [2, 1],
    padding: [1, 1],
    bias: true,
  },
  {
    name: 'transposed',
    mode: 'transposed',
    batch: 2,
    shape: [4, 5],
    density: 0.3,
    inputs: 9,
    outputs: 17,
    size: [3, 3],
    stride: [2, 2],
    padding: [1, 1],
    outputPadding: [1, 0],
    bias: true,
  },
  {
    name: 'transposed, dilated',
    mode: 'transposed',
    shape: [6],
    density: 0.5,
    inputs: 4,
    outputs: 4,
    size: [3],
    stride: [2],
    dilation: [2],
    padding: [1],
  },
  {
    name: 'transposed 3D',
    mode: 'transposed',
    shape: [3, 3, 4],
    density: 0.3,
    inputs: 8,
    outputs: 8,
    size: [2, 2, 2],
    stride: [2, 2, 2],
    relu: true,
  },
  {
    name: 'inverse',
    mode: 'inverse',
    shape: [9, 8],
    density: 0.3,
    inputs: 16,
    outputs: 11,
    size: [3, 3],
    stride: [2, 2],
    padding: [1, 1],
    bias: true,
  },
  {
    name: 'grouped',
    mode: 'submanifold',
    shape: [6, 6],
    density: 0.5,
    inputs: 12,
    outputs: 20,
    groups: 4,
    size: [3, 3],
    bias: true,
    relu: true,
  },
  {
    name: 'grouped, wide',
    mode: 'submanifold',
    shape: [5, 5],
    density: 0.5,
    inputs: 40,
    outputs: 330,
    groups: 2,
    size: [3, 3],
    bias: true,
  },
  {
    name: 'channel multiplier',
    mode: 'submanifold',
    shape: [6, 6],
    density: 0.5,
    inputs: 5,
    outputs: 15,
    groups: 5,
    size: [3, 3],
    bias: true,
  },
];

export const depthwiseCases: readonly ConvCase[] = [
  { name: 'two channels', mode: 'submanifold', shape: [5, 5], density: 0.6, inputs: 2, outputs: 2, groups: 2, size: [3, 3], bias: true },
  {
    name: 'a vector and a tail',
    mode: 'submanifold',
    shape: [6, 7],
    density: 0.5,
    inputs: 19,
    outputs: 19,
    groups: 19,
    size: [5, 3],
    misaligned: true,
    relu: true,
  },
  { name: 'four vectors', mode: 'submanifold', shape: [9, 9], density: 0.4, inputs: 64, outputs: 64, groups: 64, size: [7, 7], bias: true },
  {
    name: 'several channel blocks',
    mode: 'sparse',
    shape: [8, 8],
    density: 0.4,
    inputs: 203,
    outputs: 203,
    groups: 203,
    size: [3, 3],
    stride: [2, 2],
    padding: [1, 1],
    bias: true,
  },
  { name: 'several row blocks', mode: 'submanifold', shape: [17, 19], density: 0.6, inputs: 8, outputs: 8, groups: 8, size: [3, 3] },
];

/** Sites in tiles: of 4 x 4 and 8 x 8, blocks of up to eight tiles, halos of absent neighbours; rows of six outputs that end in two or four. */
const tileCases: readonly Omit<ConvCase, 'inputs' | 'outputs'>[] = [
  { name: 'one tile', mode: 'submanifold', shape: [4, 4], density: 1, size: [3, 3], cell: 4 },
  { name: 'all tiles', mode: 'submanifold', batch: 2, shape: [8, 24], density: 1, size: [3, 3], cell: 8, relu: true },
  { name: 'masked tiles of 8', mode: 'submanifold', batch: 2, shape: [40, 24], density: 0.8, size: [3, 3], cell: 8, bias: true },
  { name: 'masked tiles of 4', mode: 'submanifold', batch: 3, shape: [12, 20], density: 0.9, size: [3, 1], cell: 4, misaligned: true },
  { name: 'dilated tiles', mode: 'submanifold', shape: [24, 16], density: 1, size: [3, 3], dilation: [2, 1], cell: 8 },
  {
    ...{ name: 'strided tiles', mode: 'sparse', batch: 2, shape: [32, 48], density: 1, size: [3, 2], stride: [2, 2], padding: [1, 0] },
    ...{ cell: 8, bias: true, relu: true },
  },
];

export const denseTileCases: readonly ConvCase[] = [
  ...tileCases.map((c) => ({ ...c, inputs: 3, outputs: 17 })),
  { ...(tileCases[1] as ConvCase), name: 'all tiles, several blocks of groups', shape: [40, 40], inputs: 40, outputs: 9 },
  { ...(tileCases[1] as ConvCase), name: 'all tiles, several k blocks', inputs: 517, outputs: 9, size: [1, 1] },
];

export const depthwiseTileCases: readonly ConvCase[] = [
  ...tileCases.map((c) => ({ ...c, inputs: 35, outputs: 35, groups: 35 })),
  { ...(tileCases[2] as ConvCase), name: '7 x 7 on masked tiles', inputs: 16, outputs: 16, groups: 16, size: [7, 7] },
];
