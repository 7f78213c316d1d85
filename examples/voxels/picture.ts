import { writeFileSync } from 'node:fs';
import { PNG } from 'pngjs';
import { conv } from 'sparse-kernels';

/** Looks at voxels along the z axis, y up: three channels of the nearest voxel as red, green and blue, darker with distance. */
export function writePicture(file: string, x: conv.SparseTensor, scale: number): void {
  const [depth = 0, height = 0, width = 0] = x.spatialShape;
  const { mean, variance } = conv.moments(x);
  const channels = [...variance.keys()].sort((a, b) => (variance[b] as number) - (variance[a] as number)).slice(0, 3);
  const nearest = new Int32Array(height * width).fill(-1);
  for (let row = 0; row * 4 < x.coords.length; row++) {
    const at = (height - 1 - (x.coords[row * 4 + 2] as number)) * width + (x.coords[row * 4 + 3] as number);
    nearest[at] = row; // rows ascend in z: the last is the nearest
  }
  const png = new PNG({ width: width * scale, height: height * scale });
  for (let i = 0; i < png.width * png.height; i++) {
    const row = nearest[Math.floor(i / png.width / scale) * width + Math.floor((i % png.width) / scale)] as number;
    png.data.set([255, 255, 255, 255], i * 4);
    if (row < 0) continue;
    const light = 0.35 + (0.65 * (x.coords[row * 4 + 1] as number)) / depth;
    for (const [c, channel] of channels.entries()) {
      const value =
        ((x.features[row * x.channels + channel] as number) - (mean[channel] as number)) / Math.sqrt(variance[channel] as number);
      png.data[i * 4 + c] = Math.round(255 * light * (1 / (1 + Math.exp(-1.5 * value))));
    }
  }
  writeFileSync(file, PNG.sync.write(png));
}
