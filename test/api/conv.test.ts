/** What users see of conv: tensors, maps, layers. */
import { conv, setNumThreads } from 'sparse-kernels';
import { describe, expect, test } from 'vitest';
import { firstMismatch } from '../reference/compare.js';
import { smallIntegers, uniform } from '../support/random.js';
import { randomVolume, sparse } from '../support/volumes.js';

const line = (sites: number[], features: number[], extent: number) =>
  conv.tensor({
    coords: Int32Array.from(sites.flatMap((x) => [0, x])),
    features: Float32Array.from(features),
    spatialShape: [extent],
  });

describe('tensor', () => {
  test('keeps arrays that are in order, without copying', () => {
    const coords = Int32Array.of(0, 1, 2, 0, 1, 3, 1, 0, 0);
    const features = Float32Array.of(1, 2, 3, 4, 5, 6);
    const x = conv.tensor({ coords, features, spatialShape: [4, 4], batchSize: 2 });
    expect(x.coords).toBe(coords);
    expect(x.features).toBe(features);
    expect(x.channels).toBe(2);
    expect(x.order).toBeUndefined();
  });
  test('sorts the others and says how', () => {
    const x = conv.tensor({
      coords: Int32Array.of(1, 0, 0, 0, 3, 3, 0, 3, 2),
      features: { data: Float32Array.of(1, 2, 3, 4, 5, 6), dims: [3, 2] },
      spatialShape: [4, 4],
      batchSize: 2,
    });
    expect([...x.coords]).toEqual([0, 3, 2, 0, 3, 3, 1, 0, 0]);
    expect([...x.features]).toEqual([5, 6, 3, 4, 1, 2]);
    expect(x.order).toEqual(Int32Array.of(2, 1, 0));
  });
  test('sorts many sites of a grid of 2^60', () => {
    const n = 5000;
    const values = smallIntegers(n * 3, 7).map((v) => (v + 5) * 100_000);
    const coords = new Int32Array(n * 4);
    for (let i = 0; i < n; i++)
      coords.set([0, (values[i] as number) + i, values[n + i] as number, (values[2 * n + i] as number) + n - i], i * 4);
    const x = conv.tensor({ coords, features: new Float32Array(n).map((_, i) => i), spatialShape: [2 ** 20, 2 ** 20, 2 ** 20] });
    const key = (c: Int32Array, i: number) => c.subarray(i * 4, i * 4 + 4).reduce((sum, v) => sum * 2n ** 20n + BigInt(v), 0n);
    for (let i = 1; i < n; i++) expect(key(x.coords, i - 1) < key(x.coords, i)).toBe(true);
    for (let i = 0; i < n; i++) expect(key(coords, x.features[i] as number)).toBe(key(x.coords, i));
  });
});

describe('dense', () => {
  test('there and back', () => {
    const dense = { data: smallIntegers(2 * 3 * 4 * 6, 1), dims: [2, 3, 4, 6] };
    expect(firstMismatch(conv.toDense(conv.fromDense(dense)).data, dense.data, 0)).toBeNull();
    const mask = { data: Uint8Array.of(1, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 1), dims: [2, 2, 3] }; // cells of 2 x 2
    const x = conv.fromDense(dense, mask);
    expect(x.coords.length / 3).toBe(4 * 4);
    const expected = dense.data.map((v, i) => {
      const [b, y, column] = [Math.floor(i / 72), Math.floor(i / 6) % 4, i % 6];
      return mask.data[(b * 2 + Math.floor(y / 2)) * 3 + Math.floor(column / 2)] ? v : 0;
    });
    expect(firstMismatch(conv.toDense(x).data, expected, 0)).toBeNull();
  });
  test('one and four axes', () => {
    for (const shape of [[7], [2, 3, 2, 3]]) {
      const volume = shape.reduce((a, b) => a * b, 1);
      const dense = { data: smallIntegers(2 * volume, 1), dims: [1, 2, ...shape] };
      expect(firstMismatch(conv.toDense(conv.fromDense(dense)).data, dense.data, 0)).toBeNull();
    }
  });
  test('a mask that keeps nothing', () => {
    const x = conv.fromDense({ data: new Float32Array(8).fill(1), dims: [1, 2, 2, 2] }, { data: Float32Array.of(0), dims: [1, 1, 1] });
    expect(x.coords.length).toBe(0);
    expect(conv.toDense(x).data).toEqual(new Float32Array(8));
  });
});

