/** Dense weights on sparse activations: what the parity tests, which run every kernel, do not say. */
import { nm } from 'sparse-kernels';
import { describe, expect, test } from 'vitest';
import { native } from '../../lib/native.js';
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
  test('abort, dispose', async () => {
    await expect(layer.run(lists, { signal: AbortSignal.abort('enough') })).rejects.toBe('enough');
    const gone = nm.planKHot({ weight });
    gone.dispose();
    expect(() => gone.runSync(lists)).toThrow(expect.objectContaining({ code: 'ERR_SK_DISPOSED' }));
  });
});

const run = (o: object) => () => layer.runSync({ ...lists, ...o });
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
  ['x of another type', () => layer.runSync({ data: new Uint16Array(5), dims: [1, 5] }), 'ERR_SK_TYPE', /x/],
  ['out too short', () => layer.runSync(lists, { out: new Float32Array(8) }), 'ERR_SK_SHAPE', /3 x 3 elements but received 8/],
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
  const raw = new native.KHotPlan({ weight: weight.data, type: 0, values: 0, out, in: inputs, bias: undefined, isa: '', threads: 0 });
  const y = new Float32Array(out);
  const [index, value, offsets] = [Int32Array.of(0), Float32Array.of(1), Int32Array.of(0, 1)];
  raw.runSync(value, 1, y, index, offsets);
  expect(() => raw.runSync(value, 2, y, index, offsets)).toThrow();
  expect(() => raw.runSync(value, 1, y, Int32Array.of(inputs), offsets)).toThrow(expect.objectContaining({ code: 'ERR_SK_LISTS' }));
  expect(() => raw.runSync(value, 1, y, index, Int32Array.of(0))).toThrow();
  expect(() => raw.runSync(value, 1, y, new Int32Array(2), offsets)).toThrow();
  expect(() => raw.runSync(new Float32Array(inputs - 1), 1, y, undefined, undefined)).toThrow();
  expect(() => raw.runSync(new Float32Array(inputs), 1, y.subarray(1), undefined, undefined)).toThrow();
});
