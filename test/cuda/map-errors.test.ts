/** Bad input to maps that are built on a device: the errors of the CPU. */
import './simulated.js';

import { conv, toDevice } from 'sparse-kernels';
import { describe, expect, test } from 'vitest';
import { sitesOnDevice } from './map-on-device.js';
import { where } from './simulated.js';

const down = { mode: 'sparse', kernelSize: 3, stride: 2, padding: 1 } as const;

describe.skipIf(where.startsWith('nowhere'))('with a device', () => {
  const grid = { spatialShape: [4, 5], batchSize: 2 };
  const rows: [string, number[][]][] = [
    [
      'a coordinate past its extent',
      [
        [0, 1, 1],
        [0, 1, 5],
      ],
    ],
    ['a negative coordinate', [[0, 0, -1]]],
    [
      'a sample past the batch',
      [
        [0, 0, 0],
        [2, 0, 0],
      ],
    ],
    [
      'a site twice',
      [
        [0, 1, 1],
        [1, 1, 1],
        [1, 1, 1],
      ],
    ],
    [
      'rows in no order',
      [
        [0, 1, 2],
        [0, 1, 1],
        [1, 9, 9],
      ],
    ],
    ['the least of all coordinates', [[-(2 ** 31), -(2 ** 31), -(2 ** 31)]]],
  ];
  test.each(rows)('%s is the error of the CPU', async (_, sites) => {
    const coords = Int32Array.from(sites.flat());
    const messageOf = (build: () => Promise<unknown>) =>
      build().then(
        () => 'none',
        (error) => `${error.code}: ${error.message}`,
      );
    const onCpu = await messageOf(() => conv.mapAsync({ coords, ...grid }, { kernelSize: 3 }));
    expect(onCpu).toMatch('ERR_SK_COORDINATES');
    const bad = await sitesOnDevice({ coords, ...grid });
    const good = await sitesOnDevice({ coords: Int32Array.of(0, 1, 1), ...grid });
    expect(await messageOf(() => conv.mapAsync(bad, { kernelSize: 3 }))).toBe(onCpu);
    expect(await messageOf(() => conv.mapAsync(bad, down))).toBe(onCpu);
    expect(await messageOf(() => conv.mapAsync(good, { mode: 'sparse', kernelSize: 1, outputs: bad }))).toBe(onCpu);
    using map = await conv.mapAsync(good, { kernelSize: 3 }); // and the device goes on
    expect(map.pairCount).toBe(1);
  });

  const good = () => sitesOnDevice({ coords: Int32Array.of(0, 1, 1), ...grid });
  const wrong: [string, () => Promise<unknown>, string][] = [
    [
      'coordinates of another type',
      async () =>
        conv.mapAsync(
          { ...grid, coords: (await toDevice({ data: new Float32Array(3), dims: [1, 3] }, 'cuda')) as never },
          { kernelSize: 3 },
        ),
      'ERR_SK_DTYPE',
    ],
    ['coordinates of other axes', async () => conv.mapAsync({ ...(await good()), spatialShape: [4] }, { kernelSize: 3 }), 'ERR_SK_SHAPE'],
    [
      'given sites of the host',
      async () => conv.mapAsync(await good(), { ...down, outputs: { coords: new Int32Array(3), ...grid } as never }),
      'ERR_SK_TYPE',
    ],
    [
      'given sites of another batch',
      async () => conv.mapAsync(await good(), { ...down, outputs: { ...(await good()), batchSize: 3 } }),
      'ERR_SK_COORDINATES',
    ],
    [
      'a paired map of the host',
      async () =>
        conv.mapAsync(await good(), { mode: 'inverse', paired: conv.map({ coords: Int32Array.of(0, 1, 1), ...grid }, down) as never }),
      'ERR_SK_TYPE',
    ],
    [
      'an inverse of other coordinates',
      async () => conv.mapAsync(await good(), { mode: 'inverse', paired: await conv.mapAsync(await good(), down) }),
      'ERR_SK_COORDINATES',
    ],
    [
      'windows of an inverse',
      async () => {
        const paired = await conv.mapAsync(await good(), down);
        const inverse = await conv.mapAsync(paired.output, { mode: 'inverse', paired });
        return conv.avgPool(await toDevice({ data: new Float32Array(4), dims: [4, 1] }, 'cuda'), inverse, { divisor: 'inside' });
      },
      'ERR_SK_OPTION',
    ],
    [
      'too large a grid',
      async () => conv.mapAsync({ ...(await good()), spatialShape: [2 ** 31 - 1, 2 ** 31 - 1], batchSize: 4 }, { kernelSize: 3 }),
      'ERR_SK_COORDINATES',
    ],
    [
      'disposed coordinates',
      async () => {
        const sites = await good();
        sites.coords.dispose();
        return conv.mapAsync(sites, { kernelSize: 3 });
      },
      'ERR_SK_DISPOSED',
    ],
    ['the synchronous map', async () => conv.map((await good()) as never, { kernelSize: 3 }), 'ERR_SK_TYPE'],
    [
      'a map of the device for a tensor of the host',
      async () => {
        const x = { ...grid, coords: Int32Array.of(0, 1, 1), features: Float32Array.of(1), channels: 1 };
        return conv.maxPool(x, (await conv.mapAsync(await good(), { kernelSize: 3 })) as never);
      },
      'ERR_SK_TYPE',
    ],
  ];
  test.each(wrong)('%s is a named error', async (_, run, code) => {
    await expect(run()).rejects.toMatchObject({ code });
  });

  test('a run that is aborted rejects with the reason', async () => {
    const signal = AbortSignal.abort(new Error('enough'));
    await expect(conv.mapAsync(await good(), { kernelSize: 3, signal })).rejects.toThrow('enough');
  });
});
