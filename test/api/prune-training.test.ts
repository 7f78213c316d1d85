/** The update rules of training with masks that the weights give, against their oracles. */
import { prune } from 'sparse-kernels';
import { describe, expect, it } from 'vitest';
import { firstMismatch } from '../reference/compare.js';
import { nmMask, toRows } from '../reference/prune.js';
import * as oracle from '../reference/prune-training.js';
import { generator, smallIntegers, uniform } from '../support/random.js';

const tensor = (data: Float32Array, ...dims: number[]) => ({ data, dims });
const code = (expected: string) => expect.objectContaining({ code: expected });

describe('srSte', () => {
  it('steps as the oracle does', () => {
    const [w, g] = [uniform(24, 1), uniform(24, 2)];
    const weight = tensor(w.slice(), 4, 6);
    const { mask } = prune.magnitude(weight, { scope: 'nm', pattern: '1:3' });
    prune.srSte({ weight, gradient: tensor(g, 4, 6), mask }, { rate: 0.1, lambda: 0.05 });
    const want = Array.from(w, (value, i) => oracle.srSte(value, g[i] as number, mask.data[i] as number, 0.1, 0.05));
    expect(firstMismatch(weight.data, want, 1e-7)).toBeNull();
  });

  it('has the lambda of the paper', () => {
    const weight = tensor(Float32Array.of(1, 2), 1, 2);
    const mask: prune.Mask = { type: 'uint8', data: Uint8Array.of(0, 1), dims: [1, 2] };
    prune.srSte({ weight, gradient: tensor(new Float32Array(2), 1, 2), mask }, { rate: 1 });
    expect([...weight.data]).toEqual([Math.fround(1 - 2e-4), 2]);
  });

  it('refuses what does not fit', () => {
    const weight = tensor(new Float32Array(4), 1, 4);
    const { mask } = prune.magnitude(weight, { scope: 'nm', pattern: '2:4' });
    const step = (gradient: object, options: object) => () =>
      prune.srSte({ weight, gradient, mask } as prune.SrSteTensors, options as never);
    expect(step(tensor(new Float32Array(4), 2, 2), { rate: 1 })).toThrow(code('ERR_SK_SHAPE'));
    expect(step(weight, { rate: -1 })).toThrow(code('ERR_SK_OPTION'));
    expect(step(weight, {})).toThrow(code('ERR_SK_OPTION'));
    expect(step(weight, { rate: 1, decay: 1 })).toThrow(code('ERR_SK_OPTION'));
  });
});

describe('sad', () => {
  it('counts what joined and what left', () => {
    const masks = (seed: number) =>
      [8, 12].map((n) => prune.random(tensor(new Float32Array(n * 4), n, 4), { scope: 'nm', pattern: '2:4', seed }).mask);
    const [a, b] = [masks(1), masks(2)];
    const want = a.flatMap(({ data }, layer) => [...data].filter((one, i) => one !== b[layer]?.data[i])).length;
    expect(prune.sad(a, b)).toBe(want);
    expect(want).toBeGreaterThan(0);
    expect(prune.sad(a, a)).toBe(0);
  });

  it('refuses networks that differ', () => {
    const mask = prune.random(tensor(new Float32Array(8), 2, 4), { scope: 'nm', pattern: '2:4' }).mask;
    const other = prune.random(tensor(new Float32Array(8), 1, 8), { scope: 'nm', pattern: '2:4' }).mask;
    expect(() => prune.sad([mask], [])).toThrow(code('ERR_SK_SHAPE'));
    expect(() => prune.sad([mask], [other])).toThrow(code('ERR_SK_SHAPE'));
    expect(() => prune.sad([undefined as unknown as prune.Mask], [mask])).toThrow(code('ERR_SK_TYPE'));
  });
});

