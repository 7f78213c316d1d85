/** The prune domain against its oracles, and at the boundary of what is valid. */
import { prune } from 'sparse-kernels';
import { describe, expect, it } from 'vitest';
import { firstMismatch } from '../reference/compare.js';
import * as oracle from '../reference/prune.js';
import { generator, smallIntegers, uniform } from '../support/random.js';

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

const scopes: [prune.Scope, (scores: oracle.Rows) => oracle.Rows][] = [
  [{ scope: 'global', sparsity: 0 }, (s) => oracle.globalMask(s, 0)],
  [{ scope: 'global', sparsity: 0.5 }, (s) => oracle.globalMask(s, 0.5)],
  [{ scope: 'global', sparsity: 0.99 }, (s) => oracle.globalMask(s, 0.99)],
  [{ scope: 'row', sparsity: 0.7 }, (s) => oracle.rowMask(s, 0.7)],
  [{ scope: 'global', sparsity: 0.5, block: [4, 1] }, (s) => oracle.blockMask(s, [4, 1], 0.5, 'global')],
  [{ scope: 'row', sparsity: 0.5, block: [1, 16] }, (s) => oracle.blockMask(s, [1, 16], 0.5, 'row')],
  [{ scope: 'row', sparsity: 0.75, block: [2, 3] }, (s) => oracle.blockMask(s, [2, 3], 0.75, 'row')],
  [{ scope: 'nm', pattern: '2:4' }, (s) => oracle.nmMask(s, 2, 4)],
  [{ scope: 'nm', pattern: '1:2' }, (s) => oracle.nmMask(s, 1, 2)],
  [{ scope: 'nm', pattern: '5:32' }, (s) => oracle.nmMask(s, 5, 32)],
  [{ scope: 'nm', pattern: '2:4', rows: 8 }, (s) => oracle.nmMask(s, 2, 4, 8)],
  [{ scope: 'nm', pattern: '1:8', rows: 4 }, (s) => oracle.nmMask(s, 1, 8, 4)],
  [{ scope: 'venom', pattern: '2:8', rows: 4 }, (s) => oracle.venomMask(s, 2, 8, 4)],
  [{ scope: 'venom', pattern: '1:10', rows: 3 }, (s) => oracle.venomMask(s, 1, 10, 3)],
];

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

/** Inputs with very different scales, some always zero. */
function activations(tokens: number, inputs: number, seed: number): Float32Array {
  const next = generator(seed);
  const scale = Array.from({ length: inputs }, (_, j) => (j % 11 === 10 ? 0 : next() ** 3 * 4));
  return Float32Array.from({ length: tokens * inputs }, (_, i) => Math.fround((next() - 0.3) * (scale[i % inputs] as number)));
}

function calibrate(x: Float32Array, inputs: number, hessian: boolean, batch = x.length / inputs): prune.Calibration {
  const calibration = new prune.Calibration(inputs, { hessian });
  for (let first = 0; first < x.length; first += batch * inputs) {
    const data = x.subarray(first, first + batch * inputs);
    calibration.add({ data, dims: [data.length / inputs, inputs] });
  }
  return calibration;
}

describe('Calibration', () => {
  it.each([1, 4, 7, 30])('sums the same in batches of %i', (batch) => {
    const x = smallIntegers(30 * 9, 4);
    const rows = oracle.toRows(x, 9);
    const calibration = calibrate(x, 9, true, batch);
    expect(calibration.tokens).toBe(30);
    const gram = oracle.gram(rows);
    expect([...(calibration.products as Float64Array)]).toEqual(gram.flat());
    expect([...calibration.squares]).toEqual(gram.map((row, j) => row[j]));
    expect([...calibration.sums]).toEqual(gram.map((_, j) => rows.reduce((sum, row) => sum + (row[j] as number), 0)));
  });

  it('refuses inputs of another width, and widths that do not fit', () => {
    const calibration = new prune.Calibration(4);
    expect(() => calibration.add({ data: new Float32Array(6), dims: [2, 3] })).toThrow(expect.objectContaining({ code: 'ERR_SK_SHAPE' }));
    expect(() => new prune.Calibration(0)).toThrow(expect.objectContaining({ code: 'ERR_SK_OPTION' }));
    expect(() => new prune.Calibration(2 ** 24, { hessian: true })).toThrow(expect.objectContaining({ code: 'ERR_SK_MEMORY' }));
  });
});

