/** The sparse 1x1 convolution: blocks, agreement with onnxruntime, threads, slices, and its boundary. */
import { conv, setNumThreads } from 'sparse-kernels';
import { afterEach, describe, expect, test } from 'vitest';
import { native } from '../../lib/native.js';
import { dotTolerance, firstMismatch } from '../reference/compare.js';
import { onnxruntime } from '../support/onnx.js';
import { generator, uniform } from '../support/random.js';

const code = (c: string) => expect.objectContaining({ code: c });
afterEach(() => setNumThreads(2));

function sparseWeight(out: number, inputs: number, density: number, block = 1, seed = 1) {
  const next = generator(seed);
  const data = uniform(out * inputs, seed);
  const kept = Array.from({ length: Math.ceil(out / block) * inputs }, () => next() < density);
  const w = data.map((v, i) => (kept[Math.floor(Math.floor(i / inputs) / block) * inputs + (i % inputs)] ? v || 0.5 : 0));
  return { data: w, dims: [out, inputs, 1, 1] };
}

const x = { data: uniform(2 * 40 * 14 * 14, 7), dims: [2, 40, 14, 14] };

test.each([
  [1, 0.1],
  [2, 0.2],
  [4, 0.3],
] as const)("blocks of %i are onnxruntime's Conv", async (block, density) => {
  const weight = sparseWeight(50, 40, density, block);
  const bias = uniform(50, 3);
  const expected = await onnxruntime('Conv', x, [weight, { data: bias, dims: [50] }], { kernel_shape: [1, 1] });
  using layer = conv.pointwise({ weight, bias });
  expect(layer.block).toBe(block); // the default finds what the weight has
  const y = await layer.run(x);
  expect(y.dims).toEqual(expected.dims);
  expect(firstMismatch(y.data, expected.data, dotTolerance(40, 1, 1, 1))).toBeNull();
  const kept = weight.data.filter((w) => w !== 0).length;
  expect(layer.density).toBe(kept / 2000);
});

test('run and runSync agree bit for bit, for any number of threads', async () => {
  const layer = conv.pointwise({ weight: sparseWeight(300, 40, 0.2), bias: uniform(300, 3), activation: 'relu6' });
  const expected = layer.runSync(x);
  for (const threads of [1, 2, 5]) {
    setNumThreads(threads);
    const out = new Float32Array(expected.data.length);
    for (const y of await Promise.all([layer.run(x), layer.run(x, { out })])) {
      expect(firstMismatch(y.data, expected.data, 0)).toBeNull();
    }
  }
});

test('images of more bytes than a slice', async () => {
  const images = { data: uniform(3 * 4 * 640_000, 1), dims: [3, 4, 800, 800] }; // 10 MB each
  const layer = conv.pointwise({ weight: sparseWeight(2, 4, 0.5) });
  expect(firstMismatch((await layer.run(images)).data, layer.runSync(images).data, 0)).toBeNull();
});

test('NaN and infinity pass', () => {
  const weight = { data: Float32Array.of(1, 0, 0, 1), dims: [2, 2] };
  const y = (activation: 'none' | 'relu' | 'relu6') =>
    conv.pointwise({ weight, activation, block: 1 }).runSync({ data: Float32Array.of(Number.NaN, -1, 7, 5), dims: [1, 2, 2] }).data;
  expect([...y('none')]).toEqual([Number.NaN, -1, 7, 5]);
  expect([...y('relu')]).toEqual([Number.NaN, 0, 7, 5]);
  expect([...y('relu6')]).toEqual([Number.NaN, 0, 6, 5]);
});

