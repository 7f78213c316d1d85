/** Pooling, norms, sums and gradients over active sites. */
import { conv, setNumThreads } from 'sparse-kernels';
import { describe, expect, test } from 'vitest';
import { dotTolerance, firstMismatch } from '../reference/compare.js';
import { poolVolume as pool } from '../reference/conv-pool.js';
import { onnxruntime } from '../support/onnx.js';
import { smallIntegers, uniform } from '../support/random.js';
import { randomVolume, sparse } from '../support/volumes.js';

describe('pooling', () => {
  const volume = randomVolume(2, [9, 8], 5, 0.4, uniform);
  const x = sparse(volume);
  const map = conv.map(x, { mode: 'pool', kernelSize: 3, stride: 2, padding: 1 });
  const some = (cells: { active: boolean }[]) => cells.some((c) => c.active);
  const sum = (cells: { value: number }[]) => cells.reduce((total, c) => total + c.value, 0);
  const max = (values: number[]) => values.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  const compare = (y: conv.SparseTensor, of: (cells: { value: number; active: boolean }[]) => number, tolerance: number) =>
    expect(
      firstMismatch(
        y.features,
        pool(volume, 3, 2, 1, (cells) => (some(cells) ? of(cells) : null)),
        tolerance,
      ),
    ).toBeNull();
  test('max of the sites that are there', async () => {
    compare(await conv.maxPool(x, map), (cells) => max(cells.filter((c) => c.active).map((c) => c.value)), 0);
  });
  test('max with zeros where no site is, as SparK has it', async () => {
    compare(await conv.maxPool(x, map, { inactive: 'zero' }), (cells) => max(cells.map((c) => c.value)), 0);
  });
  test('means with each divisor', async () => {
    const tolerance = dotTolerance(9, 1, 1, 0);
    compare(await conv.avgPool(x, map), (cells) => sum(cells) / cells.filter((c) => c.active).length, tolerance);
    compare(await conv.avgPool(x, map, { divisor: 'inside' }), (cells) => sum(cells) / cells.length, tolerance);
    compare(await conv.avgPool(x, map, { divisor: 'kernel' }), (cells) => sum(cells) / 9, tolerance);
    compare(await conv.avgPool(x, map, { divisor: 'none' }), sum, tolerance);
  });
  test('outputs without inputs are 0', async () => {
    const outputs = { coords: Int32Array.of(0, 0, 0, 0, 4, 3), spatialShape: [5, 4], batchSize: 1 };
    const one = conv.tensor({ coords: Int32Array.of(0, 8, 7), features: Float32Array.of(-3), spatialShape: [9, 8] });
    const given = conv.map(one, { mode: 'pool', kernelSize: 3, stride: 2, padding: 1, outputs });
    expect([...(await conv.maxPool(one, given)).features]).toEqual([0, -3]);
    expect([...(await conv.avgPool(one, given)).features]).toEqual([0, -3]);
  });
  test('NaN and infinities spread', async () => {
    const odd = conv.tensor({
      coords: Int32Array.of(0, 0, 0, 1, 0, 2, 0, 3),
      features: Float32Array.of(1, Number.NaN, Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY),
      spatialShape: [4],
    });
    const pairs = conv.map(odd, { mode: 'pool', kernelSize: 2 });
    expect([...(await conv.maxPool(odd, pairs)).features]).toEqual([Number.NaN, Number.NEGATIVE_INFINITY]);
  });
  test('the same bits for any number of threads', async () => {
    const big = sparse(randomVolume(1, [90, 90], 33, 0.5, uniform));
    const itsMap = conv.map(big, { kernelSize: 3 });
    setNumThreads(1);
    const expected = await conv.avgPool(big, itsMap);
    setNumThreads(3);
    expect(firstMismatch((await conv.avgPool(big, itsMap)).features, expected.features, 0)).toBeNull();
  });
  test('with all sites active it is the dense operator of onnxruntime', async () => {
    const dense = { data: uniform(2 * 3 * 7 * 9, 1), dims: [2, 3, 7, 9] };
    const all = conv.fromDense(dense);
    const own = conv.map(all, { mode: 'pool', kernelSize: 3, stride: 2, padding: 1 });
    const attributes = { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] };
    const largest = await onnxruntime('MaxPool', dense, [], attributes);
    expect(firstMismatch(conv.toDense(await conv.maxPool(all, own)).data, largest.data, 0)).toBeNull();
    for (const [divisor, flag] of [
      ['inside', 0],
      ['kernel', 1],
    ] as const) {
      const mean = await onnxruntime('AveragePool', dense, [], { ...attributes, count_include_pad: flag });
      expect(firstMismatch(conv.toDense(await conv.avgPool(all, own, { divisor })).data, mean.data, 1e-6)).toBeNull();
    }
  });
  test('global pooling', () => {
    const empty = conv.tensor({
      coords: Int32Array.of(1, 0, 1, 3),
      features: Float32Array.of(-1, 2, -3, 8),
      spatialShape: [4],
      batchSize: 3,
    });
    expect([...conv.globalPool(empty, 'max').data]).toEqual([0, 0, -1, 8, 0, 0]);
    expect([...conv.globalPool(empty, 'avg').data]).toEqual([0, 0, -2, 5, 0, 0]);
    expect([...conv.globalPool(empty, 'sum').data]).toEqual([0, 0, -4, 10, 0, 0]);
  });
  test('bad input', async () => {
    const code = (c: string) => ({ code: c });
    await expect(conv.maxPool(x, map, { inactive: 'no' as never })).rejects.toMatchObject(code('ERR_SK_OPTION'));
    await expect(conv.avgPool(x, map, { divisor: 9 as never })).rejects.toMatchObject(code('ERR_SK_TYPE'));
    await expect(conv.maxPool({ ...x, batchSize: 3 }, map)).rejects.toMatchObject(code('ERR_SK_COORDINATES'));
    const offsets = conv.map(x, { offsets: [[0, 0]] });
    await expect(conv.maxPool(x, offsets, { inactive: 'zero' })).rejects.toMatchObject(code('ERR_SK_OPTION'));
    expect(() => conv.globalPool(x, 'min' as never)).toThrow(expect.objectContaining(code('ERR_SK_OPTION')));
    const aborted = AbortSignal.abort(new Error('no'));
    await expect(conv.maxPool(x, map, { signal: aborted })).rejects.toThrow('no');
  });
});