describe('wanda', () => {
  it.each(scopes.map(([scope, expected]) => ({ scope, expected })))('scores |w| ||x||: $scope', ({ scope, expected }) => {
    const [out, inputs] = [9, 33];
    const data = uniform(out * inputs, 5);
    const x = activations(20, inputs, 6);
    const norms = oracle.gram(oracle.toRows(x, inputs)).map((row, j) => Math.sqrt(row[j] as number));
    const scores = oracle.toRows(data, inputs).map((row) => row.map((w, j) => Math.fround(Math.abs(w) * (norms[j] as number))));
    const { mask, weight } = prune.wanda({ data, dims: [out, inputs] }, { ...scope, calibration: calibrate(x, inputs, false) });
    const want = expected(scores).flat();
    expect([...mask.data]).toEqual(want);
    expect([...weight.data]).toEqual(want.map((one, i) => (one ? data[i] : 0)));
  });

  it.each([
    [undefined, 'a Calibration'],
    [new prune.Calibration(4), 'at least one token'],
    [calibrate(new Float32Array(3), 3, false), '4 inputs'],
  ])('refuses the calibration %#', (calibration, message) => {
    const weight = { data: new Float32Array(4), dims: [1, 4] };
    expect(() => prune.wanda(weight, { scope: 'row', sparsity: 0.5, calibration: calibration as prune.Calibration })).toThrow(message);
  });
});

describe('sparsegpt', () => {
  const [out, inputs] = [7, 24];
  const data = uniform(out * inputs, 8);
  const x = activations(60, inputs, 9);
  const rows = oracle.toRows(data, inputs);
  const calibration = calibrate(x, inputs, true);
  const damp = 0.01;

  it.each(scopes.map(([scope, expected]) => ({ scope, expected })))('is the sweep of optimal updates: $scope', ({ scope, expected }) => {
    const unit =
      'pattern' in scope ? Number(scope.pattern.split(':')[1]) : Math.ceil(8 / (scope.block?.[1] ?? 1)) * (scope.block?.[1] ?? 1);
    const want = oracle.sparseGpt(rows, oracle.toRows(x, inputs), damp, unit, expected);
    const got = prune.sparsegpt({ data, dims: [out, inputs] }, { ...scope, calibration, blockSize: 8 });
    expect([...got.mask.data]).toEqual(want.mask.flat());
    expect(firstMismatch(got.weight.data, want.weight.flat(), 1e-5)).toBeNull();
  });

  it('does not depend on the block size where groups decide', () => {
    const run = (blockSize: number) =>
      prune.sparsegpt({ data, dims: [out, inputs] }, { scope: 'nm', pattern: '2:4', calibration, blockSize });
    const [small, large] = [run(1), run(128)];
    expect(small.mask).toEqual(large.mask);
    expect(firstMismatch(small.weight.data, large.weight.data, 1e-5)).toBeNull();
  });

  it('changes the outputs less than the same mask without repair, and than Wanda', () => {
    const error = (pruned: ArrayLike<number>) => {
      const difference = oracle.toRows(
        data.map((w, i) => w - (pruned[i] as number)),
        inputs,
      );
      return oracle.toRows(x, inputs).reduce((sum, token) => {
        return sum + difference.reduce((s, row) => s + row.reduce((d, w, j) => d + w * (token[j] as number), 0) ** 2, 0);
      }, 0);
    };
    const weight = { data, dims: [out, inputs] };
    for (const pattern of ['2:4', '1:4', '4:8'] as const) {
      const repaired = prune.sparsegpt(weight, { scope: 'nm', pattern, calibration });
      expect(error(repaired.weight.data)).toBeLessThan(error(prune.apply(weight, repaired.mask).data));
      expect(error(repaired.weight.data)).toBeLessThan(error(prune.wanda(weight, { scope: 'nm', pattern, calibration }).weight.data));
    }
  });

  it('says so when the Hessian cannot be inverted', () => {
    const few = calibrate(Float32Array.of(1, 2, 3, 4), 4, true);
    const weight = { data: new Float32Array(8).fill(1), dims: [2, 4] };
    const run = (damp: number) => () => prune.sparsegpt(weight, { scope: 'nm', pattern: '2:4', calibration: few, damp });
    expect(run(0)).toThrow(expect.objectContaining({ code: 'ERR_SK_SINGULAR' }));
    expect(run(0.01)).not.toThrow();
    expect(run(-1)).toThrow(expect.objectContaining({ code: 'ERR_SK_OPTION' }));
  });

  it('needs the Hessian', () => {
    const weight = { data: new Float32Array(4), dims: [1, 4] };
    const without = calibrate(Float32Array.of(1, 2, 3, 4), 4, false);
    expect(() => prune.sparsegpt(weight, { scope: 'nm', pattern: '2:4', calibration: without })).toThrow('hessian: true');
  });
});

