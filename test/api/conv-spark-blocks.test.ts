/** Blocks of SparK against float64 from dense volumes and a mask, and their convolutions against onnxruntime's times the mask. */
import { conv } from 'sparse-kernels';
import { describe, expect, test } from 'vitest';
import { firstMismatch } from '../reference/compare.js';
import {
  at,
  batchNorm,
  erf,
  expectClose,
  image,
  layerNorm,
  mask,
  masked,
  norms,
  plus,
  positive,
  relu,
  tensorOf,
  vector,
} from '../support/masked.js';
import { channelsFirst, type Dense, onnxruntime } from '../support/onnx.js';

const code = (c: string) => expect.objectContaining({ code: c });

describe('ConvNeXt block', () => {
  const channels = 12;
  const parts = {
    depthwise: { weight: tensorOf(2, channels, 7, 7, 1), bias: vector(channels, 3) },
    norm: { weight: positive(channels, 4), bias: vector(channels, 5) },
    expand: { weight: tensorOf(6, 4 * channels, channels), bias: vector(4 * channels, 7) },
    project: { weight: tensorOf(8, channels, 4 * channels), bias: vector(channels, 9) },
    gamma: vector(channels, 10),
  };
  test.each([4, 8])('against float64, cells of %i', async (cell) => {
    const { volume, x } = image(channels, cell);
    const spread = masked(volume, { ...parts.depthwise, groups: channels });
    const wide = masked(layerNorm(spread, parts.norm.weight, parts.norm.bias), {
      ...{ weight: { data: parts.expand.weight.data, dims: [4 * channels, 1, 1, channels] }, bias: parts.expand.bias },
    });
    const gelu = at(wide, (value) => 0.5 * value * (1 + erf(value / Math.SQRT2)));
    const branch = masked(gelu, {
      ...{ weight: { data: parts.project.weight.data, dims: [channels, 1, 1, 4 * channels] }, bias: parts.project.bias },
    });
    using block = conv.spark.convNextBlock(parts);
    using maps = conv.spark.maps(mask);
    const y = await block.run(x, maps);
    expectClose(
      y,
      plus(
        volume,
        at(branch, (value, c) => value * (parts.gamma[c] as number)),
      ),
      1e-4,
    );
  });
  test('bad input', async () => {
    const { x } = image(channels, 4);
    const wrong = (part: object) => () => conv.spark.convNextBlock({ ...parts, ...part });
    expect(wrong({ depthwise: { weight: tensorOf(1, 12, 7, 7, 2) } })).toThrow(code('ERR_SK_SHAPE'));
    expect(wrong({ expand: { weight: tensorOf(1, 48, 11) } })).toThrow(code('ERR_SK_SHAPE'));
    expect(wrong({ project: { weight: tensorOf(1, 11, 48) } })).toThrow(code('ERR_SK_SHAPE'));
    expect(wrong({ gamma: vector(11, 1) })).toThrow(code('ERR_SK_SHAPE'));
    expect(wrong({ extra: 1 })).toThrow(code('ERR_SK_OPTION'));
    using block = conv.spark.convNextBlock(parts);
    await expect(block.run(x, {} as never)).rejects.toThrow(code('ERR_SK_TYPE'));
    await expect(block.run(x, conv.spark.maps(conv.spark.mask({ shape: [3, 2], batchSize: 2, seed: 6 })))).rejects.toThrow(
      code('ERR_SK_COORDINATES'),
    );
    block.dispose();
    await expect(block.run(x, conv.spark.maps(mask))).rejects.toThrow(code('ERR_SK_DISPOSED'));
  });
});