describe('norms', () => {
  const x = sparse(randomVolume(2, [6, 7], 4, 0.5, uniform));
  const rows = x.features.length / 4;
  const column = (c: number, features = x.features) => Array.from({ length: rows }, (_, row) => features[row * 4 + c] as number);
  const mean = (values: number[]) => values.reduce((a, b) => a + b, 0) / values.length;
  test('batch norm by the sites of the batch, and by given moments', () => {
    const [weight, bias] = [uniform(4, 5), uniform(4, 6)];
    const y = conv.batchNorm(x, { weight, bias });
    const given = conv.batchNorm(x, { weight, bias, ...conv.moments(x) });
    expect(firstMismatch(given.features, y.features, 1e-6)).toBeNull();
    for (let c = 0; c < 4; c++) {
      const values = column(c);
      const variance = mean(values.map((v) => (v - mean(values)) ** 2));
      const expected = values.map((v) => ((v - mean(values)) / Math.sqrt(variance + 1e-5)) * (weight[c] as number) + (bias[c] as number));
      expect(firstMismatch(column(c, y.features), expected, 1e-5)).toBeNull();
    }
  });
  test('layer norm', () => {
    const y = conv.layerNorm(x, { weight: Float32Array.of(1, 2, 3, 4), bias: Float32Array.of(4, 3, 2, 1) });
    for (let row = 0; row < rows; row++) {
      const values = [...x.features.subarray(row * 4, row * 4 + 4)];
      const variance = mean(values.map((v) => (v - mean(values)) ** 2));
      const expected = values.map((v, c) => ((v - mean(values)) / Math.sqrt(variance + 1e-6)) * (c + 1) + 4 - c);
      expect(firstMismatch(y.features.subarray(row * 4, row * 4 + 4), expected, 1e-5)).toBeNull();
    }
  });
  test('bad input', () => {
    const code = (c: string) => expect.objectContaining({ code: c });
    expect(() => conv.batchNorm(x, { mean: new Float32Array(4) })).toThrow(code('ERR_SK_OPTION'));
    expect(() => conv.batchNorm(x, { weight: new Float32Array(3) })).toThrow(code('ERR_SK_SHAPE'));
    expect(() => conv.layerNorm(x, { epsilon: -1 })).toThrow(code('ERR_SK_OPTION'));
    expect(() => conv.layerNorm(x, { bias: [0, 0, 0, 0] as never })).toThrow(code('ERR_SK_TYPE'));
  });
});