describe('bad input', () => {
  const weight = sparseWeight(6, 4, 0.5);
  const layer = conv.pointwise({ weight });
  test.each([
    ['kernel of 3', { weight: { data: new Float32Array(12), dims: [2, 2, 3] } }, 'ERR_SK_SHAPE'],
    ['one axis', { weight: { data: new Float32Array(12), dims: [12] } }, 'ERR_SK_SHAPE'],
    ['no outputs', { weight: { data: new Float32Array(0), dims: [0, 4] } }, 'ERR_SK_SHAPE'],
    ['float64', { weight: { data: new Float64Array(4), dims: [2, 2] } }, 'ERR_SK_TYPE'],
    ['blocks of 3', { weight, block: 3 }, 'ERR_SK_OPTION'],
    ['blocks of 8', { weight, block: 8 }, 'ERR_SK_OPTION'],
    ['bias of 5', { weight, bias: new Float32Array(5) }, 'ERR_SK_SHAPE'],
    ['activation', { weight, activation: 'gelu' }, 'ERR_SK_OPTION'],
    ['unknown option', { weight, pattern: '2:4' }, 'ERR_SK_OPTION'],
    ['isa', { weight, isa: 'sse9' }, 'ERR_SK_OPTION'],
    ['threads', { weight, threads: 0 }, 'ERR_SK_OPTION'],
  ])('%s', (_, options, expected) => {
    expect(() => conv.pointwise(options as never)).toThrow(
      expect.objectContaining({ code: expect.stringMatching(new RegExp(`${expected}|ERR_SK_ISA|ERR_SK_DTYPE`)) }),
    );
  });
  test.each([
    ['other channels', { data: new Float32Array(10), dims: [1, 5, 2] }, {}, 'ERR_SK_SHAPE'],
    ['one axis', { data: new Float32Array(4), dims: [4] }, {}, 'ERR_SK_SHAPE'],
    ['out too short', { data: new Float32Array(8), dims: [1, 4, 2] }, { out: new Float32Array(11) }, 'ERR_SK_SHAPE'],
    ['no tensor', new Float32Array(8), {}, 'ERR_SK_TYPE'],
  ])('%s', async (_, input, options, expected) => {
    expect(() => layer.runSync(input as never, options)).toThrow(code(expected));
    await expect(layer.run(input as never, options)).rejects.toThrow(code(expected));
  });
  test('out over x, dispose, abort', async () => {
    const data = new Float32Array(20);
    const input = { data: data.subarray(0, 8), dims: [1, 4, 2] };
    expect(() => layer.runSync(input, { out: data.subarray(7, 19) })).toThrow(code('ERR_SK_OVERLAP'));
    expect(layer.runSync(input, { out: data.subarray(8) }).dims).toEqual([1, 6, 2]);
    await expect(layer.run(input, { signal: AbortSignal.abort(new Error('stop')) })).rejects.toThrow('stop');
    const gone = conv.pointwise({ weight });
    gone.dispose();
    expect(() => gone.runSync(input)).toThrow(code('ERR_SK_DISPOSED'));
    await expect(gone.run(input)).rejects.toThrow(code('ERR_SK_DISPOSED'));
  });
  test('the raw addon checks lengths once more', () => {
    const settings = { weight: new Float32Array(6), in: 3, out: 2, block: 1, bias: undefined, activation: 0, isa: '', threads: 0 };
    expect(() => new native.PlanesPlan({ ...settings, in: 4 })).toThrow('expected weight');
    expect(() => new native.PlanesPlan({ ...settings, block: 3 })).toThrow('1, 2 or 4');
    expect(() => new native.PlanesPlan({ ...settings, bias: new Float32Array(3) })).toThrow('expected bias');
    expect(() => new native.PlanesPlan({ ...settings, activation: 3 })).toThrow('activation');
    const plan = new native.PlanesPlan(settings);
    expect(() => plan.runSync(new Float32Array(29), 2, 5, new Float32Array(20))).toThrow('expected x');
    expect(() => plan.runSync(new Float32Array(30), 2, 5, new Float32Array(19))).toThrow('expected out');
    expect(() => plan.runSync(new Float32Array(0), 2 ** 31, 2 ** 31, new Float32Array(0))).toThrow();
    expect(() => plan.runSync(new Float32Array(30), 2, 5, new Float32Array(20))).not.toThrow();
  });
  test('a large image and a large given result are copied in slices', async () => {
    const image = { data: uniform(4 * 700 * 700, 1), dims: [1, 4, 700, 700] };
    const out = new Float32Array(6 * 700 * 700);
    const expected = layer.runSync(image).data;
    expect((await layer.run(image, { out })).data).toBe(out);
    expect(Buffer.from(out.buffer).equals(Buffer.from(expected.buffer))).toBe(true);
    const run = layer.run(image);
    structuredClone(image.data.buffer, { transfer: [image.data.buffer as ArrayBuffer] });
    await expect(run).rejects.toThrow(code('ERR_SK_BUFFER'));
  });
});
