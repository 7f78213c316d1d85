/** Masked images (SparK) on a device: its layers read rows by the map, where those of the CPU copy tiles; the results are the same. */
import './simulated.js';

import { conv, type DeviceTensor, devices, toDevice } from 'sparse-kernels';
import { describe, expect, test } from 'vitest';
import { firstMismatch } from '../reference/compare.js';
import { smallIntegers } from '../support/random.js';
import { sitesOnDevice } from './map-on-device.js';
import { where } from './simulated.js';

const [batch, channels, cells] = [2, 3, [3, 2]] as const;
const mask = conv.spark.mask({ shape: [...cells], ratio: 0.4, batchSize: batch, seed: 5 });
const image = { data: smallIntegers(batch * channels * 24 * 16, 1), dims: [batch, channels, 24, 16] };
const x = conv.fromDense(image, mask); // cells of 8 x 8 pixels

/** Signs: sums stay below 2^11, so that the next layer reads in float16 what this one wrote. */
const layerOf = (out: number, size: number, inputs: number) => ({
  weight: { data: smallIntegers(out * size * size * inputs, 2).map(Math.sign), dims: [out, size, size, inputs] },
  bias: smallIntegers(out, 3),
  activation: 'relu' as const,
});
const [first, down, last] = [layerOf(5, 3, channels), layerOf(16, 2, 5), layerOf(9, 3, 16)];

/** The stages: 24 x 16 pixels, 12 x 8, and 6 x 4 behind a pool that sees masked pixels as 0. */
async function expected(stages: conv.spark.MaskedMaps): Promise<conv.SparseTensor[]> {
  const onFine = await conv.layer(first).run(x, stages.of(x, [3, 3]));
  const coarse = await conv.layer(down).run(onFine, stages.of(onFine, [2, 2], 2));
  const onCoarse = await conv.layer(last).run(coarse, stages.of(coarse, [3, 3]));
  return [onFine, coarse, onCoarse, await conv.maxPool(onCoarse, stages.of(onCoarse, [3, 3], 2), { inactive: 'zero' })];
}

type Map = conv.ConvMap | conv.CudaMap;

async function onDevice(features: DeviceTensor, same: Map, halved: Map, coarse: Map, pool: Map): Promise<DeviceTensor[]> {
  const layer = (options: typeof first) => conv.layer({ ...options, dtype: 'float16', device: 'cuda' });
  const onFine = await layer(first).run(features, same);
  const low = await layer(down).run(onFine, halved);
  const onCoarse = await layer(last).run(low, coarse);
  return [onFine, low, onCoarse, await conv.maxPool(onCoarse, pool, { inactive: 'zero' })];
}

describe.skipIf(where.startsWith('nowhere'))('stages of a masked network', () => {
  test.each(['of the host', 'built on the device'])('maps %s: the results of the CPU, with no copy between stages', async (kind) => {
    using stages = conv.spark.maps(mask);
    expect(conv.layer(first).gathers(stages.of(x, [3, 3]))).toBe('tiles');
    const wanted = await expected(stages);
    using features = await toDevice({ data: x.features, dims: [x.features.length / channels, channels] }, 'cuda');
    const [fine, coarse, coarsest] = await Promise.all(
      [1, 2, 4].map((scale) => sitesOnDevice(conv.maskSites(mask, [24 / scale, 16 / scale]))),
    );
    if (!fine || !coarse || !coarsest) throw new Error('three stages');
    const [low, wide] = wanted.slice(1) as [conv.SparseTensor, conv.SparseTensor];
    const maps: [Map, Map, Map, Map] =
      kind === 'of the host'
        ? [stages.of(x, [3, 3]), stages.of(x, [2, 2], 2), stages.of(low, [3, 3]), stages.of(wide, [3, 3], 2)]
        : [
            await conv.mapAsync(fine, { kernelSize: 3 }),
            await conv.mapAsync(fine, { mode: 'sparse', kernelSize: 2, stride: 2, outputs: coarse }),
            await conv.mapAsync(coarse, { kernelSize: 3 }),
            await conv.mapAsync(coarse, { mode: 'sparse', kernelSize: 3, stride: 2, padding: 1, outputs: coarsest }),
          ];
    const before = downloads();
    const results = await onDevice(features, ...maps);
    expect(downloads()).toBe(before);
    for (const [stage, y] of results.entries()) {
      expect(firstMismatch((await y.to('cpu')).data as Float32Array, (wanted[stage] as conv.SparseTensor).features, 0)).toBeNull();
    }
  });
});

/** Copies from the device so far. */
function downloads(): number | undefined {
  return devices().find(({ type }) => type === 'cuda')?.cuda?.downloads;
}
