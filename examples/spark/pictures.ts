import { writeFileSync } from 'node:fs';
import { PNG } from 'pngjs';
import { conv } from 'sparse-kernels';
import { type Photo, photo } from '../photos.js';

/** The middle of a photo, [1, 3, size, size], normalised as the network was trained. */
export function middle(name: Photo, size: number): { data: Float32Array; dims: number[] } {
  const picture = photo(name);
  const [left, top] = [Math.floor((picture.width - size) / 2), Math.floor((picture.height - size) / 2)];
  const data = new Float32Array(3 * size * size);
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      const from = ((top + y) * picture.width + left + x) * 4;
      for (let c = 0; c < 3; c++) data[(c * size + y) * size + x] = ((picture.data[from + c] as number) / 255 - 0.5) / 0.25;
    }
  }
  return { data, dims: [1, 3, size, size] };
}

/** Writes the visible part of an image; what is masked is grey. */
export function writeImage(file: string, x: conv.SparseTensor): void {
  const { data, dims } = conv.toDense(x);
  const [, , height = 0, width = 0] = dims;
  write(file, height, width, 1, (c, place) => ((data[c * height * width + place] as number) * 0.25 + 0.5) * 255);
}

/** Writes the channel of a feature map that differs most from place to place, from black to white, `scale` pixels to a site. */
export function writeFeatures(file: string, x: conv.SparseTensor, scale: number): void {
  const { variance } = conv.moments(x);
  const channel = variance.indexOf(Math.max(...variance));
  const { data, dims } = conv.toDense(x);
  const [, , height = 0, width = 0] = dims;
  const map = data.subarray(channel * height * width, (channel + 1) * height * width);
  const [low, high] = [Math.min(...map), Math.max(...map)];
  write(file, height, width, scale, (_, place) => (255 * ((map[place] as number) - low)) / Math.max(high - low, Number.MIN_VALUE));
}

function write(file: string, height: number, width: number, scale: number, value: (channel: number, place: number) => number): void {
  const png = new PNG({ width: width * scale, height: height * scale });
  for (let y = 0; y < png.height; y++) {
    for (let x = 0; x < png.width; x++) {
      const place = Math.floor(y / scale) * width + Math.floor(x / scale);
      const to = (y * png.width + x) * 4;
      for (let c = 0; c < 3; c++) png.data[to + c] = Math.min(255, Math.max(0, Math.round(value(c, place))));
      png.data[to + 3] = 255;
    }
  }
  writeFileSync(file, PNG.sync.write(png));
}
