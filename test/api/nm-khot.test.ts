/** Dense weights on sparse activations: what the parity tests, which run every kernel, do not say. */
import { nm } from 'sparse-kernels';
import { describe, expect, test } from 'vitest';
import { native } from '../../lib/native.js';
import { halfBits, halfValues } from '../reference/round.js';
import { uniform } from '../support/random.js';

const [out, inputs] = [3, 5];
const weight = { data: Float32Array.from({ length: out * inputs }, (_, i) => i), dims: [out, inputs] };
const layer = nm.planKHot({ weight });
const lists = { indices: Int32Array.of(4, 0, 4), values: Float32Array.of(1, 10, 2), offsets: Int32Array.of(0, 2, 2, 3) };

describe('runs', () => {
  test('an empty list gives the bias', () => {
    const biased = nm.planKHot({ weight, bias: Float32Array.of(100, 200, 300) });
    expect(biased.runSync(lists).data).toEqual(Float32Array.of(104, 259, 414, 100, 200, 300, 108, 218, 328));
  });
  test('an input that a list names twice counts twice', () => {
    expect(layer.runSync({ indices: Int32Array.of(1, 1), values: Float32Array.of(1, 2), k: 2 }).data).toEqual(Float32Array.of(3, 18, 33));
  });
  test('x with zeros: dims, NaN, and columns that no token meets', () => {
    const spoilt = { data: weight.data.slice(), dims: weight.dims };
    spoilt.data[2] = Number.NaN; // column 2
    const x = Float32Array.of(0, 1, 0, 0, -0, 0, 0, 1, 0, 0, Number.NaN, 0, 0, 0, 0);
    const y = nm.planKHot({ weight: spoilt }).runSync({ data: x, dims: [3, 1, inputs] });
    expect(y.dims).toEqual([3, 1, out]);
    const nan = Number.NaN;
    expect(y.data).toEqual(Float32Array.of(1, 6, 11, nan, 7, 12, nan, nan, nan));
  });
  test('run() gives what runSync() gives, slice by slice, into out', async () => {
    const wide = nm.planKHot({ weight: { data: uniform(2 * 4096, 1), dims: [2, 4096] } });
    const x = uniform(600 * 4096, 2).map((v) => (v > 0.8 ? v : 0));
    const y = wide.runSync(x);
    expect(await wide.run(x)).toEqual(y);
    const into = new Float32Array(1200);
    expect((await wide.run(x, { out: into })).data).toBe(into);
    expect(into).toEqual(y.data);
    expect(await layer.run(lists)).toEqual(layer.runSync(lists));
    expect((await layer.run({ indices: new Int32Array(), values: new Float32Array(), offsets: Int32Array.of(0) })).dims).toEqual([0, out]);
  });
  test('types: what is stored is rounded, sums are float32', () => {
    const third = { data: new Float32Array(4).fill(1 / 3), dims: [1, 4] };
    const half = nm.planKHot({ weight: third, dtype: 'float16' });
    expect(half.kernel).toMatch(/^khot_f16_lists_/);
    expect(half.bytes).toBeLessThan(nm.planKHot({ weight: third }).bytes);
    expect(half.runSync(Float32Array.of(1, 0, 0, 0)).data[0]).toBe(1365 / 4096);
  });
  test('activation, then a residual, which may be out itself', async () => {
    const relu = nm.planKHot({ weight, activation: 'relu' });
    const x = Float32Array.of(-1, 0, 0, 0, 0, 0, 1, 0, 0, 0); // W x = -0, -5, -10 and 1, 6, 11
    const out = Float32Array.of(1, 2, 3, 4, 5, 6);
    relu.runSync(x, { out, residual: out });
    expect(out).toEqual(Float32Array.of(1, 2, 3, 5, 11, 17));
    expect((await relu.run(x, { residual: Float32Array.of(1, 1, 1, 1, 1, 1) })).data).toEqual(Float32Array.of(1, 1, 1, 2, 7, 12));
  });
  test('y has the type of x, or of out', async () => {
    const x = { data: halfBits('float16', Float32Array.of(0, 1, 0, 0, 0)), dims: [1, inputs], type: 'float16' };
    const y = await layer.run(x);
    expect([y.type, [...halfValues('float16', y.data)]]).toEqual(['float16', [1, 6, 11]]);
    const wide = new Float32Array(3);
    expect(layer.runSync(x, { out: wide }).type).toBe('float32');
    expect(wide).toEqual(Float32Array.of(1, 6, 11));
    const narrow = { data: new Uint16Array(9), dims: [3, 3], type: 'bfloat16' };
    expect(layer.runSync(lists, { out: narrow }).type).toBe('bfloat16');
    expect([...halfValues('bfloat16', narrow.data)]).toEqual([4, 59, 114, 0, 0, 0, 8, 18, 28]);
  });
  test('a plan as bytes', () => {
    const options = { bias: Float32Array.of(1, 2, 3), activation: 'silu', dtype: 'bfloat16' } as const;
    const silu = nm.planKHot({ weight, ...options });
    const bytes = silu.serialize();
    const again = nm.deserializeKHot(bytes);
    expect([again.kernel, again.bytes, again.toDense()]).toEqual([silu.kernel, silu.bytes, { type: 'float32', ...weight }]);
    expect(again.runSync(lists)).toEqual(silu.runSync(lists));
    expect(again.serialize()).toEqual(bytes);
    expect(nm.deserializeKHot(bytes, { isa: 'scalar' }).kernel).toMatch(/scalar$/);
    expect(() => nm.deserializeKHot(bytes, { threads: 0 })).toThrow(expect.objectContaining({ code: 'ERR_SK_OPTION' }));
    expect(() => nm.deserialize(bytes)).toThrow(expect.objectContaining({ code: 'ERR_SK_FILE' }));
    for (let length = 0; length < bytes.length; length++) {
      expect(() => nm.deserializeKHot(bytes.subarray(0, length))).toThrow(expect.objectContaining({ code: 'ERR_SK_FILE' }));
    }
    const other = nm.plan({ weight: { data: new Float32Array(4), dims: [1, 4] }, pattern: '2:4' }).serialize();
    expect(() => nm.deserializeKHot(other)).toThrow(expect.objectContaining({ code: 'ERR_SK_FILE' }));
  });
  test('abort, dispose', async () => {
    await expect(layer.run(lists, { signal: AbortSignal.abort('enough') })).rejects.toBe('enough');
    const gone = nm.planKHot({ weight });
    gone.dispose();
    expect(() => gone.runSync(lists)).toThrow(expect.objectContaining({ code: 'ERR_SK_DISPOSED' }));
  });
});

