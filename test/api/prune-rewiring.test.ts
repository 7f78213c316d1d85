/** SET and RigL: weights that go and others that come, against their oracles. */
import { prune } from 'sparse-kernels';
import { describe, expect, it } from 'vitest';
import * as oracle from '../reference/prune-training.js';
import { smallIntegers, uniform } from '../support/random.js';

const tensor = (data: Float32Array, ...dims: number[]) => ({ data, dims });
const code = (expected: string) => expect.objectContaining({ code: expected });

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
