import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { PNG } from 'pngjs';
import { expect, test } from 'vitest';
import { experiment } from '../../examples/spark/experiment.js';

test('every layer of the masked encoder is the dense one times the mask', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'spark-'));
  try {
    const { visible, layers, files } = await experiment('locomotion-house-cat', 128, folder);
    expect(visible).toBe(6 / 16); // 4 x 4 patches
    expect(layers.length).toBeGreaterThan(20);
    for (const { name, error } of layers) expect(error, name).toBeLessThan(1e-5);
    expect(new Set(layers.map(({ gathered }) => gathered))).toEqual(new Set(['tiles', 'pairs'])); // early stages and late ones
    expect(files.map((file) => basename(file))).toEqual(['input.png', ...[2, 4, 8, 16, 32].map((s) => `stage-${s}.png`)]);
    for (const file of files) {
      const { width, height, data } = PNG.sync.read(readFileSync(file));
      expect([width, height]).toEqual([128, 128]);
      expect(new Set(data).size).toBeGreaterThan(2); // there is something to see
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});
