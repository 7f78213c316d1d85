/** Blocks and decoder of SparK against float64 from dense volumes and a mask, and their convolutions against onnxruntime's times the mask. */
import { conv } from 'sparse-kernels';
import { describe, expect, test } from 'vitest';
import { firstMismatch } from '../reference/compare.js';
import { activeRows, denseConv, type Volume } from '../reference/conv.js';
import { channelsFirst, type Dense, onnxruntime } from '../support/onnx.js';
import { uniform } from '../support/random.js';

const code = (c: string) => expect.objectContaining({ code: c });
const batch = 2;
const mask = conv.spark.mask({ shape: [3, 2], ratio: 0.5, batchSize: batch, seed: 5 });

const tensorOf = (seed: number, ...dims: number[]): Dense => ({
  data: uniform(
    dims.reduce((a, b) => a * b, 1),
    seed,
  ),
  dims,
});
const vector = (length: number, seed: number) => uniform(length, seed);
const positive = (length: number, seed: number) => vector(length, seed).map((v) => Math.abs(v) + 0.5);

/** The sites of a stage whose cells are so large. */
function activeOf(cell: number): boolean[] {
  return Array.from({ length: batch * 6 * cell * cell }, (_, i) => {
    const [b, y, x] = [Math.floor(i / (6 * cell * cell)), Math.floor(i / (2 * cell)) % (3 * cell), i % (2 * cell)];
    return mask.data[b * 6 + Math.floor(y / cell) * 2 + Math.floor(x / cell)] === 1;
  });
}

/** A masked image and the sparse tensor of it. */
function image(channels: number, cell: number): { volume: Volume; x: conv.SparseTensor } {
  const shape = [3 * cell, 2 * cell];
  const active = activeOf(cell);
  const data = Float64Array.from(uniform(active.length * channels, 1), (v, e) => (active[Math.floor(e / channels)] ? v : 0));
  const rows = activeRows({ batch, shape, channels, active, data });
  const x = conv.tensor({
    ...{ coords: Int32Array.from(rows.coords), features: Float32Array.from(rows.features), spatialShape: shape, batchSize: batch },
  });
  return { volume: { batch, shape, channels, active, data }, x };
}

interface Convolution {
  weight: Dense;
  bias?: Float32Array | undefined;
  stride?: number;
  groups?: number;
}

/** A dense convolution with odd kernel, then the mask of the output. */
function masked(x: Volume, { weight, bias, stride = 1, groups = 1 }: Convolution, active?: boolean[]): Volume {
  const size = weight.dims.slice(1, -1);
  const padding = size.map((k) => (k - 1) / 2);
  const shape = x.shape.map((n) => Math.ceil(n / stride));
  const kernel = {
    weight: weight.data,
    bias,
    out: weight.dims[0] as number,
    groups,
    size,
    stride: [stride, stride],
    padding,
    dilation: [1, 1],
  };
  return denseConv(x, kernel, shape, false, active ?? activeOf((shape[0] as number) / 3));
}

const at = (v: Volume, of: (value: number, channel: number, e: number) => number): Volume => ({
  ...v,
  data: v.data.map((value, e) => (v.active[Math.floor(e / v.channels)] ? of(value, e % v.channels, e) : 0)),
});

interface Norm {
  weight: Float32Array;
  bias: Float32Array;
  mean?: Float32Array;
  variance?: Float32Array;
}

function batchNorm(v: Volume, { weight, bias, mean, variance }: Norm): Volume {
  const rows = activeRows(v).features;
  const column = (c: number) => rows.filter((_, e) => e % v.channels === c);
  const average = (values: number[]) => values.reduce((a, b) => a + b, 0) / values.length;
  const means = Array.from({ length: v.channels }, (_, c) => mean?.[c] ?? average(column(c)));
  const variances = means.map((m, c) => variance?.[c] ?? average(column(c).map((value) => (value - m) ** 2)));
  return at(v, (value, c) => {
    const scale = (weight[c] as number) / Math.sqrt((variances[c] as number) + 1e-5);
    return (value - (means[c] as number)) * scale + (bias[c] as number);
  });
}

function layerNorm(v: Volume, weight: Float32Array, bias: Float32Array): Volume {
  return at(v, (value, c, e) => {
    const row = [...v.data.subarray(e - c, e - c + v.channels)];
    const mean = row.reduce((a, b) => a + b, 0) / row.length;
    const variance = row.reduce((sum, r) => sum + (r - mean) ** 2, 0) / row.length;
    return ((value - mean) / Math.sqrt(variance + 1e-6)) * (weight[c] as number) + (bias[c] as number);
  });
}

