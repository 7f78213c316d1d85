/** SparK's mask, its sites at every stage, densify and loss. */
import { conv } from 'sparse-kernels';
import { describe, expect, test } from 'vitest';
import { uniform } from '../support/random.js';

const code = (c: string) => expect.objectContaining({ code: c });

describe('mask', () => {
  test('keeps as many cells in every sample, others for other seeds', () => {
    const mask = conv.spark.mask({ shape: [7, 7], batchSize: 50, seed: 3 });
    expect(mask.dims).toEqual([50, 7, 7]);
    const samples = Array.from({ length: 50 }, (_, i) => mask.data.subarray(i * 49, (i + 1) * 49).join());
    for (const sample of samples) expect(sample.split(',').filter((m) => m === '1').length).toBe(20);
    expect(new Set(samples).size).toBe(50);
    expect(conv.spark.mask({ shape: [7, 7], batchSize: 50, seed: 3 })).toEqual(mask);
    expect(conv.spark.mask({ shape: [7, 7], batchSize: 50, seed: 4 }).data).not.toEqual(mask.data);
    const counts = Array.from({ length: 49 }, (_, cell) => samples.filter((s) => s.split(',')[cell] === '1').length);
    expect(Math.min(...counts)).toBeGreaterThan(5); // 20.4 expected, deviation 3.5
    expect(Math.max(...counts)).toBeLessThan(36);
  });
  test('ratio 0 and 1', () => {
    expect(conv.spark.mask({ shape: [3], ratio: 0 }).data).toEqual(Uint8Array.of(1, 1, 1));
    expect(conv.spark.mask({ shape: [3], ratio: 1 }).data).toEqual(Uint8Array.of(0, 0, 0));
  });
  test('bad input', () => {
    expect(() => conv.spark.mask({ shape: [3], ratio: 1.01 })).toThrow(code('ERR_SK_OPTION'));
    expect(() => conv.spark.mask({ shape: [3], ratio: Number.NaN })).toThrow(code('ERR_SK_OPTION'));
    expect(() => conv.spark.mask({ shape: [0] })).toThrow(code('ERR_SK_OPTION'));
    expect(() => conv.spark.mask({ shape: [3], seed: 2 ** 32 })).toThrow(code('ERR_SK_OPTION'));
    expect(() => conv.spark.mask({ shape: [3], batchSize: 0 })).toThrow(code('ERR_SK_OPTION'));
  });
});

test('the sites of a stage are those of the mask, upsampled', () => {
  const mask = conv.spark.mask({ shape: [2, 3], ratio: 0.5, batchSize: 2 });
  for (const scale of [1, 2, 5]) {
    const sites = conv.maskSites(mask, [2 * scale, 3 * scale]);
    const wanted: number[] = [];
    for (let b = 0; b < 2; b++) {
      for (let y = 0; y < 2 * scale; y++) {
        for (let x = 0; x < 3 * scale; x++) {
          if (mask.data[b * 6 + Math.floor(y / scale) * 3 + Math.floor(x / scale)]) wanted.push(b, y, x);
        }
      }
    }
    expect([...sites.coords]).toEqual(wanted);
    expect(sites).toMatchObject({ batchSize: 2, spatialShape: [2 * scale, 3 * scale] });
  }
  expect(() => conv.maskSites(mask, [3, 3])).toThrow(code('ERR_SK_SHAPE'));
});

test('densify', () => {
  const mask = { data: Uint8Array.of(1, 0, 0, 1), dims: [1, 2, 2] };
  const dense = { data: Float32Array.of(1, 2, 3, 4, 5, 6, 7, 0), dims: [1, 2, 2, 2] };
  const filled = conv.spark.densify(conv.fromDense(dense, mask), Float32Array.of(-1, -2));
  expect([...filled.data]).toEqual([1, -1, -1, 4, 5, -2, -2, 0]); // a feature that is 0 stays 0
  expect(() => conv.spark.densify(conv.fromDense(dense, mask), Float32Array.of(1))).toThrow(code('ERR_SK_SHAPE'));
});

describe('loss', () => {
  const mask = { data: Uint8Array.of(1, 0, 0, 1), dims: [1, 2, 2] };
  const image = { data: uniform(3 * 8 * 8, 1), dims: [1, 3, 8, 8] };
  /** The normalised patch of a pixel of cell (row, column), straight from the formula. */
  const normalised = image.data.map((v, i) => {
    const [row, column] = [Math.floor((i % 64) / 32), Math.floor((i % 8) / 4)];
    const patch = [...image.data].filter((_, j) => Math.floor((j % 64) / 32) === row && Math.floor((j % 8) / 4) === column);
    const mean = patch.reduce((a, b) => a + b, 0) / 48;
    return (v - mean) / Math.sqrt(patch.reduce((sum, p) => sum + (p - mean) ** 2, 0) / 47 + 1e-6);
  });
  test('is 0 for the normalised image, and counts masked patches only', () => {
    expect(conv.spark.loss({ ...image, data: normalised }, image, mask)).toBeLessThan(1e-10);
    const visible = normalised.map((v, i) => (Math.floor((i % 64) / 32) === Math.floor((i % 8) / 4) ? 1e6 : v));
    expect(conv.spark.loss({ ...image, data: visible }, image, mask)).toBeLessThan(1e-10);
    const off = normalised.map((v, i) => (i % 8 >= 4 ? v + 2 : v)); // one of the two masked patches is off by 2
    expect(conv.spark.loss({ ...image, data: off }, image, mask)).toBeCloseTo(2, 5);
  });
  test('nothing masked', () => {
    expect(conv.spark.loss(image, image, { data: Uint8Array.of(1), dims: [1, 1, 1] })).toBe(0);
  });
  test('bad input', () => {
    expect(() => conv.spark.loss({ data: new Float32Array(64), dims: [1, 1, 8, 8] }, image, mask)).toThrow(code('ERR_SK_SHAPE'));
    expect(() => conv.spark.loss(image, image, { data: Uint8Array.of(1, 1, 1), dims: [1, 3, 1] })).toThrow(code('ERR_SK_SHAPE'));
  });
});
