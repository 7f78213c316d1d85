/** The reference: onnxruntime's dense convolution of the same input, times the mask. */

import onnxProto from 'onnx-proto';
import * as ort from 'onnxruntime-node';
import { conv } from 'sparse-kernels';
import type { Layer } from './encoder.js';

const { onnx } = onnxProto;
const FLOAT = onnx.TensorProto.DataType.FLOAT;

/** Largest difference at the visible sites, relative to the largest value. */
export async function errorAgainstDense({ step, weight, bias, x, y }: Layer, mask: conv.spark.Mask): Promise<number> {
  const dense = conv.toDense(x);
  const { INTS, INT } = onnx.AttributeProto.AttributeType;
  const model = onnx.ModelProto.encode({
    irVersion: 8,
    opsetImport: [{ domain: '', version: 13 }],
    graph: {
      name: 'dense',
      node: [
        {
          opType: 'Conv',
          input: ['x', 'w', ...(bias ? ['b'] : [])],
          output: ['y'],
          attribute: [
            { name: 'strides', type: INTS, ints: [step.stride, step.stride] },
            { name: 'pads', type: INTS, ints: new Array(4).fill(step.padding) },
            { name: 'group', type: INT, i: step.groups },
          ],
        },
      ],
      initializer: [
        { name: 'w', dataType: FLOAT, dims: [...weight.dims], floatData: [...weight.data] },
        ...(bias ? [{ name: 'b', dataType: FLOAT, dims: [bias.length], floatData: [...bias] }] : []),
      ],
      input: [{ name: 'x', type: { tensorType: { elemType: FLOAT, shape: { dim: dense.dims.map((dimValue) => ({ dimValue })) } } } }],
      output: [{ name: 'y', type: { tensorType: { elemType: FLOAT } } }],
    },
  }).finish();
  const session = await ort.InferenceSession.create(model, { executionProviders: ['cpu'] });
  const result = (await session.run({ x: new ort.Tensor('float32', dense.data, dense.dims) })).y as ort.Tensor;
  const expected = conv.fromDense({ data: result.data as Float32Array, dims: result.dims }, mask); // times the mask
  if (expected.features.length !== y.features.length) throw new Error('the visible sites differ');
  let [error, largest] = [0, 0];
  for (let i = 0; i < y.features.length; i++) {
    error = Math.max(error, Math.abs((y.features[i] as number) - (expected.features[i] as number)));
    largest = Math.max(largest, Math.abs(expected.features[i] as number));
  }
  return error / Math.max(largest, Number.MIN_VALUE);
}