/** The error function as the integral that it is. */
function erf(x: number): number {
  const steps = 400;
  const f = (t: number) => Math.exp(-t * t);
  let sum = f(0) + f(x);
  for (let i = 1; i < steps; i++) sum += f((x * i) / steps) * (i % 2 ? 4 : 2);
  return (2 / Math.sqrt(Math.PI)) * sum * (x / steps / 3);
}

const relu = (v: Volume) => at(v, (value) => Math.max(value, 0));
const plus = (a: Volume, b: Volume) => at(a, (value, _, e) => value + (b.data[e] as number));
const norms = (channels: number, seed: number, given: boolean): Norm => ({
  ...{ weight: positive(channels, seed), bias: vector(channels, seed + 1) },
  ...(given && { mean: vector(channels, seed + 2), variance: positive(channels, seed + 3) }),
});

function expectClose(y: conv.SparseTensor, expected: Volume, tolerance: number): void {
  const rows = activeRows(expected);
  expect([...y.coords]).toEqual(rows.coords);
  expect(y.channels).toBe(expected.channels);
  expect(firstMismatch(y.features, rows.features, tolerance)).toBeNull();
}

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

describe('light decoder', () => {
  const parts = (channels: number, seed: number, given: boolean) => ({
    up: { weight: tensorOf(seed, channels, 4, 4, channels), bias: vector(channels, seed + 1) },
    first: { weight: tensorOf(seed + 2, channels, 3, 3, channels), norm: norms(channels, seed + 3, given) },
    second: { weight: tensorOf(seed + 7, channels / 2, 3, 3, channels), norm: norms(channels / 2, seed + 8, given) },
  });
  const volumeOf = ({ data, dims: [n = 0, channels = 0, height = 0, width = 0] }: Dense): Volume => {
    const plane = height * width;
    const values = Float64Array.from(data, (_, e) => {
      const [b, place, c] = [Math.floor(e / channels / plane), Math.floor(e / channels) % plane, e % channels];
      return data[(b * channels + c) * plane + place] as number;
    });
    return { batch: n, shape: [height, width], channels, active: new Array(n * plane).fill(true), data: values };
  };
  const all = (v: Volume, c: Convolution) => masked(v, c, new Array(v.active.length).fill(true));
  test.each([true, false])('against float64, moments given: %s', async (given) => {
    const blocks = [parts(8, 100, given), parts(4, 200, given), parts(2, 300, given)] as const;
    const last = { weight: tensorOf(400, 3, 1, 1, 1), bias: vector(3, 401) };
    const maps = [tensorOf(1, batch, 8, 3, 2), tensorOf(2, batch, 4, 6, 4)] as const;
    let x: Volume | undefined;
    for (const [i, { up, first, second }] of blocks.entries()) {
      const added = maps[i] && volumeOf(maps[i]);
      const before = (x && added ? plus(x, added) : (x ?? added)) as Volume;
      const kernel = {
        weight: up.weight.data,
        bias: up.bias,
        out: before.channels,
        size: [4, 4],
        stride: [2, 2],
        padding: [1, 1],
        dilation: [1, 1],
      };
      const wide = denseConv(
        before,
        kernel,
        before.shape.map((n) => 2 * n),
        true,
      );
      const middle = at(relu(batchNorm(all(wide, first), first.norm)), (value) => Math.min(value, 6));
      x = batchNorm(all(middle, second), second.norm);
    }
    const expected = all(x as Volume, last);
    using decoder = conv.spark.lightDecoder({ blocks, last });
    const picture = await decoder.run(maps);
    expect(picture.dims).toEqual([batch, 3, 24, 16]);
    const scale = Math.max(...expected.data.map(Math.abs));
    expect(firstMismatch(conv.fromDense(picture).features, expected.data, 2e-5 * scale)).toBeNull();
  });
  test('bad input', async () => {
    const decoder = conv.spark.lightDecoder({ blocks: [parts(4, 1, false)], last: { weight: tensorOf(3, 3, 1, 1, 2) } });
    await expect(decoder.run([])).rejects.toThrow(code('ERR_SK_SHAPE'));
    await expect(decoder.run([tensorOf(1, 1, 4, 3)])).rejects.toThrow(code('ERR_SK_SHAPE'));
    await expect(decoder.run([tensorOf(1, 1, 5, 3, 3)])).rejects.toThrow(code('ERR_SK_SHAPE'));
    await expect(decoder.run([tensorOf(1, 1, 4, 3, 3), tensorOf(1, 1, 4, 3, 3)])).rejects.toThrow(code('ERR_SK_SHAPE'));
    expect(() => conv.spark.lightDecoder({ blocks: [], last: { weight: tensorOf(3, 3, 1, 1, 2) } })).toThrow(code('ERR_SK_SHAPE'));
  });
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