describe('progressive gradient flow', () => {
  it('decays masks linearly and exponentially', () => {
    const beta = (step: number, shape: 'linear' | 'exponential') => prune.mdgfBeta(step, { shape, begin: 10, end: 200 });
    expect([0, 10, 35, 110, 150, 200].map((step) => beta(step, 'linear'))).toEqual([1, 1, 0.75, 0, 0, 0]);
    expect([0, 10, 60, 199].map((step) => beta(step, 'exponential'))).toEqual([1, 1, Math.exp(-0.5), expect.closeTo(Math.exp(-1.89), 12)]);
    expect(beta(200, 'exponential')).toBe(0);
    expect(prune.mdgfBeta(1e6, { shape: 'exponential', coefficient: 0 })).toBe(1);
    expect(() => prune.mdgfBeta(-1, { shape: 'linear' })).toThrow(code('ERR_SK_OPTION'));
    expect(() => prune.mdgfBeta(0, { shape: 'cosine' as 'linear' })).toThrow(code('ERR_SK_OPTION'));
  });

  it('softens', () => {
    const data = smallIntegers(12, 1);
    const { mask } = prune.magnitude(tensor(data, 3, 4), { scope: 'nm', pattern: '1:4' });
    const soft = prune.soften(tensor(data, 3, 4), mask, 0.25);
    expect([...soft.data]).toEqual(Array.from(data, (w, i) => w * ((mask.data[i] as number) + (1 - (mask.data[i] as number)) * 0.25)));
    expect(prune.soften(tensor(data, 3, 4), mask, 1).data).toEqual(data);
    expect(() => prune.soften(tensor(data, 3, 4), mask, 1.5)).toThrow(code('ERR_SK_OPTION'));
  });

  it('passes through the patterns in equal frames', () => {
    const at = (pattern: `${number}:${number}`) =>
      [99, 100, 199, 200, 299, 300, 399, 400, 499, 500].map((step) => prune.sdgfPattern(step, { pattern, begin: 100, end: 500 }));
    expect(at('1:16')).toEqual([undefined, '15:16', '15:16', '8:16', '8:16', '4:16', '4:16', '2:16', '2:16', '1:16']);
    expect(at('2:4')).toEqual([undefined, ...Array(8).fill('3:4'), '2:4']);
    expect(at('3:8')).toEqual([undefined, ...Array(8).fill('7:8'), '3:8']);
    expect(prune.sdgfPattern(5, { pattern: '1:4', begin: 5, end: 5 })).toBe('1:4');
    expect(() => prune.sdgfPattern(5, { pattern: '1:4', begin: 5, end: 4 })).toThrow(code('ERR_SK_OPTION'));
  });
});

describe('bdwp', () => {
  it('prunes along both axes by itself', () => {
    const [out, inputs] = [18, 11];
    const data = uniform(out * inputs, 3);
    const { forward, backward } = prune.bdwp(tensor(data, out, inputs), { pattern: '2:8' });
    const magnitudes = toRows(data.map(Math.abs), inputs);
    const transposed = Array.from({ length: inputs }, (_, c) => magnitudes.map((row) => row[c] as number));
    const across = nmMask(transposed, 2, 8);
    expect([...forward.data]).toEqual(nmMask(magnitudes, 2, 8).flat());
    expect([...backward.data]).toEqual(magnitudes.flatMap((_, r) => across.map((row) => row[r])));
    expect(backward.dims).toEqual([out, inputs]);
    expect(() => prune.bdwp(tensor(data, out, inputs), { pattern: '8:8' })).toThrow(code('ERR_SK_PATTERN'));
  });
});

