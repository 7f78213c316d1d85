import type { conv } from 'sparse-kernels';

/** The voxels of a slope of extent x extent columns: rows of few kinds of neighbourhoods, side by side in the order of the keys. */
export function slope(extent: number): conv.Sites {
  const height = (y: number, x: number) => Math.round(0.3 * y + 0.2 * x);
  const sites = Array.from({ length: extent * extent }, (_, i) => [
    height(Math.floor(i / extent), i % extent),
    Math.floor(i / extent),
    i % extent,
  ]);
  sites.sort((a, b) => (a[0] as number) - (b[0] as number)); // stable: the rest is in order
  const coords = Int32Array.from(sites.flatMap((site) => [0, ...site]));
  return { coords, spatialShape: [height(extent, extent) + 1, extent, extent], batchSize: 1 };
}