describe('ResNet block', () => {
  const run = async (options: conv.spark.ResNetOptions, channels: number, cell: number) => {
    const { volume, x } = image(channels, cell);
    using block = conv.spark.resNetBlock(options);
    using maps = conv.spark.maps(mask);
    return { volume, y: await block.run(x, maps) };
  };
  test.each([true, false])('basic, moments given: %s', async (given) => {
    const branch = [
      { weight: tensorOf(2, 9, 3, 3, 9), norm: norms(9, 20, given) },
      { weight: tensorOf(3, 9, 3, 3, 9), norm: norms(9, 30, given) },
    ] as const;
    const { volume, y } = await run({ branch }, 9, 4);
    const first = relu(batchNorm(masked(volume, branch[0]), branch[0].norm));
    expectClose(y, relu(plus(batchNorm(masked(first, branch[1]), branch[1].norm), volume)), 5e-4);
  });
  test.each([true, false])('bottleneck of stride 2, moments given: %s', async (given) => {
    const branch = [
      { weight: tensorOf(2, 4, 1, 1, 8), norm: norms(4, 20, given) },
      { weight: tensorOf(3, 4, 3, 3, 4), norm: norms(4, 30, given), stride: 2 },
      { weight: tensorOf(4, 16, 1, 1, 4), norm: norms(16, 40, given) },
    ] as const;
    const shortcut = { weight: tensorOf(5, 16, 1, 1, 8), norm: norms(16, 50, given), stride: 2 };
    const { volume, y } = await run({ branch, shortcut }, 8, 8);
    const first = relu(batchNorm(masked(volume, branch[0]), branch[0].norm));
    const second = relu(batchNorm(masked(first, branch[1]), branch[1].norm));
    const third = batchNorm(masked(second, branch[2]), branch[2].norm);
    expectClose(y, relu(plus(third, batchNorm(masked(volume, shortcut), shortcut.norm))), 5e-4);
  });
  test('bad input', async () => {
    const part = { weight: tensorOf(2, 9, 3, 3, 9) };
    expect(() => conv.spark.resNetBlock({ branch: [] })).toThrow(code('ERR_SK_SHAPE'));
    expect(() => conv.spark.resNetBlock({ branch: [{ ...part, norm: { mean: vector(9, 1) } }] })).toThrow(code('ERR_SK_OPTION'));
    expect(() => conv.spark.resNetBlock({ branch: [{ ...part, norm: { weight: vector(8, 1) } }] })).toThrow(code('ERR_SK_SHAPE'));
    expect(() => conv.spark.resNetBlock({ branch: [{ ...part, norm: { epsilon: -1 } }] })).toThrow(code('ERR_SK_OPTION'));
    await expect(run({ branch: [{ ...part, stride: 2 }] }, 9, 4)).rejects.toThrow(code('ERR_SK_SHAPE')); // nothing to add it to
    await expect(run({ branch: [{ weight: tensorOf(2, 9, 2, 2, 9) }] }, 9, 4)).rejects.toThrow(code('ERR_SK_SHAPE'));
  });
});

test.each([
  { size: 3, stride: 1, groups: 1, channels: 10 },
  { size: 3, stride: 2, groups: 1, channels: 10 },
  { size: 7, stride: 1, groups: 10, channels: 10 },
])('masked convolution is that of onnxruntime times the mask: $size x $size, stride $stride, $groups groups', async (c) => {
  const { x } = image(c.channels, 8);
  const weight = tensorOf(2, 10, c.size, c.size, c.channels / c.groups);
  const pad = (c.size - 1) / 2;
  const attributes = { group: c.groups, strides: [c.stride, c.stride], pads: [pad, pad, pad, pad] };
  const dense = await onnxruntime('Conv', conv.toDense(x) as Dense, [channelsFirst(weight)], attributes);
  using maps = conv.spark.maps(mask);
  const y = await conv.layer({ weight, groups: c.groups }).run(x, maps.of(x, [c.size, c.size], c.stride));
  expect(firstMismatch(y.features, conv.fromDense(dense, mask).features, 1e-4)).toBeNull();
});

test('a block of many sites lets the event loop go on, and does not change its input', async () => {
  const weights = (...dims: number[]) => ({ data: new Float32Array(dims.reduce((a, b) => a * b)).fill(0.01), dims });
  const norm = {}; // moments of this batch: two passes over all features
  using block = conv.spark.resNetBlock({
    branch: [
      { weight: weights(16, 1, 1, 64), norm },
      { weight: weights(64, 1, 1, 16), norm },
    ],
  });
  const mask = conv.spark.mask({ shape: [8, 8], ratio: 0.5 });
  const dims = [1, 64, 512, 512];
  const x = conv.fromDense({ data: new Float32Array(64 * 512 * 512).map((_, i) => i % 7), dims }, mask);
  const before = x.features.slice();
  using stages = conv.spark.maps(mask);
  let turns = 0;
  const timer = setInterval(() => turns++, 1);
  const y = await block.run(x, stages);
  clearInterval(timer);
  expect(turns).toBeGreaterThan(5); // one each: copying x, three products, two norms, the sum
  expect(Buffer.from(x.features.buffer).equals(Buffer.from(before.buffer))).toBe(true);
  expect(y.features.every((value) => value >= 0)).toBe(true);
});
