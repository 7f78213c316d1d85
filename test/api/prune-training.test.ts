/** The update rules of sparse training, and the rules that reorder or split weights, against their oracles. */
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

describe('set and rigl', () => {
  const network = (seed: number) => {
    const weight = tensor(smallIntegers(60, seed), 6, 10);
    const { mask } = prune.random(weight, { scope: 'global', sparsity: 0.6, seed });
    weight.data.forEach((_, i) => {
      if (mask.data[i] === 0) weight.data[i] = 0;
    });
    return { weight, mask };
  };
  const ones = (mask: prune.Mask) => mask.data.reduce((a, b) => a + b, 0);

  it('set drops what is nearest to 0 of each sign and grows as many anywhere', () => {
    for (let seed = 0; seed < 5; seed++) {
      const { weight, mask } = network(seed);
      const before = [...weight.data];
      const gone = oracle.setDropped(before, [...mask.data], 0.3);
      const { mask: now, grown, dropped } = prune.set({ weight, mask }, { seed });
      expect(ones(now)).toBe(ones(mask));
      expect(gone).toEqual(expect.arrayContaining([...dropped]));
      for (const i of gone) if (!dropped.includes(i)) expect(now.data[i]).toBe(1); // dropped, and grown again by chance
      for (const i of grown) expect([mask.data[i], now.data[i], weight.data[i]]).toEqual([0, 1, 0]);
      for (const i of dropped) expect([mask.data[i], now.data[i], weight.data[i]]).toEqual([1, 0, 0]);
      expect(grown.length).toBe(dropped.length);
      before.forEach((value, i) => {
        if (!grown.includes(i) && !dropped.includes(i)) expect(weight.data[i]).toBe(value);
      });
    }
  });

  it('set depends on the seed alone', () => {
    const once = prune.set(network(1), { seed: 3 });
    expect(prune.set(network(1), { seed: 3 })).toEqual(once);
    expect(prune.set(network(1), { seed: 4 })).not.toEqual(once);
    expect(prune.set(network(1), { fraction: 0 }).mask).toEqual(network(1).mask);
  });

  it('rigl exchanges what the oracle exchanges', () => {
    for (let seed = 0; seed < 5; seed++) {
      const { weight, mask } = network(seed);
      const before = [...weight.data];
      const gradient = tensor(uniform(60, seed + 9), 6, 10);
      const { mask: now, grown, dropped } = prune.rigl({ weight, mask, gradient }, { fraction: 0.4 });
      expect([...now.data]).toEqual(oracle.rigl(before, [...gradient.data], [...mask.data], 0.4));
      for (const i of [...grown, ...dropped]) expect(weight.data[i]).toBe(0);
      expect(before.filter((value, i) => value !== weight.data[i]).length).toBeLessThanOrEqual(dropped.length);
    }
    const { weight, mask } = network(1);
    expect(() => prune.rigl({ weight, mask, gradient: weight }, { fraction: 1 })).toThrow(code('ERR_SK_OPTION'));
    expect(() => prune.rigl({ weight, mask } as unknown as prune.RiglTensors, { fraction: 0.5 })).toThrow(code('ERR_SK_TYPE'));
  });

  it('riglFraction is a cosine to 0', () => {
    const at = (step: number) => prune.riglFraction(step, { end: 1000 });
    expect([0, 250, 500, 750, 1000, 2000].map(at)).toEqual(
      [0.3, 0.15 * (1 + Math.SQRT1_2), 0.15, 0.15 * (1 - Math.SQRT1_2), 0, 0].map((x) => expect.closeTo(x, 12)),
    );
  });
});

