/** Means and variances of windows, and their gradient. */
import { conv } from 'sparse-kernels';
import { expect, test } from 'vitest';
import { firstMismatch } from '../reference/compare.js';
import { poolVolume as pool } from '../reference/conv-pool.js';
import { uniform } from '../support/random.js';
import { randomVolume, sparse } from '../support/volumes.js';

const volume = randomVolume(2, [9, 8], 5, 0.4, uniform);
const x = sparse(volume);
const map = conv.map(x, { mode: 'pool', kernelSize: 3, stride: 2, padding: 1 });

const average = (values: number[]) => values.reduce((a, b) => a + b, 0) / values.length;
const spread = (values: number[]) => average(values.map((v) => (v - average(values)) ** 2));
const expected = (of: (values: number[]) => number) =>
  pool(volume, 3, 2, 1, (cells) => (cells.some((c) => c.active) ? of(cells.filter((c) => c.active).map((c) => c.value)) : null));

test('against float64, from the dense volume', async () => {
  const { mean, variance } = await conv.momentPool(x, map);
  expect(firstMismatch(mean.features, expected(average), 1e-6)).toBeNull();
  expect(firstMismatch(variance.features, expected(spread), 1e-6)).toBeNull();
  expect(mean.coords).toBe(map.coords);
  expect(variance).toMatchObject({ channels: 5, batchSize: 2, spatialShape: [5, 4] });
});

test('the mean is that of avgPool, bit for bit', async () => {
  expect((await conv.momentPool(x, map)).mean.features).toEqual((await conv.avgPool(x, map)).features);
});

test('numbers far from 0 keep their variance', async () => {
  const far = { ...x, features: x.features.map((v) => v + 1000) };
  const { variance } = await conv.momentPool(far, map);
  const exact = conv.momentPool({ ...x, features: far.features.map((v) => v - 1000) }, map); // no rounding: they are multiples of 2^-14
  expect(firstMismatch(variance.features, (await exact).variance.features, 2e-4)).toBeNull();
});

test('outputs without inputs are 0', async () => {
  const outputs = { coords: Int32Array.of(0, 0, 0, 0, 4, 3), spatialShape: [5, 4], batchSize: 1 };
  const one = conv.tensor({ coords: Int32Array.of(0, 8, 7), features: Float32Array.of(-3), spatialShape: [9, 8] });
  const given = conv.map(one, { mode: 'pool', kernelSize: 3, stride: 2, padding: 1, outputs });
  const { mean, variance } = await conv.momentPool(one, given);
  expect([...mean.features]).toEqual([0, -3]);
  expect([...variance.features]).toEqual([0, 0]);
});

test('the gradient, against central differences in float64', async () => {
  const { mean, variance } = await conv.momentPool(x, map);
  const [ofMean, ofVariance] = [uniform(mean.features.length, 3), uniform(mean.features.length, 4)];
  const dy = { mean: { ...mean, features: ofMean }, variance: { ...variance, features: ofVariance } };
  const dx = await conv.momentPoolGradient(x, dy, map);
  const { starts, in: inputs, out } = map.pairs();
  const pairs = starts.at(-1) as number;
  const loss = (features: Float64Array) => {
    let sum = 0;
    for (let o = 0; o < map.coords.length / 3; o++) {
      for (let c = 0; c < 5; c++) {
        const values: number[] = [];
        for (let p = 0; p < pairs; p++) if (out[p] === o) values.push(features[(inputs[p] as number) * 5 + c] as number);
        sum += average(values) * (ofMean[o * 5 + c] as number) + spread(values) * (ofVariance[o * 5 + c] as number);
      }
    }
    return sum;
  };
  const h = 1e-4;
  for (let i = 0; i < x.features.length; i += 7) {
    const at = (step: number) => Float64Array.from(x.features, (v, j) => (i === j ? v + step : v));
    const slope = (loss(at(h)) - loss(at(-h))) / (2 * h);
    expect(Math.abs((dx.features[i] as number) - slope)).toBeLessThan(1e-5);
  }
});

test('bad input', async () => {
  const code = (c: string) => ({ code: c });
  const moments = await conv.momentPool(x, map);
  const { mean } = moments;
  await expect(conv.momentPool({ ...x, batchSize: 3 }, map)).rejects.toMatchObject(code('ERR_SK_COORDINATES'));
  await expect(conv.momentPool(x, map, { extra: 1 } as never)).rejects.toMatchObject(code('ERR_SK_OPTION'));
  await expect(conv.momentPool(x, map, { signal: AbortSignal.abort(new Error('no')) })).rejects.toThrow('no');
  await expect(conv.momentPoolGradient(x, { mean } as never, map)).rejects.toMatchObject(code('ERR_SK_TYPE'));
  await expect(conv.momentPoolGradient(x, { ...moments, mean: x }, map)).rejects.toMatchObject(code('ERR_SK_COORDINATES'));
  const narrow = { ...mean, channels: 1, features: mean.features.slice(0, mean.coords.length / 3) };
  await expect(conv.momentPoolGradient(x, { mean, variance: narrow }, map)).rejects.toMatchObject(code('ERR_SK_SHAPE'));
});