const shared = new ArrayBuffer(64);
const run =
  (o: object, options = {}) =>
  () =>
    layer.runSync({ ...lists, ...o }, options);
const plan = (o: object) => () => nm.planKHot({ weight, ...o });
test.each<[string, () => unknown, string, RegExp]>([
  ['the first index that is no input', run({ indices: Int32Array.of(4, 5, 0) }), 'ERR_SK_LISTS', /below the 5 inputs but index 1 is 5/],
  ['a negative index', run({ indices: Int32Array.of(4, 0, -1) }), 'ERR_SK_LISTS', /index 2 is -1/],
  ['offsets that descend', run({ offsets: Int32Array.of(0, 2, 1, 3) }), 'ERR_SK_LISTS', /token 1 are 2 and 1/],
  ['offsets beyond the indices', run({ offsets: Int32Array.of(0, 4) }), 'ERR_SK_LISTS', /up to the 3 indices/],
  ['negative offsets', run({ offsets: Int32Array.of(-1, 2) }), 'ERR_SK_LISTS', /token 0 are -1 and 2/],
  ['no offsets at all', run({ offsets: new Int32Array() }), 'ERR_SK_SHAPE', /received none/],
  ['a value too few', run({ values: new Float32Array(2) }), 'ERR_SK_SHAPE', /each of the 3 indices but received 2/],
  ['k and offsets', run({ k: 3 }), 'ERR_SK_OPTION', /either k or offsets/],
  ['neither', run({ offsets: undefined }), 'ERR_SK_OPTION', /either k or offsets/],
  ['k that does not divide', run({ offsets: undefined, k: 2 }), 'ERR_SK_SHAPE', /multiple of k = 2 indices but received 3/],
  ['k of 0', run({ offsets: undefined, k: 0 }), 'ERR_SK_OPTION', /k to be an integer/],
  ['indices of another type', run({ indices: [4, 0, 4] }), 'ERR_SK_TYPE', /indices/],
  ['an unknown list', run({ index: 1 }), 'ERR_SK_OPTION', /'index'/],
  ['x too wide', () => layer.runSync({ data: new Float32Array(6), dims: [1, 6] }), 'ERR_SK_SHAPE', /\[\.\.\., 5\]/],
  ['x of another type', () => layer.runSync({ data: new Int8Array(5), dims: [1, 5] }), 'ERR_SK_DTYPE', /x .* int8/],
  ['out too short', () => layer.runSync(lists, { out: new Float32Array(8) }), 'ERR_SK_SHAPE', /3 x 3 elements but received 8/],
  [
    'out is indices',
    run({ indices: new Int32Array(shared, 0, 3) }, { out: new Float32Array(shared, 0, 9) }),
    'ERR_SK_OVERLAP',
    /the lists/,
  ],
  ['a residual too short', () => layer.runSync(lists, { residual: new Float32Array(8) }), 'ERR_SK_SHAPE', /residual to hold the 9/],
  ['an unknown activation', plan({ activation: 'tanh' }), 'ERR_SK_OPTION', /none, relu/],
  ['out is values', () => layer.runSync({ ...lists, offsets: Int32Array.of(0, 3) }, { out: lists.values }), 'ERR_SK_OVERLAP', /share/],
  ['a weight of one axis', plan({ weight: { data: new Float32Array(4), dims: [4] } }), 'ERR_SK_SHAPE', /\[out, in\]/],
  ['an int8 weight', plan({ weight: { data: new Int8Array(4), dims: [2, 2] } }), 'ERR_SK_DTYPE', /int8/],
  ['dtype int8', plan({ dtype: 'int8' }), 'ERR_SK_OPTION', /float32, float16, bfloat16/],
  ['weights beyond float16', plan({ weight: { data: Float32Array.of(65520), dims: [1, 1] }, dtype: 'float16' }), 'ERR_SK_VALUE', /16-bit/],
  ['a bias too long', plan({ bias: new Float32Array(4) }), 'ERR_SK_SHAPE', /bias to hold 3/],
])('%s', (_, call, code, message) => {
  expect(call).toThrow(expect.objectContaining({ code, message: expect.stringMatching(message) }));
});

