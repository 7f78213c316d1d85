/** The asynchronous forms of what works on the calling thread: the same results, and a named error where a buffer is taken away meanwhile. */
import { conv } from 'sparse-kernels';
import { describe, expect, test } from 'vitest';
import { uniform } from '../support/random.js';
import { randomVolume, sparse } from '../support/volumes.js';

const code = (c: string) => expect.objectContaining({ code: c });
const x = sparse(randomVolume(2, [24, 30], 3, 0.5, uniform, 1));
const y = sparse(randomVolume(2, [24, 30], 3, 0.5, uniform, 2));
const dense = { data: uniform(2 * 3 * 24 * 30, 3), dims: [2, 3, 24, 30] };
const mask = conv.spark.mask({ shape: [4, 5], batchSize: 2, ratio: 0.4 });
const shuffled = () => {
  const rows = x.features.length / 3;
  const order = Int32Array.from({ length: rows }, (_, i) => (i * 7) % rows);
  const pick = <T extends Int32Array | Float32Array>(from: T) =>
    from.map((_, i) => from[3 * (order[Math.floor(i / 3)] as number) + (i % 3)] as number);
  return { coords: pick(x.coords) as Int32Array, features: pick(x.features) as Float32Array, spatialShape: [24, 30], batchSize: 2 };
};

test.each<[string, () => unknown, () => Promise<unknown>]>([
  ['tensor, in order', () => conv.tensor(x4(x)), () => conv.tensorAsync(x4(x))],
  ['tensor, shuffled', () => conv.tensor(shuffled()), () => conv.tensorAsync(shuffled())],
  ['fromDense', () => conv.fromDense(dense), () => conv.fromDenseAsync(dense)],
  ['fromDense with a mask', () => conv.fromDense(dense, mask), () => conv.fromDenseAsync(dense, mask)],
  ['toDense', () => conv.toDense(x), () => conv.toDenseAsync(x)],
  ['add at other sites', () => conv.add(x, y), () => conv.addAsync(x, y)],
  ['add at the same sites', () => conv.add(x, x), () => conv.addAsync(x, x)],
  ['concat at other sites', () => conv.concat(x, y), () => conv.concatAsync(x, y)],
  ['concat at the same sites', () => conv.concat(x, x), () => conv.concatAsync(x, x)],
  ['globalPool max', () => conv.globalPool(x, 'max'), () => conv.globalPoolAsync(x, 'max')],
  ['globalPool avg', () => conv.globalPool(x, 'avg'), () => conv.globalPoolAsync(x, 'avg')],
  ['batchNorm', () => conv.batchNorm(x, { weight: uniform(3, 4) }), () => conv.batchNormAsync(x, { weight: uniform(3, 4) })],
  ['layerNorm', () => conv.layerNorm(x, { bias: uniform(3, 4) }), () => conv.layerNormAsync(x, { bias: uniform(3, 4) })],
  ['moments', () => conv.moments(x), () => conv.momentsAsync(x)],
])('%s', async (_, now, later) => {
  expect(await later()).toEqual(now());
});

/** The arguments of conv.tensor that a tensor stands for. */
function x4({ coords, features, spatialShape, batchSize }: conv.SparseTensor): conv.TensorOptions {
  return { coords, features, spatialShape, batchSize };
}

test('a tensor whose rows are in order keeps its arrays', async () => {
  const same = await conv.tensorAsync(x4(x));
  expect(same.coords).toBe(x.coords);
  expect(same.features).toBe(x.features);
  expect(same.order).toBeUndefined();
});

