/** What lies between the stages of a masked network: kernels of even extents, pooling, densifying; against onnxruntime's dense operators. */
import { conv } from 'sparse-kernels';
import { describe, expect, test } from 'vitest';
import { firstMismatch } from '../reference/compare.js';
import { channelsFirst, type Dense, onnxruntime } from '../support/onnx.js';
import { uniform } from '../support/random.js';

const code = (c: string) => expect.objectContaining({ code: c });
const [batch, channels] = [2, 6];
const mask = conv.spark.mask({ shape: [3, 2], ratio: 0.5, batchSize: batch, seed: 5 });
const tensorOf = (seed: number, ...dims: number[]): Dense => ({
  data: uniform(
    dims.reduce((a, b) => a * b, 1),
    seed,
  ),
  dims,
});
const stage = (cell: number) => conv.fromDense(tensorOf(1, batch, channels, 3 * cell, 2 * cell), mask);

test.each([
  { size: 4, stride: 4, padding: undefined, pads: 0 }, // the stem of ConvNeXt
  { size: 2, stride: 2, padding: undefined, pads: 0 }, // between its stages
  { size: 7, stride: 2, padding: undefined, pads: 3 }, // the stem of ResNet
  { size: 4, stride: 2, padding: [1, 1], pads: 1 },
  { size: 5, stride: 1, padding: undefined, pads: 2 },
])('a convolution of $size x $size, stride $stride, is the dense one times the mask; so is its bias', async (c) => {
  const x = stage(8);
  const [weight, bias] = [tensorOf(2, 5, c.size, c.size, channels), uniform(5, 3)];
  const attributes = { strides: [c.stride, c.stride], pads: new Array(4).fill(c.pads) };
  const operands = [channelsFirst(weight), { data: bias, dims: [5] }];
  const dense = await onnxruntime('Conv', conv.toDense(x) as Dense, operands, attributes);
  using maps = conv.spark.maps(mask);
  const map = maps.of(x, [c.size, c.size], c.stride, c.padding);
  const y = await conv.layer({ weight, bias }).run(x, map);
  expect(y.coords).toEqual(conv.maskSites(mask, dense.dims.slice(2)).coords);
  expect(firstMismatch(y.features, conv.fromDense(dense, mask).features, 1e-4)).toBeNull();
  expect(await maps.ofAsync(x, [c.size, c.size], c.stride, c.padding)).toBe(map);
});

test.each([1, 2])('max-pooling sees masked sites as 0, a mean has the divisor of the dense one; stride %i', async (stride) => {
  const x = stage(8);
  const dense = conv.toDense(x) as Dense;
  const attributes = { kernel_shape: [3, 3], strides: [stride, stride], pads: [1, 1, 1, 1] };
  using maps = conv.spark.maps(mask);
  const map = await maps.ofAsync(x, [3, 3], stride);
  const visible = async (name: string, more = {}) =>
    conv.fromDense(await onnxruntime(name, dense, [], { ...attributes, ...more }), mask).features;
  expect(firstMismatch((await conv.maxPool(x, map, { inactive: 'zero' })).features, await visible('MaxPool'), 0)).toBeNull();
  for (const [divisor, flag] of [
    ['kernel', 1],
    ['inside', 0],
  ] as const) {
    const mean = await conv.avgPool(x, map, { divisor });
    expect(firstMismatch(mean.features, await visible('AveragePool', { count_include_pad: flag }), 1e-6)).toBeNull();
  }
});

test('the sites of the next stage are those that MinkowskiEngine would reach', () => {
  using maps = conv.spark.maps(mask);
  for (const cell of [8, 4, 2]) {
    const down = conv.map(stage(cell), { mode: 'sparse', kernelSize: 2, stride: 2, outputs: 'floor' });
    expect(maps.sites(down.spatialShape).coords).toEqual(down.coords);
  }
});

test('kernels of even extents need a padding unless they are patches', () => {
  using maps = conv.spark.maps(mask);
  expect(maps.of(stage(8), [2, 2], 2).spatialShape).toEqual([12, 8]);
  expect(() => maps.of(stage(8), [2, 2])).toThrow(code('ERR_SK_SHAPE'));
  expect(() => maps.of(stage(8), [4, 4], 2)).toThrow(code('ERR_SK_SHAPE'));
  expect(() => maps.of(stage(8), [3, 3], 1, [0, 0])).toThrow(code('ERR_SK_SHAPE')); // extents that the cells do not divide
  expect(() => maps.of(stage(8), [0, 0], 1)).toThrow(code('ERR_SK_SHAPE'));
});