describe('map', () => {
  // The vectors that the rules of spconv give for one axis.
  const x = line([0, 2, 3, 6], [1, 2, 3, 4], 7);
  const pairs = (map: conv.ConvMap) => {
    const { starts, in: rows, out } = map.pairs();
    const site = (coords: Int32Array, row: number) => coords[row * 2 + 1] as number;
    return Array.from({ length: starts.length - 1 }, (_, k) =>
      Array.from({ length: (starts[k + 1] as number) - (starts[k] as number) }, (_, p) => {
        const at = (starts[k] as number) + p;
        return `${site(x.coords, rows[at] as number)}>${site(map.coords, out[at] as number)}`;
      }),
    );
  };
  const sites = (map: conv.ConvMap) => Array.from(map.coords).filter((_, i) => i % 2 === 1);
  test('strided', () => {
    const map = conv.map(x, { mode: 'sparse', kernelSize: 3, stride: 2, padding: 1 });
    expect(sites(map)).toEqual([0, 1, 2, 3]);
    expect(pairs(map)).toEqual([['3>2'], ['0>0', '2>1', '6>3'], ['3>1']]);
  });
  test('dilating', () => {
    const map = conv.map(x, { mode: 'sparse', kernelSize: 3, padding: 1 });
    expect(sites(map)).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect(pairs(map)).toEqual([
      ['0>1', '2>3', '3>4'],
      ['0>0', '2>2', '3>3', '6>6'],
      ['2>1', '3>2', '6>5'],
    ]);
  });
  test('submanifold', () => {
    const map = conv.map(x, { kernelSize: 3 });
    expect(map.coords).toBe(x.coords);
    expect(pairs(map)).toEqual([['2>3'], ['0>0', '2>2', '3>3', '6>6'], ['3>2']]);
    expect(map).toMatchObject({ mode: 'submanifold', kernelSize: [3], kernelVolume: 3, pairCount: 6, bytes: 4 * 8 + 6 * 8 });
  });
  test('transposed', () => {
    const map = conv.map(line([0, 3], [1, 2], 4), { mode: 'transposed', kernelSize: 3, stride: 2, padding: 1, outputPadding: 1 });
    expect(map.spatialShape).toEqual([8]);
    expect(sites(map)).toEqual([0, 1, 5, 6, 7]);
  });
  test('inverse goes back to the sites of the paired map', () => {
    const down = conv.map(x, { mode: 'sparse', kernelSize: 2, stride: 2 });
    const y = conv.layer({ weight: { data: Float32Array.of(1, 1), dims: [1, 2, 1] } }).runSync(x, down);
    const up = conv.map(y, { mode: 'inverse', paired: down });
    expect(up.coords).toBe(x.coords);
    const [there, back] = [down.pairs(), up.pairs()];
    expect(back).toEqual({ starts: there.starts, in: there.out, out: there.in });
    down.dispose(); // the twin holds a share of the pairs
    expect(up.pairs()).toEqual(back);
  });
  test('pool has the kernel as its stride', () => {
    const map = conv.map(x, { mode: 'pool', kernelSize: 2 });
    expect(sites(map)).toEqual([0, 1]); // site 6 is in no window of a grid of 7
    expect(map.spatialShape).toEqual([3]);
  });
  test('offsets: the kernels of MinkowskiEngine', () => {
    const cross = conv.map(x, { offsets: [[0], [-1], [1]] });
    expect(pairs(cross)).toEqual([['0>0', '2>2', '3>3', '6>6'], ['2>3'], ['3>2']]);
    const even = conv.map(x, { mode: 'sparse', offsets: [[0], [1]], stride: 2, outputs: 'floor' }); // even kernels start at 0
    expect(sites(even)).toEqual([0, 1, 3]);
    expect(even.spatialShape).toEqual([4]);
    expect(pairs(even)).toEqual([['0>0', '2>1', '6>3'], ['3>1']]);
    const odd = conv.map(x, { mode: 'sparse', offsets: [[-1], [0], [1]], stride: 2, outputs: 'floor' });
    expect(pairs(odd)).toEqual([[], ['0>0', '2>1', '6>3'], ['3>1']]);
    const generative = conv.map(x, { mode: 'transposed', offsets: [[0], [1]], stride: 2 });
    expect(generative.spatialShape).toEqual([14]);
    expect(sites(generative)).toEqual([0, 1, 4, 5, 6, 7, 12, 13]);
  });
  test('offsets twice are two weights', () => {
    const map = conv.map(x, { offsets: [[1], [1], [-1]] });
    expect(pairs(map)).toEqual([['3>2'], ['3>2'], ['2>3']]);
  });
  test('the far corners of a grid of 2^60, without a dense volume', () => {
    const far = 2 ** 20 - 1;
    const coords = Int32Array.of(0, 0, 0, 0, 0, 0, 0, far, 0, 0, far, 0, 0, far, far, far);
    const corners = conv.tensor({ coords, features: Float32Array.of(1, 2, 4, 8), spatialShape: [2 ** 20, 2 ** 20, 2 ** 20] });
    expect(conv.map(corners, { kernelSize: 3 }).pairCount).toBe(4); // no site is its neighbour's neighbour around a border
    expect(conv.map(corners, { mode: 'sparse', kernelSize: 2, stride: 2 }).pairCount).toBe(4);
    expect(conv.map(corners, { mode: 'sparse', kernelSize: 3, padding: 1 }).coords.length / 4).toBe(4 * 8);
  });
});

