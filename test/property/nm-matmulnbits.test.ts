/** Agreement with onnxruntime's MatMulNBits on the same 4-bit weights. */
import * as ort from 'onnxruntime-node';
import { nm } from 'sparse-kernels';
import { expect, test } from 'vitest';
import { dotTolerance, firstMismatch, maxAbs } from '../reference/compare.js';
import { runOperator } from '../support/operator.js';
import { generator, uniform } from '../support/random.js';

test.each([
  ['2:4', 1, 64, 24, 32, false],
  ['2:4', 5, 200, 75, 16, true],
  ['2:4', 67, 130, 40, 64, false],
  ['block', 1, 256, 33, 16, false],
  ['block', 3, 250, 64, 32, true],
  ['block', 30, 512, 20, 128, true],
  ['all kept', 2, 96, 40, 32, true],
] as const)('%s, %i tokens, %i x %i, groups of %i, zero points: %s', async (kind, tokens, inputs, outputs, group, zeroPoint) => {
  const next = generator(inputs);
  const below = (n: number) => Math.floor(next() * n);
  const groups = Math.ceil(inputs / group);
  const scale = Float32Array.from({ length: outputs * groups }, () => (1 + below(1024)) / 4096); // of 11 bits
  const zeros = Uint8Array.from(scale, () => (zeroPoint ? below(16) : 8));
  const kept = Array.from(scale, () => kind !== 'block' || next() < 0.5);
  const at = (i: number) => Math.floor(i / inputs) * groups + Math.floor((i % inputs) / group);
  const steps = Int8Array.from({ length: outputs * inputs }, (_, i) => {
    const stays = kind === '2:4' ? (i % inputs) % 4 < 2 : kept[at(i)];
    return stays ? below(16) - (zeros[at(i)] as number) : 0;
  });

  const bytes = new Uint8Array((outputs * groups * group) / 2);
  const zeroBytes = new Uint8Array(outputs * Math.ceil(groups / 2));
  const put = (to: Uint8Array, i: number, nibble: number) => {
    to[i >> 1] = (to[i >> 1] as number) | (nibble << (4 * (i % 2)));
  };
  for (let i = 0; i < steps.length; i++) {
    put(bytes, Math.floor(i / inputs) * groups * group + (i % inputs), (steps[i] as number) + (zeros[at(i)] as number));
  }
  for (let i = 0; i < zeros.length; i++)
    put(zeroBytes, Math.floor(i / groups) * 2 * Math.ceil(groups / 2) + (i % groups), zeros[i] as number);
  const x = uniform(tokens * inputs, tokens);
  const { y } = await runOperator({
    op: 'MatMulNBits',
    domain: 'com.microsoft',
    opset: 17,
    inputs: {
      x: new ort.Tensor('float32', x, [tokens, inputs]),
      w: new ort.Tensor('uint8', bytes, [outputs, groups, group / 2]),
      scale: new ort.Tensor('float32', scale, [outputs * groups]),
      zeros: zeroPoint ? new ort.Tensor('uint8', zeroBytes, [zeroBytes.length]) : undefined,
    },
    outputs: ['y'],
    attributes: { K: inputs, N: outputs, bits: 4, block_size: group, accuracy_level: 1 }, // float32
  });
  const expected = (y as ort.Tensor).data as Float32Array;
  const layer = (activations: 'float' | 'int8') =>
    nm.plan({
      weight: { data: steps, dims: [outputs, inputs] },
      scale,
      dtype: 'int4',
      groupSize: group,
      zeroPoint,
      activations,
      ...(kind === '2:4' ? { pattern: kind } : { pattern: 'block', block: [1, group] }),
    });
  const weight = layer('float').toDense().data;
  const tolerance = 2 * dotTolerance(inputs, maxAbs(x), maxAbs(weight), 0); // both round
  expect(firstMismatch(layer('float').runSync(x).data, expected, tolerance)).toBeNull();
  // Where x is quantised each input is off by half a step at most, each error as likely: seven deviations of their sum.
  const norm = (o: number) => Math.hypot(...weight.subarray(o * inputs, (o + 1) * inputs));
  const deviation = (Math.max(...Array.from({ length: outputs }, (_, o) => norm(o))) * (maxAbs(x) / 127 / 2)) / Math.sqrt(3);
  expect(firstMismatch(layer('int8').runSync(x).data, expected, 7 * deviation)).toBeNull();
});
