/**
 * A small submanifold U-Net (Graham et al., CVPR 2018): at every level submanifold layers, a strided one down, and its inverse back up to the
 * very same voxels, where the features from before join. Its weights are random: what is shown is how it is built and what it costs.
 */
import { conv } from 'sparse-kernels';

export interface LayerReport {
  readonly name: string;
  readonly voxels: number;
  readonly pairs: number;
  readonly multiplyAdds: number;
}

export class UNet {
  readonly reports: LayerReport[] = [];
  readonly #next: () => number;

  constructor(next: () => number) {
    this.#next = next;
  }

  /** Channels of every level, the finest first. The result has as many as the finest. */
  async run(x: conv.SparseTensor, channels: readonly number[]): Promise<conv.SparseTensor> {
    const [width = 0, ...deeper] = channels;
    const same = conv.map(x, { kernelSize: 3 }); // serves all submanifold layers of the level
    const first = await this.#layer('submanifold 3x3x3', x, same, width);
    const inner = await this.#layer('submanifold 3x3x3', first, same, width);
    if (deeper.length === 0) return inner;
    const down = conv.map(inner, { mode: 'sparse', kernelSize: 2, stride: 2 });
    const coarse = await this.run(await this.#layer('down 2x2x2', inner, down, deeper[0] as number), deeper);
    const up = conv.map(coarse, { mode: 'inverse', paired: down });
    const fine = await this.#layer('up 2x2x2', coarse, up, width);
    return this.#layer('submanifold 3x3x3', conv.concat(inner, fine), same, width);
  }

  async #layer(name: string, x: conv.SparseTensor, map: conv.ConvMap, out: number): Promise<conv.SparseTensor> {
    const length = out * map.kernelVolume * x.channels;
    const spread = Math.sqrt((6 * (map.output.coords.length / 4)) / (x.channels * map.pairCount)); // He, by the neighbours that are there
    const weight = {
      data: Float32Array.from({ length }, () => spread * (2 * this.#next() - 1)),
      dims: [out, map.kernelVolume, x.channels],
    };
    using layer = conv.layer({ weight, activation: 'relu' });
    const y = await layer.run(x, map);
    const multiplyAdds = map.pairCount * x.channels * out;
    this.reports.push({ name: `${name}, ${x.channels} -> ${out}`, voxels: y.coords.length / 4, pairs: map.pairCount, multiplyAdds });
    return y;
  }
}