describe('lost', () => {
  it.each([
    [6, 9],
    [9, 6],
    [8, 8],
    [1, 5],
  ])('splits [%i, %i] into the best low rank and the largest columns of the rest', (out, inputs) => {
    const data = uniform(out * inputs, 7);
    const rows = toRows(data, inputs);
    const gram = rows.map((a) => rows.map((b) => a.reduce((sum, value, k) => sum + value * (b[k] as number), 0)));
    const squares = oracle.eigenvalues(gram);
    for (const rank of [0, 1, Math.min(out, inputs)]) {
      const { u, v, channels, sparse } = prune.lost(tensor(data, out, inputs), { rank, channels: 2 });
      expect([u.dims, v.dims, sparse.dims]).toEqual([
        [out, rank],
        [rank, inputs],
        [out, 2],
      ]);
      const rest = rows.map((row, o) =>
        row.map((w, i) => {
          let sum = w;
          for (let k = 0; k < rank; k++) sum -= (u.data[o * rank + k] as number) * (v.data[k * inputs + i] as number);
          return sum;
        }),
      );
      const error = rest.flat().reduce((sum, value) => sum + value ** 2, 0);
      const smallest = squares.slice(rank).reduce((a, b) => a + Math.max(b, 0), 0); // Eckart and Young: no rank does better
      expect(error).toBeCloseTo(smallest, 5);
      if (rank === Math.min(out, inputs)) continue; // nothing is left to rank
      const norms = rest[0]?.map((_, i) => rest.reduce((sum, row) => sum + (row[i] as number) ** 2, 0)) as number[];
      const largest = norms.map((_, i) => i).sort((i, j) => (norms[j] as number) - (norms[i] as number));
      expect([...channels]).toEqual(largest.slice(0, 2).sort((a, b) => a - b));
      expect(
        firstMismatch(
          sparse.data,
          rest.flatMap((row) => [...channels].map((i) => row[i] as number)),
          1e-6,
        ),
      ).toBeNull();
    }
  });

  it('refuses more than there is', () => {
    const weight = tensor(uniform(12, 1), 3, 4);
    expect(() => prune.lost(weight, { rank: 4, channels: 0 })).toThrow(code('ERR_SK_OPTION'));
    expect(() => prune.lost(weight, { rank: 3, channels: 5 })).toThrow(code('ERR_SK_OPTION'));
    expect(prune.lost(tensor(new Float32Array(12), 3, 4), { rank: 2, channels: 4 }).sparse.data).toEqual(new Float32Array(12));
  });
});

describe('s2ft', () => {
  const [out, channels] = [5, 12];
  const down = tensor(uniform(out * channels, 3), out, channels);
  const calibration = new prune.Calibration(channels);
  calibration.add(tensor(uniform(4 * channels, 4), 4, channels));
  const weights = Array.from({ length: channels }, (_, c) =>
    toRows(down.data, channels).reduce((sum, row) => sum + (row[c] as number) ** 2, 0),
  );
  const activations = [...calibration.squares];

  it.each(['weight', 'activation', 'product'] as const)('brings the largest and the smallest to the front: %s', (by) => {
    for (const group of [1, 3]) {
      const sums = (of: number[]) =>
        Array.from({ length: channels / group }, (_, g) => of.slice(g * group, (g + 1) * group).reduce((a, b) => a + b));
      const [w, a] = [sums(weights), sums(activations)];
      const scores = by === 'weight' ? w : by === 'activation' ? a : w.map((value, g) => value * (a[g] as number));
      const ranked = scores.map((_, g) => g).sort((g, h) => (scores[h] as number) - (scores[g] as number));
      for (const smallest of [false, true]) {
        const chosen = (smallest ? ranked.slice(-2) : ranked.slice(0, 2)).sort((g, h) => g - h);
        const others = scores.map((_, g) => g).filter((g) => !chosen.includes(g));
        const want = [...chosen, ...others].flatMap((g) => Array.from({ length: group }, (_, i) => g * group + i));
        expect([...prune.s2ft(down, { count: 2, group, by, smallest, calibration })]).toEqual(want);
      }
    }
  });

  it('permutes two layers so that they compute the same', () => {
    const up = tensor(uniform(channels * 4, 5), channels, 4);
    const order = prune.s2ft(down, { count: 5, seed: 2 });
    const product = (a: Float32Array, b: Float32Array) =>
      Array.from({ length: out * 4 }, (_, k) => {
        let sum = 0;
        for (let c = 0; c < channels; c++) sum += (a[Math.floor(k / 4) * channels + c] as number) * (b[c * 4 + (k % 4)] as number);
        return sum;
      });
    const permuted = product(prune.permuteColumns(down, order).data, prune.permuteRows(up, order).data);
    expect(firstMismatch(permuted, product(down.data, up.data), 1e-6)).toBeNull();
    expect(order).not.toEqual(Int32Array.from({ length: channels }, (_, c) => c));
    expect(prune.s2ft(down, { count: 5, seed: 2 })).toEqual(order);
  });

  it('refuses what does not fit', () => {
    expect(() => prune.s2ft(down, { count: 3, group: 5 })).toThrow(code('ERR_SK_SHAPE'));
    expect(() => prune.s2ft(down, { count: 13 })).toThrow(code('ERR_SK_OPTION'));
    expect(() => prune.s2ft(down, { count: 1, by: 'activation' })).toThrow(code('ERR_SK_TYPE'));
    expect(() => prune.permuteColumns(down, Int32Array.of(0))).toThrow(code('ERR_SK_OPTION'));
    expect(() => prune.permuteRows(down, Int32Array.of(0, 1, 2, 3, 3))).toThrow(code('ERR_SK_OPTION'));
    expect(() => prune.permuteRows(down, [4, 3, 2, 1, 0] as unknown as Int32Array)).toThrow(code('ERR_SK_TYPE'));
  });
});

