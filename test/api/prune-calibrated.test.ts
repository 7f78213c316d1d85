/** Pruning by what a layer sees: Wanda, SparseGPT and DSnoT against their oracles. */
import { prune } from 'sparse-kernels';
import { describe, expect, it } from 'vitest';
import { scopes } from '../cases/prune.js';
import { firstMismatch } from '../reference/compare.js';
import * as oracle from '../reference/prune.js';
import { generator, smallIntegers, uniform } from '../support/random.js';

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
