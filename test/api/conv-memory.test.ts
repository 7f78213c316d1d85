/** No dense volume, and no second copy of anything: peak memory of a process of its own. */
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

/** Bytes. */
interface Figures {
  map: number;
  building: number;
  running: number;
  others: { peak: number; map: number; sites: number }[];
}

// Only Linux tells the peak of a part of a process.
test.skipIf(process.platform !== 'linux')(
  'a convolution takes the memory of its map and some panels beside its inputs and outputs',
  { timeout: 120_000 },
  () => {
    const [voxels, channels] = [400_000, 16];
    const root = fileURLToPath(new URL('../..', import.meta.url));
    const text = execFileSync(process.execPath, ['--import', 'tsx', 'test/support/memory.ts', String(voxels), String(channels)], {
      cwd: root,
    });
    const { map, building, running, others } = JSON.parse(text.toString()) as Figures;
    const MB = 2 ** 20;
    expect(map).toBeGreaterThan(20 * MB); // else the bounds below mean little
    const keys = 8 * voxels; // the linear keys of the sites, while the map is built
    const slack = 6 * MB; // panels of two threads, pages of the allocator and of the JavaScript engine
    expect(building).toBeGreaterThan(0.9 * map); // else it was not measured
    expect(building).toBeLessThan(map + keys + slack);
    expect(running).toBeLessThan(slack);
    // Keys of the inputs and of the outputs; output sites that are found exist in the addon, too.
    for (const other of others) expect(other.peak).toBeLessThan(other.map + 2 * (keys + other.sites) + slack);
  },
);