describe('adamS', () => {
  it.each([[{ rate: 0.01, lambda: 0.1, betas: [0.8, 0.95], epsilon: 1e-6 } as const], [{ rate: 1e-3 } as const]])(
    'steps as Algorithm 1 does: %j',
    (o) => {
      const [rows, columns, steps] = [3, 8, 30];
      const next = generator(4);
      const weight = tensor(uniform(rows * columns, 5), rows, columns);
      const start = weight.data.slice();
      const [first, second] = [tensor(new Float32Array(24), rows, columns), tensor(new Float32Array(24), rows, columns)];
      const gradients: number[][] = [];
      const masks: number[][] = [];
      let mask = prune.magnitude(weight, { scope: 'nm', pattern: '2:4' }).mask;
      for (let step = 0; step < steps; step++) {
        if (step % 10 === 0) mask = prune.magnitude(weight, { scope: 'nm', pattern: '2:4' }).mask;
        const gradient = tensor(
          Float32Array.from(start, () => next() - 0.5),
          rows,
          columns,
        );
        gradients.push([...gradient.data]);
        masks.push([...mask.data]);
        prune.adamS({ weight, gradient, mask, first, second }, { ...o, step, steps });
      }
      const settings = { lambda: 4e-7, betas: [0.9, 0.999] as const, epsilon: 1e-8, ...o, steps };
      start.forEach((value, i) => {
        const want = oracle.adamS(
          value,
          gradients.map((g) => g[i] as number),
          masks.map((m) => m[i] as number),
          settings,
        );
        expect(Math.abs((weight.data[i] as number) - (want.at(-1) as number))).toBeLessThan(2e-5);
      });
    },
  );

  it('moves what is outside the mask to 0 when nothing else pulls', () => {
    const weight = tensor(Float32Array.of(0.5, -0.3, 0.9, 0.8), 1, 4);
    const zeros = () => tensor(new Float32Array(4), 1, 4);
    const [gradient, first, second] = [zeros(), zeros(), zeros()];
    const { mask } = prune.magnitude(weight, { scope: 'nm', pattern: '2:4' });
    for (let step = 0; step < 400; step++) prune.adamS({ weight, gradient, mask, first, second }, { step, steps: 400, rate: 2e-3 });
    expect([...weight.data.subarray(2)]).toEqual([Math.fround(0.9), Math.fround(0.8)]);
    for (const value of weight.data.subarray(0, 2)) expect(Math.abs(value)).toBeLessThan(0.01);
    expect(() => prune.adamS({ weight, gradient, mask, first, second }, { step: 0, steps: 0, rate: 1 })).toThrow(code('ERR_SK_OPTION'));
    expect(() => prune.adamS({ weight, gradient, mask, first, second }, { step: 0, steps: 1, rate: 1, betas: [1, 0] })).toThrow(
      code('ERR_SK_OPTION'),
    );
  });
});

describe('weight scaling', () => {
  const [out, inputs, parts] = [3, 12, 4];
  const [w, a, g] = [uniform(36, 1), uniform(12, 2), uniform(36, 3)];
  const scaled = (weight: Float32Array, scale: Float32Array) =>
    Array.from(weight, (value, i) => value * (scale[Math.floor(i / inputs) * parts + Math.floor((i % inputs) / 3)] as number));

  it('multiplies each part of a row', () => {
    expect(firstMismatch(prune.scaleWeight(tensor(w, out, inputs), tensor(a, out, parts)).data, scaled(w, a), 1e-7)).toBeNull();
    expect(() => prune.scaleWeight(tensor(w, out, inputs), tensor(new Float32Array(15), out, 5))).toThrow(code('ERR_SK_SHAPE'));
    expect(() => prune.scaleWeight(tensor(w, out, inputs), tensor(new Float32Array(0), out, 0))).toThrow(code('ERR_SK_SHAPE'));
  });

  it('has the gradients of finite differences', () => {
    const { weight, scale } = prune.scaleGradients(tensor(w, out, inputs), tensor(a, out, parts), tensor(g, out, inputs));
    const loss = (ws: Float64Array, as: Float64Array) =>
      scaled(ws as unknown as Float32Array, as as unknown as Float32Array).reduce((sum, value, i) => sum + value * (g[i] as number), 0);
    const difference = (of: 'w' | 'a', i: number) => {
      const moved = (by: number) => {
        const [ws, as] = [Float64Array.from(w), Float64Array.from(a)];
        (of === 'w' ? ws : as)[i] = ((of === 'w' ? ws : as)[i] as number) + by;
        return loss(ws, as);
      };
      return (moved(1e-4) - moved(-1e-4)) / 2e-4;
    };
    expect(
      firstMismatch(
        weight.data,
        Array.from(w, (_, i) => difference('w', i)),
        1e-5,
      ),
    ).toBeNull();
    expect(
      firstMismatch(
        scale.data,
        Array.from(a, (_, i) => difference('a', i)),
        1e-5,
      ),
    ).toBeNull();
    expect(scale.dims).toEqual([out, parts]);
  });
});
