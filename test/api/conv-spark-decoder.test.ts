/** The decoder of SparK against float64. */
import { conv } from 'sparse-kernels';
import { describe, expect, test } from 'vitest';
import { firstMismatch } from '../reference/compare.js';
import { denseConv, type Volume } from '../reference/conv.js';
import { at, batch, batchNorm, type Convolution, masked, norms, plus, relu, tensorOf, vector } from '../support/masked.js';
import type { Dense } from '../support/onnx.js';

const code = (c: string) => expect.objectContaining({ code: c });

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
