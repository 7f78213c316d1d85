/** Bad input to layers and their runs: the last valid value and the first invalid one; a named error, never a crash. */
import { conv, SparseKernelsError } from 'sparse-kernels';
import { describe, expect, test } from 'vitest';
import { type ErrorRow, expectErrors } from '../support/errors.js';
import { detached, features, layer, layerOf, make, map, mapOf, raw, x } from './conv-errors-input.js';

const rows: ErrorRow[] = [
  // layer
  [
    'a weight without kernel axes',
    () => layerOf({ weight: { data: new Float32Array(8), dims: [4, 2] } }),
    RangeError,
    'ERR_SK_SHAPE',
    /\[4, 2\]/,
  ],
  ['an empty weight', () => layerOf({ weight: { data: new Float32Array(0), dims: [4, 3, 0] } }), RangeError, 'ERR_SK_SHAPE', /\[4, 3, 0\]/],
  ['groups that do not divide', () => layerOf({ groups: 3 }), RangeError, 'ERR_SK_SHAPE', /multiple of 3/],
  ['groups of 0', () => layerOf({ groups: 0 }), RangeError, 'ERR_SK_OPTION', /groups/],
  ['a bias too short', () => layerOf({ bias: new Float32Array(3) }), RangeError, 'ERR_SK_SHAPE', /4 elements.*3/],
  ['an unknown activation', () => layerOf({ activation: 'tanh' }), RangeError, 'ERR_SK_OPTION', /none, relu/],
  ['0 threads', () => layerOf({ threads: 0 }), RangeError, 'ERR_SK_OPTION', /threads/],
  // run
  [
    'channels that do not match',
    () => layer.runSync(raw({ features: new Float32Array(9), channels: 3 }), map),
    RangeError,
    'ERR_SK_SHAPE',
    /2 channels.*3/,
  ],
  ['features that do not match the channels', () => layer.runSync(raw({ channels: 3 }), map), RangeError, 'ERR_SK_SHAPE', /3 x 3/],
  ['a map of another kernel', () => layer.runSync(x, mapOf({ kernelSize: 5 })), RangeError, 'ERR_SK_SHAPE', /\[3, 3\].*\[5, 5\]/],
  [
    'a map of the same volume but other extents',
    () => layer.runSync(x, mapOf({ kernelSize: [1, 9] })),
    RangeError,
    'ERR_SK_SHAPE',
    /\[1, 9\]/,
  ],
  [
    'the map of another tensor',
    () => layer.runSync(make({ coords: Int32Array.of(0, 0, 0, 0, 1, 1, 0, 3, 3) }), map),
    SparseKernelsError,
    'ERR_SK_COORDINATES',
    /other coordinates/,
  ],
  [
    'the map of another grid',
    () => layer.runSync(raw({ spatialShape: [5, 5] }), map),
    SparseKernelsError,
    'ERR_SK_COORDINATES',
    /4 x 5.*5 x 5/,
  ],
  ['no map', () => layer.runSync(x, {} as never), TypeError, 'ERR_SK_TYPE', /conv\.map/],
  ['out too short', () => layer.runSync(x, map, { out: new Float32Array(11) }), RangeError, 'ERR_SK_SHAPE', /12.*11/],
  ['out too long', () => layer.runSync(x, map, { out: new Float32Array(13) }), RangeError, 'ERR_SK_SHAPE', /12.*13/],
  [
    'out on the memory of x',
    () => layer.runSync(x, map, { out: new Float32Array(features.buffer, 0, 0) }),
    RangeError,
    'ERR_SK_SHAPE',
    /12.*0/,
  ],
  ['detached features', () => layer.runSync(raw({ features: detached(new Float32Array(6)) }), map), TypeError, 'ERR_SK_BUFFER', /detached/],
];

expectErrors(rows, 'conv-errors');

test('out that overlaps x', () => {
  const memory = new Float32Array(6 + 12);
  const own = raw({ features: memory.subarray(0, 6) });
  expect(layer.runSync(own, map, { out: memory.subarray(6) }).features.length).toBe(12);
  expect(() => layer.runSync(own, map, { out: memory.subarray(5, 17) })).toThrow(expect.objectContaining({ code: 'ERR_SK_OVERLAP' }));
});

test('last valid values right beside the first invalid ones', () => {
  expect(make({ spatialShape: [2 ** 30, 2 ** 30], batchSize: 7 }).batchSize).toBe(7);
  expect(make({ spatialShape: [2 ** 31 - 1, 2 ** 31 - 1], batchSize: 2 }).batchSize).toBe(2);
  expect(mapOf({ mode: 'sparse', kernelSize: 4 }).spatialShape).toEqual([1, 2]);
  expect(mapOf({ padding: 1, stride: 1 }).pairCount).toBe(map.pairCount);
  expect(layerOf({ groups: 4, weight: { data: new Float32Array(36), dims: [4, 3, 3, 1] } }).inChannels).toBe(4);
  expect(conv.map(raw({ spatialShape: [2 ** 31 - 1, 2 ** 31 - 1] }), { kernelSize: 3 }).pairCount).toBe(5);
});

describe('after dispose()', () => {
  const code = expect.objectContaining({ code: 'ERR_SK_DISPOSED' });
  test('every use of a layer throws', async () => {
    const disposed = layerOf({});
    disposed.dispose();
    disposed.dispose();
    expect(() => disposed.runSync(x, map)).toThrow(code);
    expect(() => disposed.kernel).toThrow(code);
    expect(() => disposed.bytes).toThrow(code);
    await expect(disposed.run(x, map)).rejects.toThrow(code);
  });
  test('every use of a map throws', async () => {
    const disposed = mapOf({});
    disposed.dispose();
    disposed.dispose();
    expect(() => layer.runSync(x, disposed)).toThrow(code);
    expect(() => disposed.pairs()).toThrow(code);
    expect(() => disposed.bytes).toThrow(code);
    await expect(layer.run(x, disposed)).rejects.toThrow(code);
  });
});

test('asynchronous misuse rejects; it never throws', async () => {
  await expect(layer.run(raw({ channels: 3 }), map)).rejects.toMatchObject({ code: 'ERR_SK_SHAPE' });
  await expect(layer.run(x, map, { signal: {} as never })).rejects.toMatchObject({ code: 'ERR_SK_TYPE' });
});
