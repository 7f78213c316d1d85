/** How sparsity is spread over layers and over time. */
import { prune } from 'sparse-kernels';
import { describe, expect, it } from 'vitest';
import { firstMismatch } from '../reference/compare.js';
import * as oracle from '../reference/prune.js';

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
