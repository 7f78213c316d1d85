/** Masks of every scope against their oracles, and at the boundary of what is valid. */
import { prune } from 'sparse-kernels';
import { describe, expect, it } from 'vitest';
import { scopes } from '../cases/prune.js';
import * as oracle from '../reference/prune.js';
import { smallIntegers, uniform } from '../support/random.js';

const shapes = [
  [1, 1],
  [3, 7],
  [5, 16],
  [8, 32],
  [9, 33],
  [13, 40],
] as const;

/** Integers, with many ties, then random numbers, then some NaN, infinities and zeros of both signs. */
function datasets(length: number): [string, Float32Array][] {
  const odd = uniform(length, 3);
  [Number.NaN, Infinity, -Infinity, -0, 0, Number.NaN].forEach((value, i) => {
    if ((i * 5) % length < length) odd[(i * 5) % length] = value;
  });
  return [
    ['integers', smallIntegers(length, 1)],
    ['random', uniform(length, 2)],
    ['odd', odd],
  ];
}

describe('mask', () => {
  for (const [scope, expected] of scopes) {
    it(`keeps what the oracle keeps: ${JSON.stringify(scope)}`, () => {
      for (const [out, inputs] of shapes) {
        for (const [name, data] of datasets(out * inputs)) {
          const mask = prune.mask({ data, dims: [out, inputs] }, scope);
          const want = expected(oracle.toRows(data, inputs)).flat();
          expect([name, out, inputs, [...mask.data]]).toEqual([name, out, inputs, want]);
          expect(mask).toMatchObject({ type: 'uint8', dims: [out, inputs] });
        }
      }
    });
  }

  it.each([1, 2, 3])('finds the best transposable mask: %i:4', (n) => {
    for (const seed of [1, 2]) {
      const data = uniform(8 * 12, seed);
      if (seed === 2) data.set([Number.NaN, Infinity, -Infinity], 5);
      const mask = prune.mask({ data, dims: [8, 12] }, { scope: 'transposable', pattern: `${n}:4` as '2:4' });
      for (let r = 0; r < 8; r += 4) {
        for (let c = 0; c < 12; c += 4) {
          const places = Array.from({ length: 16 }, (_, i) => (r + (i >> 2)) * 12 + c + (i & 3));
          for (let k = 0; k < 4; k++) {
            expect(places.filter((_, i) => i >> 2 === k).reduce((sum, i) => sum + (mask.data[i] as number), 0)).toBe(n);
            expect(places.filter((_, i) => (i & 3) === k).reduce((sum, i) => sum + (mask.data[i] as number), 0)).toBe(n);
          }
          const tile = places.map((i) => data[i] as number);
          if (!tile.every(Number.isFinite)) continue;
          const sum = places.reduce((total, i) => total + (mask.data[i] as number) * (data[i] as number), 0);
          expect(sum).toBeCloseTo(oracle.bestTransposableSum(tile, n), 9);
        }
      }
    }
  });

  it('keeps transposable masks within N at ragged edges, too', () => {
    const { data } = prune.mask({ data: uniform(6 * 7, 5), dims: [6, 7] }, { scope: 'transposable', pattern: '2:4' });
    const rows = oracle.toRows(data, 7);
    for (const row of rows) expect([row.slice(0, 4), row.slice(4)].every((group) => group.reduce((a, b) => a + b, 0) <= 2)).toBe(true);
    for (let c = 0; c < 7; c++) expect(rows.slice(0, 4).reduce((sum, row) => sum + (row[c] as number), 0)).toBeLessThanOrEqual(2);
  });

  it.each([
    [{ scope: 'column', sparsity: 0.5 }, 'ERR_SK_OPTION'],
    [{ scope: 'row' }, 'ERR_SK_OPTION'],
    [{ scope: 'row', sparsity: 1 }, 'ERR_SK_OPTION'],
    [{ scope: 'row', sparsity: -0.1 }, 'ERR_SK_OPTION'],
    [{ scope: 'row', sparsity: Number.NaN }, 'ERR_SK_OPTION'],
    [{ scope: 'row', sparsity: 0.5, block: [4] }, 'ERR_SK_OPTION'],
    [{ scope: 'row', sparsity: 0.5, block: [0, 1] }, 'ERR_SK_OPTION'],
    [{ scope: 'row', sparsity: 0.5, pattern: '2:4' }, 'ERR_SK_OPTION'],
    [{ scope: 'nm' }, 'ERR_SK_PATTERN'],
    [{ scope: 'nm', pattern: '4:4' }, 'ERR_SK_PATTERN'],
    [{ scope: 'nm', pattern: '0:4' }, 'ERR_SK_PATTERN'],
    [{ scope: 'nm', pattern: '1:257' }, 'ERR_SK_PATTERN'],
    [{ scope: 'nm', pattern: '2:4', rows: 0 }, 'ERR_SK_OPTION'],
    [{ scope: 'venom', pattern: '2:8' }, 'ERR_SK_TYPE'],
    [{ scope: 'venom', pattern: '1:3', rows: 8 }, 'ERR_SK_PATTERN'],
    [{ scope: 'venom', pattern: '5:8', rows: 8 }, 'ERR_SK_PATTERN'],
    [{ scope: 'transposable', pattern: '2:8' }, 'ERR_SK_PATTERN'],
    [{ scope: 5 }, 'ERR_SK_TYPE'],
    [undefined, 'ERR_SK_TYPE'],
  ])('refuses the scope %j', (scope, code) => {
    const weight = { data: new Float32Array(16), dims: [4, 4] };
    expect(() => prune.mask(weight, scope as prune.Scope)).toThrow(expect.objectContaining({ code }));
  });

  it('takes the last valid values and empty matrices', () => {
    const weight = { data: new Float32Array(0), dims: [4, 0] };
    for (const [scope] of scopes) expect(prune.mask(weight, scope).data).toHaveLength(0);
    const row = { data: uniform(256, 1), dims: [1, 256] };
    const { data } = prune.mask(row, { scope: 'nm', pattern: '255:256' });
    expect(data.reduce((a, b) => a + b, 0)).toBe(255);
  });

  it('refuses other ranks', () => {
    const weight = { data: new Float32Array(8), dims: [2, 2, 2] };
    expect(() => prune.magnitude(weight, { scope: 'row', sparsity: 0.5 })).toThrow(expect.objectContaining({ code: 'ERR_SK_SHAPE' }));
  });
});