describe('dsnot', () => {
  const [out, inputs] = [12, 32];
  const data = uniform(out * inputs, 10);
  const x = activations(50, inputs, 11);
  const calibration = calibrate(x, inputs, false);
  const tokens = oracle.toRows(x, inputs);
  const mean = Array.from({ length: inputs }, (_, j) => tokens.reduce((sum, token) => sum + (token[j] as number), 0) / tokens.length);
  const variance = mean.map((m, j) =>
    Math.max(tokens.reduce((sum, token) => sum + (token[j] as number) ** 2, 0) / tokens.length - m ** 2, Number.MIN_VALUE),
  );
  const expectedError = (row: number, mask: ArrayLike<number>) =>
    mean.reduce((sum, m, j) => sum + (mask[row * inputs + j] === 0 ? m * (data[row * inputs + j] as number) : 0), 0);

  it.each([
    [{ scope: 'row', sparsity: 0.5 } as const, undefined],
    [{ scope: 'row', sparsity: 0.8 } as const, undefined],
    [{ scope: 'nm', pattern: '2:4' } as const, 4],
    [{ scope: 'nm', pattern: '1:8' } as const, 8],
  ])('swaps as the oracle does: %j', (scope, group) => {
    for (const settings of [
      { cycles: 50, threshold: 0.1 / 2048 },
      { cycles: 2, threshold: 0 },
      { cycles: 50, threshold: 0.3 },
    ]) {
      const start = prune.wanda({ data, dims: [out, inputs] }, { ...scope, calibration }).mask;
      const { mask } = prune.dsnot({ data, dims: [out, inputs] }, { ...scope, ...settings, calibration });
      const scores = Array.from(data, (w, i) => Math.fround(Math.abs(w) * Math.sqrt(calibration.squares[i % inputs] as number)));
      const slice = (values: ArrayLike<number>, r: number) => Array.from(values).slice(r * inputs, (r + 1) * inputs);
      const want = Array.from({ length: out }, (_, r) =>
        oracle.dsnotRow(slice(data, r), slice(start.data, r), slice(scores, r), mean, variance, { ...settings, group }),
      );
      expect([...mask.data]).toEqual(want.flat());
      if (settings.cycles === 50 && settings.threshold < 0.1) expect(mask.data).not.toEqual(start.data);
    }
  });

  it('shrinks the expected error of every row and keeps the counts', () => {
    const scope = { scope: 'row', sparsity: 0.6 } as const;
    const start = prune.wanda({ data, dims: [out, inputs] }, { ...scope, calibration }).mask;
    const { mask } = prune.dsnot({ data, dims: [out, inputs] }, { ...scope, calibration });
    for (let r = 0; r < out; r++) {
      expect(Math.abs(expectedError(r, mask.data))).toBeLessThanOrEqual(Math.abs(expectedError(r, start.data)) + 1e-12);
      const count = (m: prune.Mask) => m.data.subarray(r * inputs, (r + 1) * inputs).reduce((a, b) => a + b, 0);
      expect(count(mask)).toBe(count(start));
    }
  });

  it('starts from a given mask, and refuses scopes that span rows', () => {
    const weight = { data, dims: [out, inputs] };
    const mask = prune.magnitude(weight, { scope: 'row', sparsity: 0.5 }).mask;
    expect(prune.dsnot(weight, { scope: 'row', sparsity: 0.5, calibration, mask, cycles: 0 }).mask).toEqual(mask);
    const refused = expect.objectContaining({ code: 'ERR_SK_OPTION' });
    expect(() => prune.dsnot(weight, { scope: 'global', sparsity: 0.5, calibration })).toThrow(refused);
    expect(() => prune.dsnot(weight, { scope: 'nm', pattern: '2:4', rows: 8, calibration })).toThrow(refused);
    expect(() => prune.dsnot(weight, { scope: 'row', sparsity: 0.5, calibration, threshold: -1 })).toThrow(refused);
  });
});

