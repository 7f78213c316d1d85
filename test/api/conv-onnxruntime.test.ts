/** With all sites active a layer computes what dense layers do. */
import { conv } from 'sparse-kernels';
import { describe, expect, test } from 'vitest';
import { dotTolerance, firstMismatch } from '../reference/compare.js';
import { channelsFirst, onnxruntime } from '../support/onnx.js';
import { uniform } from '../support/random.js';

describe('with all sites active it is the dense operator of onnxruntime', () => {
  const [inputs, outputs] = [5, 7];
  const cases = [
    { name: '1D', shape: [11], size: [3], stride: [2], padding: [1], dilation: [1] },
    { name: '2D', shape: [9, 8], size: [3, 3], stride: [1, 1], padding: [1, 1], dilation: [1, 1] },
    { name: '2D strided, dilated', shape: [11, 12], size: [3, 2], stride: [2, 3], padding: [2, 1], dilation: [2, 3] },
    { name: '3D', shape: [5, 6, 4], size: [3, 3, 3], stride: [2, 1, 2], padding: [1, 0, 1], dilation: [1, 1, 1] },
  ];
  const tolerance = dotTolerance(inputs * 27, 1, 1, 1);
  test.each(cases)('Conv $name', async ({ shape, size, stride, padding, dilation }) => {
    const dense = { data: uniform(2 * inputs * shape.reduce((a, b) => a * b, 1), 1), dims: [2, inputs, ...shape] };
    const weight = { data: uniform(outputs * size.reduce((a, b) => a * b, 1) * inputs, 2), dims: [outputs, ...size, inputs] };
    const bias = uniform(outputs, 3);
    const attributes = { kernel_shape: size, strides: stride, pads: [...padding, ...padding], dilations: dilation };
    const expected = await onnxruntime('Conv', dense, [channelsFirst(weight), { data: bias, dims: [outputs] }], attributes);
    const x = conv.fromDense(dense);
    const map = conv.map(x, { mode: 'sparse', kernelSize: size, stride, padding, dilation });
    const y = conv.toDense(await conv.layer({ weight, bias }).run(x, map));
    expect(y.dims).toEqual(expected.dims);
    expect(firstMismatch(y.data, expected.data, tolerance)).toBeNull();
  });
  test.each(cases)('ConvTranspose $name', async ({ shape, size, stride, padding, dilation }) => {
    const dense = { data: uniform(inputs * shape.reduce((a, b) => a * b, 1), 1), dims: [1, inputs, ...shape] };
    const weight = { data: uniform(outputs * size.reduce((a, b) => a * b, 1) * inputs, 2), dims: [outputs, ...size, inputs] };
    const attributes = { kernel_shape: size, strides: stride, pads: [...padding, ...padding], dilations: dilation };
    const expected = await onnxruntime('ConvTranspose', dense, [channelsFirst(weight, true)], attributes);
    const x = conv.fromDense(dense);
    const map = conv.map(x, { mode: 'transposed', kernelSize: size, stride, padding, dilation });
    const y = conv.toDense(await conv.layer({ weight }).run(x, map));
    expect(y.dims).toEqual(expected.dims);
    expect(firstMismatch(y.data, expected.data, tolerance)).toBeNull();
  });
  test.each([1, 2, 6])('grouped Conv, %i groups', async (groups) => {
    const dense = { data: uniform(6 * 64, 1), dims: [1, 6, 8, 8] };
    const weight = { data: uniform(12 * 9 * (6 / groups), 2), dims: [12, 3, 3, 6 / groups] };
    const expected = await onnxruntime('Conv', dense, [channelsFirst(weight)], { group: groups, pads: [1, 1, 1, 1] });
    const x = conv.fromDense(dense);
    const y = conv.toDense(conv.layer({ weight, groups }).runSync(x, conv.map(x, { kernelSize: 3 })));
    expect(firstMismatch(y.data, expected.data, dotTolerance(54, 1, 1, 0))).toBeNull();
  });
});
