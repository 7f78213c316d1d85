/** Crops of photos, as the network wants them. */
import type { Tensor } from 'sparse-kernels';
import { photo, photos } from '../photos.js';

const [height, width] = [48, 192];

/** `perPhoto` crops [3, 48, 192] of each of `count` photos, upright and turned by 180 degrees: [crops, 3, 48, 192]. */
export function crops(perPhoto: number, count: number = photos.length): Tensor {
  const images = photos.slice(0, count).flatMap((name) => {
    const picture = photo(name);
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
