/** Weights and activations in other types than float32: what the parity tests, which run every kernel, do not say. */
import { nm, type Tensor, type TensorLike } from 'sparse-kernels';
import { describe, expect, test } from 'vitest';
import { expectQuantised } from '../kernels/nm-weights.js';
import { firstMismatch } from '../reference/compare.js';
import { denseLinear } from '../reference/nm.js';
import { halfBits, halfValues, roundTo } from '../reference/round.js';
import { uniform } from '../support/random.js';

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
  const four = Float32Array.from({ length: 6 * 16 }, (_, i) => (i % 16 < 8 && i % 4 < 2 ? Math.cos(i) : 0));
  test.each([
    { pattern: 'unstructured' },
    { pattern: 'block', block: [2, 2] },
    { pattern: '2:20', rows: 2, venom: true },
    { pattern: '4:20', rows: 3 },
  ] satisfies Partial<nm.PlanOptions>[])('int8 of %o', (options) => {
    const rows = 'venom' in options ? four.map((w, i) => (i % 16 < 4 ? w : 0)) : four; // 4 columns
    const layer = nm.plan({ weight: { data: rows, dims: [6, 16] }, dtype: 'int8', ...options });
    expect(layer.kernel).toMatch(/^spmm_i8_csr_/);
    const held = layer.toDense().data;
    expectQuantised(held, rows, 16);
    const given = uniform(3 * 16, 1);
    const y = denseLinear({ x: given, weight: held, tokens: 3, inputs: 16, outputs: 6 });
    expect(firstMismatch(layer.runSync(given).data, y, 1e-5)).toBeNull();
  });
  test('weights too small for a scale of their own', () => {
    const tiny = Float32Array.of(1e-44, 0, -2e-38, 0);
    const held = nm.plan({ weight: { data: tiny, dims: [1, 4] }, pattern: '2:4', dtype: 'int8' }).toDense().data;
    held.forEach((w, i) => {
      expect(Math.abs(w - (tiny[i] as number))).toBeLessThan(2 ** -126);
    });
  });
  test('bytes: 16-bit weights take at most 56.5 % of dense ones, int8 63 %', () => {
    const dense = { data: new Float32Array(1024 * 1024), dims: [1024, 1024] };
    expect(nm.plan({ weight: dense, pattern: '2:4', dtype: 'float16' }).bytes).toBeLessThan(0.565 * 2 * 1024 * 1024);
    expect(nm.plan({ weight: dense, pattern: '2:4', dtype: 'int8' }).bytes).toBeLessThan(0.633 * 1024 * 1024); // the scales count here
  });
});

describe('int8 activations', () => {
  const layer = (o: object = {}) => nm.plan({ weight: int8, scale: Float32Array.of(0.5, 2), pattern: '2:4', activations: 'int8', ...o });
  test('x in steps of 1/127 of the largest of its token', () => {
    const y = layer().runSync(Float32Array.of(127, 2, 3.5, 4.5, -254, 0, 1, 3)); // 3.5 and 4.5 are 4 steps; 1 and 3 of 2: 0 and 2 steps
    expect(y.data).toEqual(Float32Array.of((127 + 8) / 2, (6 + 16) * 2, -254 / 2, 4 * 4 * 2));
    expect(layer().kernel).toMatch(/_w8a8_2x4_/);
  });
  test('tokens of zeros, with NaN, with infinity, and one beside them', () => {
    const { NaN: nan, POSITIVE_INFINITY: infinity } = Number;
    for (const padding of [0, 60]) {
      const tokens = [0, 0, 0, 0, 1, nan, 1, 1, 1, 1, -infinity, 1, 127, 1, 1, 1, ...new Array(4 * padding).fill(0)];
      const y = layer().runSync({ data: Float32Array.from(tokens), dims: [4 + padding, 4] });
      expect([...y.data.subarray(0, 8)]).toEqual([0, 0, nan, nan, nan, nan, 64.5, 14]);
    }
  });
  test('numbers near the ends of float32', () => {
    const [large, small] = [3.4e38, 1e-40];
    const y = layer({ scale: Float32Array.of(2 ** -20, 2 ** -20) }).runSync({
      data: Float32Array.of(large, 0, 0, 0, small, 0, 0, 0),
      dims: [2, 4],
    });
    expect((y.data[0] as number) / large).toBeCloseTo(2 ** -20, 10);
    expect(Math.abs(y.data[2] as number)).toBeLessThan(1e-40);
  });
  test('as many kept weights of a row as int32 can sum', () => {
    const inputs = 2 ** 18;
    const data = Int8Array.from({ length: inputs }, (_, i) => (i % 4 < 2 ? 127 : 0));
    const scale = Float32Array.of(1);
    const wide = (columns: number) => layer({ weight: { data: new Int8Array(columns), dims: [1, columns] }, scale });
    const y = layer({ weight: { data, dims: [1, inputs] }, scale }).runSync(new Float32Array(inputs).fill(-127));
    expect(y.data[0]).toBe(-(2 ** 17) * 127 * 127);
    expect(() => wide(inputs + 1)).toThrow(
      expect.objectContaining({ code: 'ERR_SK_SHAPE', message: expect.stringMatching(/131072 kept/) }),
    );
  });
  test('a plan in bytes keeps them', () => {
    const again = nm.deserialize(layer().serialize());
    expect(again.kernel).toBe(layer().kernel);
  });
});

const plan = (o: object) => () => nm.plan({ weight, pattern: '2:4', ...o });
const int8: TensorLike = { data: Int8Array.from(weight.data), dims: [2, 4] };
const withWeight = (value: number) => ({ data: Float32Array.of(value, 0, 0, 0, 0, 0, 0, 0), dims: [2, 4] });
test.each<[string, () => unknown, string, RegExp]>([
  ['int8 activations with float weights', plan({ activations: 'int8' }), 'ERR_SK_OPTION', /only with dtype int8 .* or with dtype int4/],
  ['int8 activations, rows', plan({ activations: 'int8', dtype: 'int8', rows: 4 }), 'ERR_SK_OPTION', /without rows/],
  ['unknown activations', plan({ activations: 'int4' }), 'ERR_SK_OPTION', /activations to be one of float, int8/],
  ['unknown dtype', plan({ dtype: 'int2' }), 'ERR_SK_OPTION', /dtype to be one of float32, float16, bfloat16, int8, int4/],
  ['float64 weight', plan({ weight: { data: new Float64Array(8), dims: [2, 4] } }), 'ERR_SK_DTYPE', /float64/],
  ['int8 weight without a scale', plan({ weight: int8 }), 'ERR_SK_OPTION', /scale/],
  ['int8 weight, other dtype', plan({ weight: int8, scale: new Float32Array(2), dtype: 'float32' }), 'ERR_SK_OPTION', /stay int8/],
  ['scale without int8', plan({ scale: new Float32Array(2) }), 'ERR_SK_OPTION', /only with an int8 weight/],
  [
    'a scale that is NaN',
    plan({ weight: int8, scale: Float32Array.of(1, Number.NaN) }),
    'ERR_SK_VALUE',
    /finite scales but that of row 1 is nan/,
  ],
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