test('the raw addon checks lengths and lists again', () => {
  const settings = { weight: weight.data, type: 0, values: 0, out, in: inputs, bias: undefined, activation: 0, isa: '', threads: 0 };
  const raw = new native.KHotPlan(settings);
  const run = (values: Float32Array | Uint16Array, type: number, tokens: number, to: Float32Array, ...rest: unknown[]) =>
    raw.runSync(values, type, tokens, to, 0, rest[0] as Int32Array, rest[1] as Int32Array, rest[2] as Float32Array);
  const y = new Float32Array(out);
  const [index, value, offsets] = [Int32Array.of(0), Float32Array.of(1), Int32Array.of(0, 1)];
  run(value, 0, 1, y, index, offsets);
  expect(() => run(value, 0, 2, y, index, offsets)).toThrow();
  expect(() => run(value, 0, 1, y, Int32Array.of(inputs), offsets)).toThrow(expect.objectContaining({ code: 'ERR_SK_LISTS' }));
  expect(() => run(value, 0, 1, y, index, Int32Array.of(0))).toThrow();
  expect(() => run(value, 0, 1, y, new Int32Array(2), offsets)).toThrow();
  expect(() => run(new Uint16Array(1), 1, 1, y, index, offsets)).toThrow(/float32/);
  expect(() => run(value, 0, 1, y, index, offsets, new Float32Array(out - 1))).toThrow(/residual/);
  expect(() => run(new Float32Array(inputs - 1), 0, 1, y)).toThrow();
  expect(() => run(new Float32Array(inputs), 0, 1, y.subarray(1))).toThrow();
});
