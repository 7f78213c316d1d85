/** Sparse convolution on a device: chains of layers, bad input, and what the kernel costs. */
import './simulated.js';

import { conv, type DeviceTensor, toDevice } from 'sparse-kernels';
import { describe, expect, test } from 'vitest';
import { dotTolerance, firstMismatch } from '../reference/compare.js';
import { poolVolume } from '../reference/conv-pool.js';
import { halfBits, halfValues, roundTo } from '../reference/round.js';
import { smallIntegers, uniform } from '../support/random.js';
import { randomVolume, sparse } from '../support/volumes.js';
import { where } from './simulated.js';

const x = sparse(randomVolume(1, [12, 13], 8, 0.6, smallIntegers));
const weight = { data: smallIntegers(16 * 9 * 8, 3).map((w) => w / 8), dims: [16, 3, 3, 8] };
const options = { weight, dtype: 'float16', device: 'cuda' } as const;

test.runIf(where.startsWith('nowhere'))('without a device there is a named error', () => {
  expect(() => conv.layer(options)).toThrow(expect.objectContaining({ code: 'ERR_SK_DEVICE' }));
});

describe.skipIf(where.startsWith('nowhere'))('with a device', () => {
  test('layers follow each other on the device, over one map', async () => {
    const map = conv.map(x, { kernelSize: 3 });
    const back = { data: smallIntegers(8 * 9 * 16, 4).map((w) => w / 8), dims: [8, 3, 3, 16] };
    using first = conv.layer(options);
    using second = conv.layer({ ...options, weight: back, activation: 'relu' });
    using there = await toDevice({ data: x.features, dims: [x.features.length / 8, 8] }, 'cuda');
    using middle = await first.run(there, map);
    using y = await second.run(middle, map);
    const onCpu = await conv.layer({ weight }).run(x, map);
    expect(firstMismatch((await middle.to('cpu')).data as Float32Array, onCpu.features, 0)).toBeNull(); // multiples of 1/8: exact
    const expected = await conv.layer({ weight: back, activation: 'relu' }).run(onCpu, map);
    expect(firstMismatch((await y.to('cpu')).data as Float32Array, expected.features, 0.5)).toBeNull(); // middle was rounded to float16
  });

  test.each([
    ['float32', 5],
    ['float16', 8],
    ['bfloat16', 19],
  ] as const)('pooling of %s, %i channels', async (type, channels) => {
    const rounded = (length: number, seed: number) => uniform(length, seed).map((v) => (type === 'float32' ? v : roundTo(type, v)));
    const volume = randomVolume(2, [9, 8], channels, 0.4, rounded);
    const sites = sparse(volume);
    const map = conv.map(sites, { mode: 'pool', kernelSize: 3, stride: 2, padding: 1 });
    const data = type === 'float32' ? sites.features : halfBits(type, sites.features);
    using there = await toDevice({ data, dims: [sites.features.length / channels, channels], type }, 'cuda');
    type Cells = { value: number; active: boolean }[];
    const values = (cells: Cells) => cells.map((c) => c.value);
    const sum = (cells: Cells) => values(cells).reduce((a, b) => a + b, 0);
    const active = (cells: Cells) => cells.filter((c) => c.active);
    const cases: [Promise<DeviceTensor>, (cells: Cells) => number, number][] = [
      [conv.maxPool(there, map), (cells) => Math.max(...values(active(cells))), 0],
      [conv.maxPool(there, map, { inactive: 'zero' }), (cells) => Math.max(...values(cells)), 0],
      [conv.avgPool(there, map), (cells) => sum(cells) / active(cells).length, 1],
      [conv.avgPool(there, map, { divisor: 'inside' }), (cells) => sum(cells) / cells.length, 1],
      [conv.avgPool(there, map, { divisor: 'kernel' }), (cells) => sum(cells) / 9, 1],
      [conv.avgPool(there, map, { divisor: 'none' }), sum, 1],
    ];
    const half = { float32: 0, float16: 2 ** -11, bfloat16: 2 ** -8 }[type];
    for (const [running, of, inexact] of cases) {
      const { data: bits } = await (await running).to('cpu');
      const actual = type === 'float32' ? (bits as Float32Array) : halfValues(type, bits as Uint16Array);
      const expected = poolVolume(volume, 3, 2, 1, (cells) => (active(cells).length > 0 ? of(cells) : null));
      expect(firstMismatch(actual, expected, inexact * (dotTolerance(9, 1, 1, 0) + 4 * half))).toBeNull();
    }
  });

  test('no sites are a legal tensor', async () => {
    const empty = conv.tensor({ coords: new Int32Array(0), features: { data: new Float32Array(0), dims: [0, 8] }, spatialShape: [4, 4] });
    const y = await conv.layer(options).run(empty, conv.map(empty, { kernelSize: 3 }));
    expect(y.features.length).toBe(0);
  });

  const map = conv.map(x, { kernelSize: 3 });
  const bad: [string, () => Promise<unknown> | unknown, string][] = [
    [
      'weights too large for float16',
      () => conv.layer({ ...options, weight: { data: new Float32Array(9).fill(1e6), dims: [1, 3, 3, 1] } }),
      'ERR_SK_VALUE',
    ],
    ['channel groups', () => conv.layer({ ...options, groups: 2 } as never), 'ERR_SK_OPTION'],
    ['no dtype', () => conv.layer({ weight, device: 'cuda' } as never), 'ERR_SK_TYPE'],
    ['a map of another kernel', () => conv.layer(options).run(x, conv.map(x, { kernelSize: 5 })), 'ERR_SK_SHAPE'],
    [
      'the map of another tensor',
      () => conv.layer(options).run(sparse(randomVolume(1, [9, 9], 8, 0.5, smallIntegers)), map),
      'ERR_SK_COORDINATES',
    ],
    [
      'pooling of features of too few sites',
      async () => conv.maxPool(await toDevice({ data: new Float32Array(16), dims: [2, 8] }, 'cuda'), map),
      'ERR_SK_SHAPE',
    ],
    [
      'pooling of integers',
      async () => conv.avgPool(await toDevice({ data: new Int32Array(x.features.length), dims: [x.features.length / 8, 8] }, 'cuda'), map),
      'ERR_SK_DTYPE',
    ],
    [
      'features of too few sites',
      async () => conv.layer(options).run(await toDevice({ data: new Float32Array(16), dims: [2, 8] }, 'cuda'), map),
      'ERR_SK_SHAPE',
    ],
  ];
  test.each(bad)('%s is a named error', async (_, run, code) => {
    await expect((async () => run())()).rejects.toMatchObject({ code });
  });
});
