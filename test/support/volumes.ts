/** Sparse tensors for tests, made from dense volumes with a mask. */
import { conv } from 'sparse-kernels';
import { activeRows, type Volume } from '../reference/conv.js';
import { generator } from './random.js';

/** A volume of which about `density` of all sites are active, or of all whole cells of so many sites along each axis. */
export function randomVolume(
  batch: number,
  shape: number[],
  channels: number,
  density: number,
  fill: (length: number, seed: number) => Float32Array,
  seed = 1,
  cell = 1,
): Volume {
  const next = generator(seed);
  const sites = batch * shape.reduce((a, b) => a * b, 1);
  const drawn = Array.from({ length: sites }, () => next() < density);
  const active = Array.from({ length: sites }, (_, site) => {
    let [first, step, rest] = [0, 1, site]; // of the cell's first site
    for (const extent of [...shape].reverse()) {
      first += ((rest % extent) - ((rest % extent) % cell)) * step;
      step *= extent;
      rest = Math.floor(rest / extent);
    }
    return drawn[first + rest * step] as boolean;
  });
  const data = Float64Array.from(fill(sites * channels, seed + 1));
  for (let e = 0; e < data.length; e++) if (!active[Math.floor(e / channels)]) data[e] = 0;
  return { batch, shape, channels, active, data };
}

/** Its active sites as a tensor; the rows are handed over in shuffled order. */
export function sparse(v: Volume, seed = 1): conv.SparseTensor {
  const { coords, features } = activeRows(v);
  const width = 1 + v.shape.length;
  const rows = coords.length / width;
  const next = generator(seed);
  const order = Array.from({ length: rows }, (_, i) => [next(), i] as const).sort((a, b) => a[0] - b[0]);
  return conv.tensor({
    coords: Int32Array.from(order.flatMap(([, row]) => coords.slice(row * width, (row + 1) * width))),
    features: {
      data: Float32Array.from(order.flatMap(([, row]) => features.slice(row * v.channels, (row + 1) * v.channels))),
      dims: [rows, v.channels],
    },
    spatialShape: v.shape,
    batchSize: v.batch,
  });
}
