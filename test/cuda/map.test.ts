/** Maps that are built on a device: the pairs of the CPU, whatever the sites; what is done with them. */
import './simulated.js';

import { conv, type DeviceTensor, devices, toDevice } from 'sparse-kernels';
import { describe, expect, test } from 'vitest';
import { firstMismatch } from '../reference/compare.js';
import { generator, smallIntegers, uniform } from '../support/random.js';
import { randomVolume, sparse } from '../support/volumes.js';
import { differenceOfMaps, sitesOnDevice } from './map-on-device.js';
import { where } from './simulated.js';

/** Sites drawn from a grid that may be far too large for a volume, in ascending order. */
function scattered(count: number, spatialShape: number[], batchSize = 1): conv.Sites {
  const next = generator(7);
  const sites = Array.from({ length: count }, () => [batchSize, ...spatialShape].map((extent) => Math.floor(next() * extent)));
  const distinct = [...new Map(sites.map((site) => [String(site), site])).values()];
  return conv.tensor({
    coords: Int32Array.from(distinct.flat()),
    features: { data: new Float32Array(distinct.length), dims: [distinct.length, 1] },
    spatialShape,
    batchSize,
  });
}

type Case = [string, conv.Sites, Omit<conv.MapOptions, 'outputs' | 'paired'> & { outputs?: 'floor' }];
const down = { mode: 'sparse', kernelSize: 3, stride: 2, padding: 1 } as const;
const dense = scattered(6000, [18, 20, 24]);
const cases: Case[] = [
  ['several tiles of a sort, submanifold', dense, { kernelSize: 3 }],
  ['several tiles of a sort, strided', dense, down],
  ['more offsets than bits of a mask', dense, { kernelSize: 5 }],
  ['more offsets than bits of a mask, strided', scattered(500, [9, 9, 9]), { mode: 'sparse', kernelSize: 5, stride: 2, padding: 2 }],
  ['many samples', scattered(900, [4, 3], 400), { kernelSize: 3 }],
  ['many samples, strided', scattered(900, [4, 3], 400), { ...down, dilation: [2, 1] }],
  ['pooling', dense, { mode: 'pool', kernelSize: 2 }],
  ['floor of the coordinates', scattered(300, [9, 11]), { mode: 'sparse', kernelSize: 3, stride: [2, 3], outputs: 'floor' }],
  ['transposed', scattered(300, [6, 5, 7]), { mode: 'transposed', kernelSize: 3, stride: 2, padding: 1, outputPadding: 1 }],
  ['offsets in no order, one twice', scattered(200, [15, 14]), { offsets: [0, 3, -1, 1, 1, 3].map((d, i) => [d - (i % 2), d]) }],
  ['offsets, transposed', scattered(200, [15, 14]), { mode: 'transposed', offsets: [0, 1, 2, 5].map((d) => [d, -d]), stride: 2 }],
  ['keys of 62 bits', scattered(300, [2 ** 20, 2 ** 20, 2 ** 20], 3), down],
  ['extents of 31 bits', scattered(300, [2 ** 31 - 1, 2 ** 30]), { mode: 'sparse', kernelSize: 2, stride: 2 ** 29 }],
  ['one axis', scattered(70, [200]), { kernelSize: 7, dilation: 3 }],
  ['four axes', scattered(400, [5, 6, 4, 5]), { ...down, stride: [2, 1, 2, 3] }],
  ['a block of rows less one', scattered(127, [2 ** 16]), { kernelSize: 3 }],
  ...(['submanifold', 'sparse', 'pool', 'transposed'] as const).map((mode): Case => {
    return [`no sites, ${mode}`, scattered(0, [5, 5]), { mode, kernelSize: 3 }];
  }),
  ['sites that reach nothing', scattered(1, [1]), { mode: 'sparse', offsets: [[-1]] }],
];