describe('apply', () => {
  const weight = { data: Float32Array.of(1, -2, Number.NaN, 4), dims: [2, 2] };

  it('zeroes what the mask has not', () => {
    expect(prune.apply(weight, { type: 'uint8', data: Uint8Array.of(1, 0, 0, 1), dims: [2, 2] })).toEqual({
      type: 'float32',
      data: Float32Array.of(1, 0, 0, 4),
      dims: [2, 2],
    });
  });

  it.each([
    [{ type: 'uint8', data: Uint8Array.of(1, 0, 0), dims: [2, 2] }, 'ERR_SK_SHAPE'],
    [{ type: 'uint8', data: Uint8Array.of(1, 0, 0, 1), dims: [1, 4] }, 'ERR_SK_SHAPE'],
    [{ type: 'uint8', data: Uint8Array.of(1, 0, 2, 1), dims: [2, 2] }, 'ERR_SK_OPTION'],
    [{ type: 'uint8', data: [1, 0, 0, 1], dims: [2, 2] }, 'ERR_SK_TYPE'],
    [undefined, 'ERR_SK_TYPE'],
  ])('refuses the mask %j', (mask, code) => {
    expect(() => prune.apply(weight, mask as unknown as prune.Mask)).toThrow(expect.objectContaining({ code }));
  });
});

describe('magnitude and random', () => {
  it('essential prunes all layers by one threshold', () => {
    const layers = [smallIntegers(30, 1), uniform(70, 2)];
    const pruned = prune.essential(
      layers.map((data) => ({ data, dims: [data.length / 10, 10] })),
      { sparsity: 0.6 },
    );
    const all = layers.flatMap((data) => [...data].map(Math.abs));
    const want = oracle.globalMask([all], 0.6).flat();
    expect(pruned.flatMap(({ mask }) => [...mask.data])).toEqual(want);
    expect(pruned.map(({ weight }) => weight.dims)).toEqual([
      [3, 10],
      [7, 10],
    ]);
  });

  it('random has the pattern, depends on the seed alone, and is fair', () => {
    const weight = { data: new Float32Array(4096).fill(1), dims: [64, 64] };
    const once = prune.random(weight, { scope: 'nm', pattern: '1:4', seed: 7 });
    expect(prune.random(weight, { scope: 'nm', pattern: '1:4', seed: 7 })).toEqual(once);
    expect(prune.random(weight, { scope: 'nm', pattern: '1:4', seed: 8 })).not.toEqual(once);
    const places = [0, 1, 2, 3].map((k) => once.mask.data.filter((one, i) => one === 1 && i % 4 === k).length);
    expect(places.reduce((a, b) => a + b)).toBe(1024);
    for (const count of places) expect(Math.abs(count - 256)).toBeLessThan(70); // five standard deviations
  });

  it('refuses seeds outside 32 bits', () => {
    const weight = { data: new Float32Array(4), dims: [1, 4] };
    const seeded = (seed: number) => () => prune.random(weight, { scope: 'row', sparsity: 0.5, seed });
    expect(seeded(2 ** 32 - 1)).not.toThrow();
    expect(seeded(2 ** 32)).toThrow(expect.objectContaining({ code: 'ERR_SK_OPTION' }));
    expect(seeded(0.5)).toThrow(expect.objectContaining({ code: 'ERR_SK_OPTION' }));
  });
});