describe('add and concat', () => {
  const [a, b] = [randomVolume(2, [5, 6], 3, 0.5, smallIntegers, 1), randomVolume(2, [5, 6], 3, 0.5, smallIntegers, 2)];
  const [x, y] = [sparse(a), sparse(b)];
  const sites = a.active.map((there, i) => there || (b.active[i] as boolean));
  test('union of the sites', () => {
    const sum = conv.add(x, y);
    expect(sum.coords.length / 3).toBe(sites.filter(Boolean).length);
    const dense = conv.toDense(x).data.map((v, i) => v + (conv.toDense(y).data[i] as number));
    expect(firstMismatch(conv.toDense(sum).data, dense, 0)).toBeNull();
    const both = conv.concat(x, y);
    expect(both.coords).toEqual(sum.coords);
    expect(both.channels).toBe(6);
    const joined = conv.toDense(both);
    for (let sample = 0; sample < 2; sample++) {
      const part = joined.data.subarray(sample * 180, sample * 180 + 180);
      expect(firstMismatch(part.subarray(0, 90), conv.toDense(x).data.subarray(sample * 90, sample * 90 + 90), 0)).toBeNull();
      expect(firstMismatch(part.subarray(90), conv.toDense(y).data.subarray(sample * 90, sample * 90 + 90), 0)).toBeNull();
    }
    expect(() => conv.map(sum, { kernelSize: 1 })).not.toThrow(); // in ascending order
  });
  test('on the same sites the coordinates are shared', () => {
    const twin = { ...x, features: x.features.map((v) => 2 * v) };
    expect(conv.add(x, twin).coords).toBe(x.coords);
    expect([...conv.add(x, twin).features]).toEqual([...x.features].map((v) => 3 * v));
    expect(conv.add(x, { ...twin, coords: x.coords.slice() }).coords).toBe(x.coords);
  });
  test('bad input', () => {
    const code = (c: string) => expect.objectContaining({ code: c });
    expect(() => conv.add(x, { ...y, channels: 1, features: y.features.slice(0, y.coords.length / 3) })).toThrow(code('ERR_SK_SHAPE'));
    expect(() => conv.concat(x, { ...y, spatialShape: [6, 6] })).toThrow(code('ERR_SK_COORDINATES'));
  });
});

