/** Sparse convolution on a device: chains of layers, bad input, and what the kernel costs. */
import './simulated.js';

import { conv, toDevice } from 'sparse-kernels';
import { describe, expect, test } from 'vitest';
import { firstMismatch } from '../reference/compare.js';
import { smallIntegers } from '../support/random.js';
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
      'features of too few sites',
      async () => conv.layer(options).run(await toDevice({ data: new Float32Array(16), dims: [2, 8] }, 'cuda'), map),
      'ERR_SK_SHAPE',
    ],
  ];
  test.each(bad)('%s is a named error', async (_, run, code) => {
    await expect((async () => run())()).rejects.toMatchObject({ code });
  });
});
