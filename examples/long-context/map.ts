/** A picture of one head: where its attention goes, and which tiles a method chose. */
import { PNG } from 'pngjs';
import { attention } from 'sparse-kernels';
import type { Projections } from './projections.js';

/** Pixels of a tile, one of which is the frame of a chosen one. */
const PIXELS = 4;

/** Queries from top to bottom, keys from left to right; brighter: more mass; a red corner: the tile was chosen. */
export async function drawMap(
  { q, k, tokens }: Projections,
  dense: attention.AttentionResult,
  pattern: attention.Pattern,
  head: number,
  block: number,
): Promise<Buffer> {
  const mass = await attention.score(q, k, { kind: 'mass', lse: dense.lse, blockSize: [block, block] });
  const blocks = Math.ceil(tokens / block);
  const map = mass.data.subarray(head * blocks * blocks, (head + 1) * blocks * blocks);
  const chosen = attention.patterns.toMask(pattern).subarray(head * blocks * blocks, (head + 1) * blocks * blocks);
  const picture = new PNG({ width: blocks * PIXELS, height: blocks * PIXELS });
  for (let y = 0; y < picture.height; y++) {
    for (let x = 0; x < picture.width; x++) {
      const tile = Math.floor(y / PIXELS) * blocks + Math.floor(x / PIXELS);
      // An even spread would put block / blocks on each tile: that is the middle of the scale, a 64th of it black, 64 times as much white.
      const level = Math.log2(((map[tile] as number) * blocks) / block) / 12 + 0.5;
      const grey = Math.round(255 * Math.min(1, Math.max(0, level)));
      const corner = x % PIXELS === 0 && y % PIXELS === 0 && chosen[tile] === 1;
      picture.data.set(corner ? [255, 32, 32, 255] : [grey, grey, grey, 255], (y * picture.width + x) * 4);
    }
  }
  return PNG.sync.write(picture);
}
