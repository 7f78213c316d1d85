import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { conv } from 'sparse-kernels';
import type { Photo } from '../photos.js';
import { backbone } from './backbone.js';
import { errorAgainstDense } from './check.js';
import { encode } from './encoder.js';
import { middle, writeFeatures, writeImage } from './pictures.js';

export interface Outcome {
  /** Share of the pixels that the network sees. */
  readonly visible: number;
  /** Per convolution: its name, output sites along a side, what it gathered, and the error against the dense one. */
  readonly layers: readonly { name: string; size: number; gathered: string; error: number }[];
  readonly files: readonly string[];
}

/** Masks 60 % of the 32 x 32 patches of a photo, encodes what is left, compares every layer, and writes what was seen into `folder`. */
export async function experiment(name: Photo, size: number, folder: string): Promise<Outcome> {
  const mask = conv.spark.mask({ shape: [size / 32, size / 32], ratio: 0.6, seed: 1 });
  const image = conv.fromDense(middle(name, size), mask);
  const layers: { name: string; size: number; gathered: string; error: number }[] = [];
  const stages = await encode(backbone(), image, mask, async (layer) => {
    const { dims } = layer.weight;
    const kind = `${dims[2]}x${dims[3]} ${layer.x.channels} -> ${dims[0]}${layer.step.groups > 1 ? ' depthwise' : ''}`;
    const error = await errorAgainstDense(layer, mask);
    layers.push({ name: kind, size: layer.y.spatialShape[0] as number, gathered: layer.gathered, error });
  });
  mkdirSync(folder, { recursive: true });
  const files = [join(folder, 'input.png')];
  writeImage(files[0] as string, image);
  for (const stage of stages) {
    const scale = size / (stage.spatialShape[0] as number);
    const file = join(folder, `stage-${scale}.png`);
    writeFeatures(file, stage, scale);
    files.push(file);
  }
  return { visible: image.coords.length / 3 / size ** 2, layers, files };
}