describe.skipIf(where.startsWith('nowhere'))('with a device', () => {
  test.each(cases)('%s: the pairs of the CPU', async (_, sites, options) => {
    using map = await conv.mapAsync(await sitesOnDevice(sites), options);
    expect(await differenceOfMaps(map, conv.map(sites, options))).toBeNull();
  });

  test('given output sites, and back', async () => {
    const given = scattered(200, [9, 10, 12]);
    const there = await sitesOnDevice(given);
    using map = await conv.mapAsync(await sitesOnDevice(dense), { ...down, outputs: there });
    expect(await differenceOfMaps(map, conv.map(dense, { ...down, outputs: given }))).toBeNull();
    using inverse = await conv.mapAsync(there, { mode: 'inverse', paired: map });
    const paired = conv.map(dense, { ...down, outputs: given });
    expect(await differenceOfMaps(inverse, conv.map(given, { mode: 'inverse', paired }))).toBeNull();
    using again = await conv.mapAsync(inverse.output, { mode: 'inverse', paired: inverse });
    expect(await differenceOfMaps(again, paired)).toBeNull();
  });

  test('layers and pooling from coordinates to results: of the sites the host sees their number', async () => {
    const x = sparse(randomVolume(2, [12, 13], 8, 0.6, smallIntegers));
    const weight = (out: number, inputs: number) => ({
      data: smallIntegers(out * 9 * inputs, 3).map((w) => w / 8),
      dims: [out, 3, 3, inputs],
    });
    using first = conv.layer({ weight: weight(16, 8), dtype: 'float16', device: 'cuda' });
    using second = conv.layer({ weight: weight(8, 16), dtype: 'float16', device: 'cuda' });
    const sites = await sitesOnDevice(x);
    using features = await toDevice({ data: x.features, dims: [x.features.length / 8, 8] }, 'cuda');
    const before = copies();
    using same = await conv.mapAsync(sites, { kernelSize: 3 });
    using coarser = await conv.mapAsync(sites, down);
    using pooling = await conv.mapAsync(coarser.output, { mode: 'pool', kernelSize: 2, stride: 1 });
    using middle = await first.run(features, same);
    using low = await second.run(middle, coarser);
    using y = await conv.maxPool(low, pooling);
    expect(copies()).toEqual({ uploads: before.uploads + 3, downloads: before.downloads + 3 }); // offsets; numbers of sites and pairs

    const map = conv.map(x, down);
    const onCpu = await conv.layer({ weight: weight(16, 8) }).run(x, conv.map(x, { kernelSize: 3 }));
    const lowOnCpu = await conv.layer({ weight: weight(8, 16) }).run(onCpu, map);
    const expected = await conv.maxPool(lowOnCpu, conv.map(lowOnCpu, { mode: 'pool', kernelSize: 2, stride: 1 }));
    expect(firstMismatch((await middle.to('cpu')).data as Float32Array, onCpu.features, 0)).toBeNull(); // multiples of 1/8: exact
    expect(firstMismatch((await y.to('cpu')).data as Float32Array, expected.features, 0.5)).toBeNull(); // middle was rounded to float16
  });

  test.each([{ padding: 1 }, { padding: 0, dilation: 2 }])('pooling over windows %j: as over the map of the host', async (options) => {
    const sites = scattered(150, [13, 17], 2);
    const kernel = { mode: 'pool', kernelSize: 3, stride: 2, ...options } as const;
    const map = conv.map(sites, { ...kernel, outputs: scattered(30, [5, 7], 2) });
    using built = await conv.mapAsync(await sitesOnDevice(sites), { ...kernel, outputs: await sitesOnDevice(map.output) });
    const rows = sites.coords.length / 3;
    using x = await toDevice({ data: uniform(rows * 5, 1), dims: [rows, 5] }, 'cuda');
    const pools: ((map: conv.ConvMap | conv.CudaMap) => Promise<DeviceTensor>)[] = [
      ...(['skip', 'zero'] as const).map((inactive) => (m: conv.ConvMap | conv.CudaMap) => conv.maxPool(x, m, { inactive })),
      ...(['active', 'inside', 'kernel', 'none'] as const).map((divisor) => {
        return (m: conv.ConvMap | conv.CudaMap) => conv.avgPool(x, m, { divisor });
      }),
    ];
    for (const pool of pools) {
      const [actual, expected] = await Promise.all(
        [pool(built), pool(map)].map(async (y) => (await (await y).to('cpu')).data as Float32Array),
      );
      expect(firstMismatch(actual as Float32Array, expected as Float32Array, 0)).toBeNull();
    }
  });

  test('a map that is disposed while a layer runs is freed behind it', async () => {
    const x = sparse(randomVolume(1, [8, 8], 4, 0.7, smallIntegers));
    using layer = conv.layer({ weight: { data: smallIntegers(2 * 9 * 4, 3), dims: [2, 3, 3, 4] }, dtype: 'float16', device: 'cuda' });
    const map = await conv.mapAsync(await sitesOnDevice(x), { kernelSize: 3 });
    const running = layer.run(await toDevice({ data: x.features, dims: [x.features.length / 4, 4] }, 'cuda'), map);
    map.dispose();
    expect((await running).dims).toEqual([x.features.length / 4, 2]);
    expect(() => map.bytes).toThrow(expect.objectContaining({ code: 'ERR_SK_DISPOSED' }));
  });
});

/** Copies between host and device so far. */
function copies() {
  const { uploads = 0, downloads = 0 } = devices().find(({ type }) => type === 'cuda')?.cuda ?? {};
  return { uploads, downloads };
}