describe('gradients, against differences of the loss <y, g> (exact: everything is a small integer)', () => {
  const x = sparse(randomVolume(1, [6, 5], 4, 0.6, smallIntegers));
  const dot = (a: Float32Array, b: Float32Array) => a.reduce((sum, v, i) => sum + v * (b[i] as number), 0);
  const nudged = (data: Float32Array, i: number) => data.map((v, j) => (i === j ? v + 1 : v));
  const maps = {
    submanifold: conv.map(x, { kernelSize: 3 }),
    strided: conv.map(x, { mode: 'sparse', kernelSize: [2, 3], stride: 2, padding: 1 }),
    transposed: conv.map(x, { mode: 'transposed', kernelSize: 2, stride: 2 }),
  };
  for (const [name, map] of Object.entries(maps)) {
    test.each([1, 2, 4])(`${name} layer, %i groups`, async (groups) => {
      const weight = { data: smallIntegers((8 * map.kernelVolume * 4) / groups, 3), dims: [8, map.kernelVolume, 4 / groups] };
      const forward = (features: Float32Array, data: Float32Array) =>
        conv.layer({ weight: { ...weight, data }, groups }).runSync({ ...x, features }, map);
      const y = forward(x.features, weight.data);
      const g = { ...y, features: smallIntegers(y.features.length, 4) };
      const loss = dot(y.features, g.features);
      const dx = await conv.inputGradient(g, weight, map, { groups });
      const slopes = Array.from(x.features, (_, i) => dot(forward(nudged(x.features, i), weight.data).features, g.features) - loss);
      expect(firstMismatch(dx.features, slopes, 0)).toBeNull();
      const dw = await conv.weightGradient(x, g, map, { groups });
      expect(dw.dims).toEqual([8, ...(map.kernelSize as number[]), 4 / groups]);
      const wanted = Array.from(weight.data, (_, i) => dot(forward(x.features, nudged(weight.data, i)).features, g.features) - loss);
      expect(firstMismatch(dw.data, wanted, 0)).toBeNull();
    });
  }
  const pools = conv.map(x, { mode: 'pool', kernelSize: 3, stride: 2, padding: 1 });
  test('max pooling: the first maximum has it all', async () => {
    const distinct = { ...x, features: x.features.map((_, i) => ((i * 37) % 101) - 50) };
    const y = await conv.maxPool(distinct, pools);
    const g = { ...y, features: smallIntegers(y.features.length, 4) };
    const step = 2 ** -4;
    const dx = await conv.maxPoolGradient(distinct, g, pools);
    for (const i of distinct.features.keys()) {
      const up = { ...x, features: distinct.features.map((v, j) => (i === j ? v + step : v)) };
      expect(dx.features[i]).toBe((dot((await conv.maxPool(up, pools)).features, g.features) - dot(y.features, g.features)) / step);
    }
    const ties = { ...x, features: new Float32Array(x.features.length) };
    const shared = await conv.maxPoolGradient(ties, { ...g, features: g.features.map(() => 1) }, pools);
    expect(shared.features.reduce((a, b) => a + b, 0)).toBe(y.features.length);
    const zeros = await conv.maxPoolGradient({ ...x, features: x.features.map(() => -1) }, g, pools, { inactive: 'zero' });
    const inside = await conv.maxPool({ ...x, features: x.features.map(() => -1) }, pools, { inactive: 'zero' });
    const passed = g.features.reduce((sum, v, i) => sum + (inside.features[i] === 0 ? 0 : v), 0); // 0 won: nobody gets it
    expect(zeros.features.reduce((a, b) => a + b, 0)).toBe(passed);
  });
  test.each(['active', 'inside', 'kernel', 'none'] as const)('mean pooling, divisor %s', async (divisor) => {
    const y = await conv.avgPool(x, pools, { divisor });
    const g = { ...y, features: uniform(y.features.length, 4) };
    const dx = await conv.avgPoolGradient(g, pools, { divisor });
    const other = { ...x, features: uniform(x.features.length, 9) };
    const adjoint = dot((await conv.avgPool(other, pools, { divisor })).features, g.features); // <A v, g> = <v, Aᵀ g>
    expect(Math.abs(dot(other.features, dx.features) - adjoint)).toBeLessThan(1e-4);
  });
  test('bad input', async () => {
    const map = maps.strided;
    const y = conv.layer({ weight: { data: new Float32Array(2 * 6 * 4), dims: [2, 6, 4] } }).runSync(x, map);
    const weight = { data: new Float32Array(2 * 6 * 4), dims: [2, 6, 4] };
    const code = (c: string) => ({ code: c });
    await expect(conv.inputGradient(x, weight, map)).rejects.toMatchObject(code('ERR_SK_SHAPE'));
    await expect(
      conv.inputGradient({ ...x, channels: 2, features: x.features.slice(0, (x.coords.length / 3) * 2) }, weight, map),
    ).rejects.toMatchObject(code('ERR_SK_COORDINATES'));
    await expect(conv.inputGradient(y, { ...weight, dims: [2, 4, 6] }, map)).rejects.toMatchObject(code('ERR_SK_SHAPE'));
    await expect(conv.weightGradient(x, y, map, { groups: 3 })).rejects.toMatchObject(code('ERR_SK_SHAPE'));
    await expect(conv.weightGradient(y, x, map)).rejects.toMatchObject(code('ERR_SK_COORDINATES'));
    await expect(conv.maxPoolGradient(x, y, pools)).rejects.toMatchObject(code('ERR_SK_COORDINATES'));
    const pooled = await conv.maxPool(x, pools);
    const narrow = { ...pooled, channels: 1, features: pooled.features.slice(0, pooled.coords.length / 3) };
    await expect(conv.maxPoolGradient(x, narrow, pools)).rejects.toMatchObject(code('ERR_SK_SHAPE'));
    await expect(conv.avgPoolGradient(x, pools)).rejects.toMatchObject(code('ERR_SK_COORDINATES'));
  });
});