describe('densifier', () => {
  const token = uniform(channels, 9);
  const weight = tensorOf(2, 4, 3, 3, channels);
  const bias = uniform(4, 3);
  const [scale, shift] = [uniform(channels, 4).map((v) => Math.abs(v) + 0.5), uniform(channels, 5)];

  /** Norm, tokens and dense convolution of float64 and onnxruntime. */
  async function expected(x: conv.SparseTensor, norm: 'batch' | 'layer'): Promise<Dense> {
    const rows = x.features.length / channels;
    const value = (row: number, c: number) => x.features[row * channels + c] as number;
    const moments = (values: number[], epsilon: number) => {
      const mean = values.reduce((a, b) => a + b, 0) / values.length;
      return { mean, deviation: Math.sqrt(values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / values.length + epsilon) };
    };
    const columns = Array.from({ length: channels }, (_, c) =>
      moments(
        Array.from({ length: rows }, (_, row) => value(row, c)),
        1e-5,
      ),
    );
    const normed = x.features.map((v, i) => {
      const [row, c] = [Math.floor(i / channels), i % channels];
      const own = norm === 'batch' ? columns[c] : moments([...x.features.subarray(row * channels, (row + 1) * channels)], 1e-6);
      const { mean = 0, deviation = 1 } = own ?? {};
      return ((v - mean) / deviation) * (scale[c] as number) + (shift[c] as number);
    });
    const dense = conv.toDense({ ...x, features: normed });
    const present = conv.toDense({ ...x, channels: 1, features: new Float32Array(rows).fill(1) }).data;
    const volume = present.length / batch;
    const filled = dense.data.map((v, i) =>
      present[Math.floor(i / channels / volume) * volume + (i % volume)] ? v : (token[Math.floor(i / volume) % channels] as number),
    );
    const operands = [channelsFirst(weight), { data: bias, dims: [4] }];
    return onnxruntime('Conv', { data: filled, dims: [...dense.dims] }, operands, { pads: [1, 1, 1, 1] });
  }

  test.each(['batch', 'layer'] as const)('%s norm, mask tokens, projection', async (norm) => {
    const x = stage(4);
    const before = x.features.slice();
    const affine = { weight: scale, bias: shift };
    using densifier = conv.spark.densifier({ token, projection: { weight, bias }, [`${norm}Norm`]: affine });
    const y = await densifier.run(x);
    const wanted = await expected(x, norm);
    expect(y.dims).toEqual(wanted.dims);
    expect(firstMismatch(y.data, wanted.data, 1e-4)).toBeNull();
    expect(x.features).toEqual(before);
  });
  test('without norm and projection it is densify', async () => {
    using densifier = conv.spark.densifier({ token });
    expect(await densifier.run(stage(4))).toEqual(conv.spark.densify(stage(4), token));
  });
  test('what it gives is what the decoder takes', async () => {
    const affine = (...dims: number[]) => ({ weight: tensorOf(7, ...dims) });
    using densifier = conv.spark.densifier({ token, layerNorm: {}, projection: affine(8, 1, 1, channels) });
    using decoder = conv.spark.lightDecoder({
      blocks: [{ up: affine(8, 4, 4, 8), first: affine(8, 3, 3, 8), second: affine(4, 3, 3, 8) }],
      last: affine(3, 1, 1, 4),
    });
    const picture = await decoder.run([await densifier.run(stage(2))]);
    expect(picture.dims).toEqual([batch, 3, 12, 8]);
    expect(conv.spark.loss(picture, { data: uniform(picture.data.length, 2), dims: picture.dims }, mask)).toBeGreaterThan(0);
  });
  test('bad input', async () => {
    const make = (change: object) => () => conv.spark.densifier({ token, ...change });
    expect(make({ token: new Float32Array(0) })).toThrow(code('ERR_SK_SHAPE'));
    expect(make({ batchNorm: {}, layerNorm: {} })).toThrow(code('ERR_SK_OPTION'));
    expect(make({ layerNorm: { weight: uniform(5, 1) } })).toThrow(code('ERR_SK_SHAPE'));
    expect(make({ batchNorm: { mean: uniform(channels, 1) } })).toThrow(code('ERR_SK_OPTION'));
    expect(make({ projection: { weight: tensorOf(1, 4, 3, 3, 5) } })).toThrow(code('ERR_SK_SHAPE'));
    expect(make({ projection: { weight: tensorOf(1, 4, 2, 2, channels) } })).toThrow(code('ERR_SK_SHAPE'));
    expect(make({ norm: {} })).toThrow(code('ERR_SK_OPTION'));
    const densifier = conv.spark.densifier({ token, projection: { weight } });
    await expect(densifier.run({ ...stage(4), channels: 3 })).rejects.toThrow(code('ERR_SK_SHAPE'));
    await expect(densifier.run(stage(4), { signal: AbortSignal.abort(new Error('no')) })).rejects.toThrow('no');
    densifier.dispose();
    await expect(densifier.run(stage(4))).rejects.toThrow(code('ERR_SK_DISPOSED'));
  });
});

test('a decoder whose kernels cannot double the extents', () => {
  const affine = (...dims: number[]) => ({ weight: tensorOf(7, ...dims) });
  const block = { up: affine(4, 3, 3, 4), first: affine(4, 3, 3, 4), second: affine(2, 3, 3, 4) };
  expect(() => conv.spark.lightDecoder({ blocks: [block], last: affine(3, 1, 1, 2) })).toThrow(code('ERR_SK_SHAPE'));
});
