import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PNG } from 'pngjs';
import { conv } from 'sparse-kernels';
import { expect, test } from 'vitest';
import { generator } from '../../examples/train-submanifold/data.js';
import { bunny, voxelise } from '../../examples/voxels/bunny.js';
import { writePicture } from '../../examples/voxels/picture.js';
import { UNet } from '../../examples/voxels/unet.js';

test('the bunny goes down and comes back to its very voxels', async () => {
  const surface = await bunny();
  expect([surface.points.length / 3, surface.triangles.length / 3]).toEqual([34834, 69451]);
  const x = voxelise(surface, 32);
  const rows = x.coords.length / 4;
  expect(rows).toBeGreaterThan(32 ** 2);
  expect(rows).toBeLessThan(32 ** 3 / 4);
  expect(conv.map(x, { kernelSize: 3 }).pairCount / rows).toBeGreaterThan(6); // a closed surface: every voxel has neighbours
  const net = new UNet(generator(1));
  const y = await net.run(x, [8, 12, 16]);
  expect(y.coords).toEqual(x.coords);
  expect(y.channels).toBe(8);
  expect(net.reports.map(({ voxels }) => voxels).at(-1)).toBe(rows);
  expect(Math.max(...conv.moments(y).variance)).toBeGreaterThan(0);
  const folder = mkdtempSync(join(tmpdir(), 'voxels-'));
  try {
    writePicture(join(folder, 'bunny.png'), y, 2);
    const picture = PNG.sync.read(readFileSync(join(folder, 'bunny.png')));
    expect([picture.width, picture.height]).toEqual([64, 64]);
    expect(new Set(picture.data).size).toBeGreaterThan(20);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