describe('permutationSearch', () => {
  it.each([
    ['2:4', 6, 16],
    ['1:4', 3, 21],
    ['2:8', 4, 30],
    ['3:5', 2, 13],
    ['1:2', 5, 10],
  ] as const)('ends where no exchange gains: %s of [%i, %i]', (pattern, out, inputs) => {
    const [n, m] = pattern.split(':').map(Number) as [number, number];
    for (const seed of [1, 2, 3]) {
      const data = uniform(out * inputs, seed).map((value) => value ** 5);
      const weight = tensor(data, out, inputs);
      const { order, before, after } = prune.permutationSearch(weight, { pattern, sweeps: 100 });
      const kept = (columns: ArrayLike<number>) =>
        oracle.keptMagnitude(
          toRows(data, inputs).map((row) => Array.from(columns, (c) => row[c] as number)),
          n,
          m,
        );
      expect(before).toBeCloseTo(kept(Array.from({ length: inputs }, (_, c) => c)), 9);
      expect(after).toBeCloseTo(kept(order), 9);
      expect(after).toBeGreaterThan(before);
      for (let i = 0; i < inputs; i++) {
        for (let j = 0; j < i; j++) {
          const swapped = [...order];
          [swapped[i], swapped[j]] = [swapped[j] as number, swapped[i] as number];
          expect(kept(swapped)).toBeLessThanOrEqual(after * (1 + 2e-9));
        }
      }
      const pruned = prune.magnitude(prune.permuteColumns(weight, order), { scope: 'nm', pattern }).weight.data;
      expect(pruned.reduce((sum, value) => sum + Math.abs(value), 0)).toBeCloseTo(after, 5);
    }
  });

  it('finds the order of the example, and none where there is nothing to gain', () => {
    const { before, after } = prune.permutationSearch(tensor(Float32Array.of(9, 8, 7, 1, 1, 1, 1, 1), 1, 8), { pattern: '2:4' });
    expect([before, after]).toEqual([19, 25]);
    const same = prune.permutationSearch(tensor(new Float32Array(16).fill(1), 2, 8), { pattern: '2:4' });
    expect([...same.order]).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(prune.permutationSearch(tensor(uniform(16, 1), 2, 8), { pattern: '2:4', sweeps: 0 }).after).toBeGreaterThan(0);
  });
});
