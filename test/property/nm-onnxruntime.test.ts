/** Agreement with the quantised matrix products of onnxruntime on the same integers. */
import * as ort from 'onnxruntime-node';
import { nm } from 'sparse-kernels';
import { expect, test } from 'vitest';
import { pruneBySorting } from '../reference/nm.js';
import { runOperator } from '../support/operator.js';
import { generator } from '../support/random.js';

test.each([
  ['2:4', 1, 64, 24],
  ['2:4', 67, 130, 75],
  ['1:4', 3, 100, 33],
  ['4:8', 40, 96, 21],
  ['5:16', 9, 257, 64],
  ['3:32', 70, 200, 40],
] as const)('MatMulInteger, %s, %i tokens', async (pattern, tokens, inputs, outputs) => {
  const next = generator(tokens);
  const integer = () => Math.floor(next() * 255) - 127;
  const [n = 0, m = 0] = pattern.split(':').map(Number);
  const dense = Float32Array.from({ length: outputs * inputs }, integer);
  const weight = Int8Array.from(pruneBySorting(dense, outputs, inputs, n, m));
  const x = Int8Array.from({ length: tokens * inputs }, (_, i) => (i % inputs === 0 ? 127 : integer())); // so that a step is 1

  const turned = Int8Array.from({ length: weight.length }, (_, i) => weight[(i % outputs) * inputs + Math.floor(i / outputs)] as number);
  const { y } = await runOperator({
    op: 'MatMulInteger',
    opset: 17,
    inputs: {
      x: new ort.Tensor('int8', x, [tokens, inputs]), // a uint8 x would saturate where there is no VNNI
      w: new ort.Tensor('int8', turned, [inputs, outputs]),
    },
    outputs: ['y'],
    outputType: 'int32',
    attributes: {},
  });
  const layer = nm.plan({
    weight: { data: weight, dims: [outputs, inputs] },
    scale: new Float32Array(outputs).fill(1),
    pattern,
    activations: 'int8',
  });
  expect(layer.runSync(Float32Array.from(x)).data).toEqual(Float32Array.from((y as ort.Tensor).data as Int32Array));
});
