/** Shapes of mapmm where sites come in tiles: of 4 x 4 and 8 x 8, blocks of up to eight tiles, halos of absent neighbours; rows of six outputs that end in two or four. */
import type { ConvCase } from './conv.js';

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