describe('layer', () => {
  const volume = randomVolume(2, [24, 30], 16, 0.5, uniform);
  const x = sparse(volume);
  const map = conv.map(x, { kernelSize: 3 });
  const weight = { data: uniform(24 * 9 * 16, 2), dims: [24, 3, 3, 16] };
  const layer = conv.layer({ weight, bias: uniform(24, 3), activation: 'relu' });
  test('run and runSync agree bit for bit, for any number of threads', async () => {
    const expected = layer.runSync(x, map);
    expect(expected).toMatchObject({ channels: 24, spatialShape: [24, 30], batchSize: 2 });
    expect(expected.coords).toBe(x.coords);
    for (const threads of [1, 2, 3, 7]) {
      setNumThreads(threads);
      const results = await Promise.all([layer.run(x, map), layer.run(x, map)]);
      for (const y of results) expect(firstMismatch(y.features, expected.features, 0)).toBeNull();
      const own = conv.layer({ weight, bias: uniform(24, 3), activation: 'relu', threads });
      expect(firstMismatch(own.runSync(x, map).features, expected.features, 0)).toBeNull();
    }
  });
  test('out', async () => {
    const out = new Float32Array((x.coords.length / 3) * 24);
    expect((await layer.run(x, map, { out })).features).toBe(out);
    expect(firstMismatch(out, layer.runSync(x, map).features, 0)).toBeNull();
    const again = new Float32Array(out.length);
    expect(layer.runSync(x, map, { out: again }).features).toBe(again);
    expect(firstMismatch(again, out, 0)).toBeNull();
  });
  test('a flat kernel axis', () => {
    const flat = conv.layer({ weight: { data: weight.data, dims: [24, 9, 16] }, bias: uniform(24, 3), activation: 'relu' });
    expect(firstMismatch(flat.runSync(x, map).features, layer.runSync(x, map).features, 0)).toBeNull();
  });
  test('another tensor at equal coordinates fits', () => {
    const twin = { ...x, coords: x.coords.slice() };
    expect(firstMismatch(layer.runSync(twin, map).features, layer.runSync(x, map).features, 0)).toBeNull();
  });
  test('an aborted run rejects with the reason', async () => {
    const wide = conv.layer({ weight: { data: new Float32Array(512 * 9 * 512), dims: [512, 9, 512] } });
    const stopped = new AbortController();
    const run = wide.run({ ...x, features: new Float32Array((x.coords.length / 3) * 512), channels: 512 }, map, { signal: stopped.signal });
    stopped.abort(new Error('enough'));
    await expect(run).rejects.toThrow('enough');
    await expect(layer.run(x, map, { signal: AbortSignal.abort(new Error('before')) })).rejects.toThrow('before');
  });
  test('map and layer may be disposed while a run is under way', async () => {
    const own = conv.layer({ weight });
    const itsMap = conv.map(x, { kernelSize: 3 });
    const expected = own.runSync(x, itsMap);
    const run = own.run(x, itsMap);
    own.dispose();
    itsMap.dispose();
    expect(firstMismatch((await run).features, expected.features, 0)).toBeNull();
  });
  test('x may be transferred away while a run is under way', async () => {
    const features = x.features.slice();
    const run = layer.run({ ...x, features }, map);
    structuredClone(features.buffer, { transfer: [features.buffer] });
    expect(firstMismatch((await run).features, layer.runSync(x, map).features, 0)).toBeNull();
  });
});

test('no sites: an empty result', async () => {
  const empty = conv.tensor({
    coords: new Int32Array(0),
    features: { data: new Float32Array(0), dims: [0, 3] },
    spatialShape: [4, 4],
  });
  const layer = conv.layer({ weight: { data: new Float32Array(2 * 9 * 3), dims: [2, 3, 3, 3] }, bias: Float32Array.of(1, 2) });
  for (const mode of ['submanifold', 'sparse', 'transposed'] as const) {
    const map = conv.map(empty, { mode, kernelSize: 3 });
    expect(map.pairCount).toBe(0);
    expect((await layer.run(empty, map)).features.length).toBe(0);
    expect(conv.map(conv.map(empty, { mode, kernelSize: 3 }) && layer.runSync(empty, map), { kernelSize: 1 }).pairCount).toBe(0);
  }
});

test('given outputs that nothing reaches get the bias', () => {
  const outputs = line([1, 5], [0, 0], 7);
  const x = line([1], [3], 7);
  const layer = conv.layer({ weight: { data: Float32Array.of(2), dims: [1, 1, 1] }, bias: Float32Array.of(10) });
  const map = conv.map(x, { mode: 'sparse', kernelSize: 1, outputs });
  expect([...layer.runSync(x, map).features]).toEqual([16, 10]);
});