describe('bad input rejects', () => {
  test.each<[string, () => Promise<unknown>, string]>([
    ['a repeated site', () => conv.tensorAsync({ ...x4(x), coords: new Int32Array(x.coords.length) }), 'ERR_SK_COORDINATES'],
    ['an option that is unknown', () => conv.tensorAsync({ ...x4(x), batch: 2 } as never), 'ERR_SK_OPTION'],
    ['a dense tensor without axes', () => conv.fromDenseAsync({ data: uniform(6, 1), dims: [2, 3] }), 'ERR_SK_SHAPE'],
    ['a mask that does not fit', () => conv.fromDenseAsync(dense, { data: new Uint8Array(14), dims: [2, 7, 1] }), 'ERR_SK_SHAPE'],
    ['no tensor', () => conv.toDenseAsync({} as never), 'ERR_SK_TYPE'],
    ['other channels', () => conv.addAsync(x, { ...y, channels: 1, features: y.features.slice(0, y.coords.length / 3) }), 'ERR_SK_SHAPE'],
    ['another grid', () => conv.concatAsync(x, { ...y, spatialShape: [24, 31] }), 'ERR_SK_COORDINATES'],
    ['an operation that is unknown', () => conv.globalPoolAsync(x, 'min' as never), 'ERR_SK_OPTION'],
    ['a mean without variance', () => conv.batchNormAsync(x, { mean: uniform(3, 1) }), 'ERR_SK_OPTION'],
    ['a bias too short', () => conv.layerNormAsync(x, { bias: uniform(2, 1) }), 'ERR_SK_SHAPE'],
    ['an option of moments', () => conv.momentsAsync(x, { mean: 1 } as never), 'ERR_SK_OPTION'],
  ])('%s', async (_, call, expected) => {
    await expect(call()).rejects.toThrow(code(expected));
  });
  test('an aborted run', async () => {
    const signal = AbortSignal.abort(new Error('no'));
    for (const call of [conv.batchNormAsync, conv.layerNormAsync, conv.momentsAsync] as const) {
      await expect(call(x, { signal })).rejects.toThrow('no');
    }
  });
});

describe('of many sites', () => {
  const rows = 140_000;
  const coords = () => Int32Array.from({ length: 2 * rows }, (_, i) => (i % 2 ? Math.floor(i / 2) : 0));
  const big = (extent = rows) => ({ coords: coords(), features: uniform(rows * 8, 1), channels: 8, spatialShape: [extent], batchSize: 1 });
  const other = { ...big(), coords: coords().map((c, i) => (i % 2 ? c + 1 : c)), spatialShape: [rows + 1] };
  const calls: Record<string, (x: conv.SparseTensor) => Promise<unknown>> = {
    toDense: (x) => conv.toDenseAsync(x),
    globalPool: (x) => conv.globalPoolAsync(x, 'sum'),
    concat: (x) => conv.concatAsync(x, { ...other }),
    add: (x) => conv.addAsync(other, x),
    batchNorm: (x) => conv.batchNormAsync(x),
    moments: (x) => conv.momentsAsync(x),
    fromDense: (x) => conv.fromDenseAsync({ data: x.features, dims: [1, 8, rows] }),
    tensor: ({ coords, features, spatialShape }) =>
      conv.tensorAsync({ coords: coords.map((c, i) => (i % 2 ? rows - c : c)), features, spatialShape }),
  };
  test.each(Object.keys(calls))('%s: features that are taken away meanwhile are a named error', async (name) => {
    const call = calls[name] as (x: conv.SparseTensor) => Promise<unknown>;
    const x = big(rows + 1);
    const run = call(x);
    structuredClone(x.features.buffer, { transfer: [x.features.buffer as ArrayBuffer] });
    await expect(run).rejects.toThrow(code('ERR_SK_BUFFER'));
  });
  test.each(['add', 'concat'] as const)('%s: coordinates, too', async (name) => {
    const x = big(rows + 1);
    const run = name === 'add' ? conv.addAsync(other, x) : conv.concatAsync(x, other);
    structuredClone(x.coords.buffer, { transfer: [x.coords.buffer as ArrayBuffer] });
    await expect(run).rejects.toThrow(code('ERR_SK_BUFFER'));
  });
});
