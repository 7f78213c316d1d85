/** Weights and activations in other types than float32: what the parity tests, which run every kernel, do not say. */
import { nm, type Tensor, type TensorLike } from 'sparse-kernels';
import { describe, expect, test } from 'vitest';
import { halfBits, halfValues, roundTo } from '../reference/round.js';

const weight = { data: Float32Array.of(1, 0, 2, 0, 0, 3, 0, 4), dims: [2, 4] };
const x = Float32Array.of(1, 2, 3, 4);

describe('types of y', () => {
  const half = { data: halfBits('float16', x), dims: [1, 4], type: 'float16' } as const;
  test('y has the type of x', async () => {
    const layer = nm.plan({ weight, pattern: '2:4' });
    const y = await layer.run(half);
    expect(y.type).toBe('float16');
    expect([...halfValues('float16', y.data)]).toEqual([7, 22]);
    expect(layer.runSync(x).data).toEqual(Float32Array.of(7, 22));
  });
  test('out decides where it is given', async () => {
    const layer = nm.plan({ weight, pattern: '2:4', dtype: 'bfloat16' });
    const out = { data: new Uint16Array(2), dims: [1, 2], type: 'bfloat16' };
    const y: Tensor<'float32'> | Tensor<'float16' | 'bfloat16'> = await layer.run(half, { out });
    expect(y.type).toBe('bfloat16');
    expect([...halfValues('bfloat16', out.data)]).toEqual([7, 22]);
    const wide = new Float32Array(2);
    await layer.run(half, { out: wide });
    expect(wide).toEqual(Float32Array.of(7, 22));
  });
  test('long float16 runs, in slices, are the float32 runs rounded', async () => {
    const tokens = 2100;
    const wide = { data: Float32Array.from({ length: 96 * 64 }, (_, i) => (i % 4 < 2 ? ((i * 37) % 11) / 7 - 0.7 : 0)), dims: [96, 64] };
    const layer = nm.plan({ weight: wide, pattern: '2:4' });
    const values = Float32Array.from({ length: tokens * 64 }, (_, i) => roundTo('float16', ((i * 29) % 23) / 5 - 2));
    const y = layer.runSync({ data: values, dims: [tokens, 64] });
    const { data } = await layer.run({ data: halfBits('float16', values), dims: [tokens, 64], type: 'float16' });
    expect(
      Buffer.from(data.buffer).equals(
        Buffer.from(
          halfBits(
            'float16',
            y.data.map((v) => roundTo('float16', v)),
          ).buffer,
        ),
      ),
    ).toBe(true);
  });
});

describe('types of the weight', () => {
  test.each(['float32', 'float16', 'bfloat16'] as const)('a %s weight stays as it is', (type) => {
    const data = type === 'float32' ? weight.data : halfBits(type, weight.data);
    const layer = nm.plan({ weight: { data, dims: [2, 4], type }, pattern: '2:4' });
    expect(layer.toDense().data).toEqual(weight.data);
    expect(layer.kernel).toMatch({ float32: /_f32_/, float16: /_f16_/, bfloat16: /_bf16_/ }[type]);
  });
  test('an int8 weight with its scale', () => {
    const layer = nm.plan({ weight: { data: Int8Array.from(weight.data), dims: [2, 4] }, scale: Float32Array.of(0.5, 2), pattern: '2:4' });
    expect(layer.runSync(x).data).toEqual(Float32Array.of(3.5, 44));
  });
  test('bytes: 16-bit weights take at most 56.5 % of dense ones, int8 63 %', () => {
    const dense = { data: new Float32Array(1024 * 1024), dims: [1024, 1024] };
    expect(nm.plan({ weight: dense, pattern: '2:4', dtype: 'float16' }).bytes).toBeLessThan(0.565 * 2 * 1024 * 1024);
    expect(nm.plan({ weight: dense, pattern: '2:4', dtype: 'int8' }).bytes).toBeLessThan(0.633 * 1024 * 1024); // the scales count here
  });
});

const plan = (o: object) => () => nm.plan({ weight, pattern: '2:4', ...o });
const int8: TensorLike = { data: Int8Array.from(weight.data), dims: [2, 4] };
const withWeight = (value: number) => ({ data: Float32Array.of(value, 0, 0, 0, 0, 0, 0, 0), dims: [2, 4] });
test.each<[string, () => unknown, string, RegExp]>([
  ['unstructured int8', plan({ pattern: 'unstructured', dtype: 'int8' }), 'ERR_SK_OPTION', /unstructured weight to be float32, float16/],
  ['unknown dtype', plan({ dtype: 'int4' }), 'ERR_SK_OPTION', /dtype to be one of float32, float16, bfloat16, int8/],
  ['float64 weight', plan({ weight: { data: new Float64Array(8), dims: [2, 4] } }), 'ERR_SK_DTYPE', /float64/],
  ['int8 weight without a scale', plan({ weight: int8 }), 'ERR_SK_OPTION', /scale/],
  ['int8 weight, other dtype', plan({ weight: int8, scale: new Float32Array(2), dtype: 'float32' }), 'ERR_SK_OPTION', /stay int8/],
  ['scale without int8', plan({ scale: new Float32Array(2) }), 'ERR_SK_OPTION', /only with an int8 weight/],
  ['scale too short', plan({ weight: int8, scale: new Float32Array(1) }), 'ERR_SK_SHAPE', /scale to hold 2/],
  [
    '-128 in an int8 weight',
    plan({ weight: { data: Int8Array.of(-128, 0, 0, 0, 0, 0, 0, 0), dims: [2, 4] }, scale: x.subarray(2) }),
    'ERR_SK_VALUE',
    /row 0, input 0/,
  ],
  ['NaN to be quantised', plan({ weight: withWeight(Number.NaN), dtype: 'int8' }), 'ERR_SK_VALUE', /row 0, input 0/],
  ['infinity to be quantised', plan({ weight: withWeight(Number.POSITIVE_INFINITY), dtype: 'int8' }), 'ERR_SK_VALUE', /NaN or infinite/],
  ['65520 as float16', plan({ weight: withWeight(65520), dtype: 'float16' }), 'ERR_SK_VALUE', /row 0, input 0/],
  [
    'out overlaps x',
    () =>
      nm
        .plan({ weight, pattern: '2:4' })
        .runSync({ data: new Uint16Array(shared, 0, 4), dims: [1, 4] }, { out: { data: new Uint16Array(shared, 6, 2), dims: [1, 2] } }),
    'ERR_SK_OVERLAP',
    /share memory/,
  ],
])('%s', (_, call, code, message) => {
  expect(call).toThrow(expect.objectContaining({ code, message: expect.stringMatching(message) }));
});
const shared = new ArrayBuffer(16);

test('what float16 can still hold', () => {
  const layer = nm.plan({ weight: withWeight(65519), pattern: '2:4', dtype: 'float16' });
  expect(layer.toDense().data[0]).toBe(65504);
});
