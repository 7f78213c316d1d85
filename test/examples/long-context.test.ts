import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PNG } from 'pngjs';
import { expect, test } from 'vitest';
import { experiment } from '../../examples/long-context/experiment.js';
import { project } from '../../examples/long-context/projections.js';
import { denseAttention } from '../reference/attention.js';
import { firstMismatch } from '../reference/compare.js';

test('methods on the attention of a pretrained encoder: covered mass and error belong together', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'long-context-'));
  try {
    const file = join(folder, 'map.png');
    const { tokens, outcomes } = await experiment(1000, 1, file);
    expect(tokens).toBe(1000);
    expect(outcomes).toHaveLength(3);
    for (const { density, coveredMass, leastCoveredMass, error, worstHeadError, method } of outcomes) {
      expect(density, method).toBeGreaterThan(0.01);
      expect(density, method).toBeLessThan(1);
      expect(leastCoveredMass, method).toBeLessThanOrEqual(coveredMass);
      expect(worstHeadError, method).toBeGreaterThanOrEqual(error);
      expect(error, method).toBeLessThan(0.6);
    }
    const picture = PNG.sync.read(readFileSync(file));
    expect([picture.width, picture.height]).toEqual([64, 64]); // 16 x 16 tiles
    expect(new Set(picture.data).size).toBeGreaterThan(8);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('queries, keys and values are those of the encoder: real text, four heads of 64', async () => {
  const { q, k, v } = await project(40);
  expect(q.dims).toEqual([1, 4, 40, 64]);
  const { attention } = await import('sparse-kernels');
  using plan = attention.plan({ pattern: attention.patterns.dense({ queryLength: 40 }), heads: 4, headDim: 64 });
  const shape = { batch: 1, heads: 4, kvHeads: 4, headDim: 64, queries: 40, keys: 40, scale: 1 / 8 };
  const expected = denseAttention({ ...shape, q: q.data, k: k.data, v: v.data, sees: () => true });
  expect(firstMismatch((await plan.run(q, k, v)).output.data, expected.output, 1e-4)).toBeNull();
  expect(new Set(q.data.subarray(0, 640)).size).toBeGreaterThan(600);
});