describe('budget', () => {
  const layers = [
    [64, 3, 7, 7],
    [64, 64, 1, 1],
    [256, 64, 3, 3],
    [512, 2048],
    [10, 512],
  ];

  it.each([0, 0.3, 0.8, 0.9, 0.99])('shares a sparsity of %f as the oracle does', (sparsity) => {
    for (const method of ['er', 'erk'] as const) {
      const shares = prune.budget(layers, { sparsity, method });
      expect(firstMismatch(shares, oracle.erdosRenyi(layers, sparsity, method === 'erk'), 1e-9)).toBeNull();
      const size = (dims: number[]) => dims.reduce((a, b) => a * b);
      const kept = shares.reduce((sum, share, i) => sum + (1 - share) * size(layers[i] as number[]), 0);
      expect(kept).toBeCloseTo((1 - sparsity) * layers.reduce((sum, dims) => sum + size(dims), 0), 3);
    }
    expect(prune.budget(layers, { sparsity, method: 'uniform' })).toEqual(layers.map(() => sparsity));
  });

  it('refuses what is no layer', () => {
    const refused = expect.objectContaining({ code: 'ERR_SK_SHAPE' });
    expect(() => prune.budget([[5]], { sparsity: 0.5 })).toThrow(refused);
    expect(() => prune.budget([[5, 0]], { sparsity: 0.5 })).toThrow(refused);
    expect(prune.budget([], { sparsity: 0.5 })).toEqual([]);
  });
});

describe('cubicSparsity', () => {
  it('starts, ends and passes where the formula says', () => {
    const at = (step: number) => prune.cubicSparsity(step, { initial: 0.2, final: 0.9, begin: 1000, end: 3000, every: 500 });
    expect([0, 999, 1000, 1499].map(at)).toEqual([0.2, 0.2, 0.2, 0.2].map((s) => expect.closeTo(s, 12)));
    expect(at(1500)).toBeCloseTo(0.9 - 0.7 * 0.75 ** 3, 12);
    expect(at(2000)).toBeCloseTo(0.9 - 0.7 / 8, 12);
    expect([3000, 9999].map(at)).toEqual([0.9, 0.9]);
  });

  it('refuses an end that is not after the beginning', () => {
    expect(() => prune.cubicSparsity(0, { final: 0.5, begin: 10, end: 10 })).toThrow(expect.objectContaining({ code: 'ERR_SK_OPTION' }));
    expect(prune.cubicSparsity(0, { final: 0.5, begin: 10, end: 11 })).toBe(0);
  });
});
