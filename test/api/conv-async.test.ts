/** What a convolution does off the event loop: maps, and features that are copied in slices. */
import { conv } from 'sparse-kernels';
import { describe, expect, test } from 'vitest';
import { firstMismatch } from '../reference/compare.js';
import { uniform } from '../support/random.js';
import { randomVolume, sparse } from '../support/volumes.js';

describe('mapAsync', () => {
  const x = sparse(randomVolume(2, [24, 30], 2, 0.5, uniform));
  test.each([
    { kernelSize: 3 },
    { mode: 'sparse', kernelSize: 3, stride: 2, padding: 1 },
    { mode: 'sparse', kernelSize: 2, stride: 2, outputs: 'floor' },
    { mode: 'transposed', kernelSize: 2, stride: 2 },
    { mode: 'sparse', kernelSize: 1, outputs: x },
  ] as const)('makes the map that map() makes: %o', async (options) => {
    const [later, now] = [await conv.mapAsync(x, options), conv.map(x, options)];
    expect(later.pairs()).toEqual(now.pairs());
    expect(later.coords).toEqual(now.coords);
    expect(later.bytes).toBe(now.bytes);
    expect(
      await conv
        .mapAsync(
          conv.layer({ weight: { data: new Float32Array(2 * later.kernelVolume), dims: [1, later.kernelVolume, 2] } }).runSync(x, later),
          { mode: 'inverse', paired: later },
        )
        .then((m) => m.pairCount),
    ).toBe(now.pairCount);
  });
  test('copies the coordinates before it returns, and lets the event loop go on', async () => {
    const coords = x.coords.slice();
    let turns = 0;
    const timer = setInterval(() => turns++, 0);
    const wide = conv.tensor({
      coords: Int32Array.from({ length: 3 * 400_000 }, (_, i) =>
        i % 3 === 0 ? 0 : i % 3 === 1 ? Math.floor(i / 3 / 1000) : Math.floor(i / 3) % 1000,
      ),
      features: new Float32Array(400_000),
      spatialShape: [400, 1000],
    });
    const later = conv.mapAsync({ ...x, coords }, { kernelSize: 3 });
    coords.fill(-1);
    const pairs = (await conv.mapAsync(wide, { kernelSize: 9 })).pairCount;
    clearInterval(timer);
    expect(turns).toBeGreaterThan(0);
    expect(pairs).toBeGreaterThan(30e6);
    expect((await later).pairCount).toBe(conv.map(x, { kernelSize: 3 }).pairCount);
  });
  test('bad input and abort', async () => {
    await expect(conv.mapAsync(x, { kernelSize: 2 })).rejects.toMatchObject({ code: 'ERR_SK_OPTION' });
    await expect(conv.mapAsync(x, { kernelSize: 3, extra: 1 } as never)).rejects.toMatchObject({ code: 'ERR_SK_OPTION' });
    const shuffled = { ...x, coords: x.coords.slice().reverse() };
    await expect(conv.mapAsync(shuffled, { kernelSize: 3 })).rejects.toMatchObject({ code: 'ERR_SK_COORDINATES' });
    await expect(conv.mapAsync(x, { kernelSize: 3, signal: AbortSignal.abort(new Error('no')) })).rejects.toThrow('no');
  });
});

test('many features are copied in slices; their buffer may not be taken away meanwhile', async () => {
  const coords = Int32Array.from({ length: 3 * 40_000 }, (_, i) =>
    i % 3 === 0 ? 0 : i % 3 === 1 ? Math.floor(i / 600) : Math.floor(i / 3) % 200,
  );
  const x = conv.tensor({ coords, features: uniform(40_000 * 32, 1), spatialShape: [200, 200] });
  const map = conv.map(x, { kernelSize: 3 });
  const layer = conv.layer({ weight: { data: uniform(4 * 9 * 32, 2), dims: [4, 3, 3, 32] } });
  const expected = layer.runSync(x, map);
  expect(firstMismatch((await layer.run(x, map)).features, expected.features, 0)).toBeNull();
  const features = x.features.slice();
  const run = layer.run({ ...x, features }, map);
  structuredClone(features.buffer, { transfer: [features.buffer] });
  await expect(run).rejects.toMatchObject({ code: 'ERR_SK_BUFFER' });
});

test('a large given result is copied in slices, too; turns of the event loop come in between', async () => {
  const coords = Int32Array.from({ length: 3 * 40_000 }, (_, i) =>
    i % 3 === 0 ? 0 : i % 3 === 1 ? Math.floor(i / 600) : Math.floor(i / 3) % 200,
  );
  const x = conv.tensor({ coords, features: uniform(40_000, 1), spatialShape: [200, 200] });
  const map = conv.map(x, { kernelSize: 1 });
  const layer = conv.layer({ weight: { data: uniform(64, 2), dims: [64, 1, 1, 1] } });
  const expected = layer.runSync(x, map);
  const out = new Float32Array(40_000 * 64);
  const seen = new Set<number>();
  const timer = setInterval(() => seen.add(out.findLastIndex((v) => v !== 0)), 0);
  const y = await layer.run(x, map, { out });
  clearInterval(timer);
  expect(y.features).toBe(out);
  expect(firstMismatch(out, expected.features, 0)).toBeNull();
  expect(seen.size).toBeGreaterThan(2); // none, some, more of it

  const given = new Float32Array(40_000 * 64);
  const run = layer.run(x, map, { out: given });
  structuredClone(given.buffer, { transfer: [given.buffer] });
  await expect(run).rejects.toMatchObject({ code: 'ERR_SK_BUFFER' });
});

test('copies are lent to one run at a time: several at once, one after another, after an aborted one', async () => {
  const coords = Int32Array.from({ length: 3 * 40_000 }, (_, i) =>
    i % 3 === 0 ? 0 : i % 3 === 1 ? Math.floor(i / 600) : Math.floor(i / 3) % 200,
  );
  const inputs = [1, 2, 3, 4].map((seed) => conv.tensor({ coords, features: uniform(40_000 * 32, seed), spatialShape: [200, 200] }));
  const map = conv.map(inputs[0] as conv.SparseTensor, { kernelSize: 3 });
  const layer = conv.layer({ weight: { data: uniform(32 * 9 * 32, 5), dims: [32, 3, 3, 32] } });
  const expected = inputs.map((x) => layer.runSync(x, map).features);
  for (let round = 0; round < 3; round++) {
    const abort = new AbortController();
    const aborted = layer.run(inputs[round] as conv.SparseTensor, map, { signal: abort.signal });
    const runs = inputs.map((x) => layer.run(x, map, { out: new Float32Array(40_000 * 32) }));
    setTimeout(() => abort.abort(new Error('enough')), round);
    await expect(aborted).rejects.toThrow('enough');
    for (const [i, { features }] of (await Promise.all(runs)).entries()) {
      expect(firstMismatch(features, expected[i] as Float32Array, 0)).toBeNull();
    }
  }
});
