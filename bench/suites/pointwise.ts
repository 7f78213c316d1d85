import { conv, type Isa } from 'sparse-kernels';
import { denseConv } from '../competitors/onnxruntime.js';
import { normals, randomSource } from '../random.js';
import type { Workload } from '../suite.js';

interface Shape {
  readonly batch: number;
  readonly size: number;
  readonly in: number;
  readonly out: number;
}

/** A 1x1 layer of sparse weights on images, channels first. Both sides read x and write y where they are. */
export function pointwiseLayer(shape: Shape, { zeros, block }: { zeros: number; block: 1 | 2 | 4 }): Workload {
  const { batch, size, in: inputs, out } = shape;
  const dims = [batch, inputs, size, size];
  const x = normals(batch * inputs * size * size, 2);
  const weight = pruned(normals(out * inputs, 1), inputs, zeros, block);
  const check = oracle(x, weight, shape);
  return async ({ threads, isa }) => {
    const layer = conv.pointwise({
      weight: { data: weight, dims: [out, inputs] },
      block,
      threads,
      ...(isa !== undefined && { isa: isa as Isa }),
    });
    const y = new Float32Array(batch * out * size * size);
    const runOurs = async () => layer.runSync({ data: x, dims }, { out: y }).data;
    const peer = await denseConv({ ...shape, kernel: 1, x, weight, threads });
    const flops = 2 * batch * size * size * inputs * out;
    const activations = 4 * batch * size * size * (inputs + out);
    return {
      ...{ kernel: layer.kernel, peer: peer.name, runOurs, runPeer: () => peer.run() },
      ...{ flops: flops * layer.density, denseFlops: flops, bytes: activations + layer.bytes, denseBytes: activations + weight.byteLength },
      verify: async () => {
        const sides = [
          [layer.kernel, check(await runOurs())],
          [peer.name, check(await peer.run())],
        ];
        return sides.flatMap(([side, problem]) => (problem === undefined ? [] : [`${side}: ${problem}`]));
      },
    };
  };
}

/** Blocks of output channels stay or go by chance. */
function pruned(weight: Float32Array, inputs: number, zeros: number, block: number): Float32Array {
  const next = randomSource(3);
  const kept = Array.from({ length: Math.ceil(weight.length / block) }, () => next() >= zeros * 2 ** 32);
  return weight.map((w, i) => (kept[Math.floor(Math.floor(i / inputs) / block) * inputs + (i % inputs)] ? w : 0));
}

/** Sums some outputs in float64 from the dense weight. */
function oracle(x: Float32Array, weight: Float32Array, { size, in: inputs, out, batch }: Shape) {
  const pixels = size * size;
  const next = randomSource(5);
  const expected = Array.from({ length: 400 }, () => {
    const [image, o, pixel] = [next() % batch, next() % out, next() % pixels];
    let [sum, magnitude] = [0, 0];
    for (let i = 0; i < inputs; i++) {
      const term = (weight[o * inputs + i] as number) * (x[(image * inputs + i) * pixels + pixel] as number);
      sum += term;
      magnitude += Math.abs(term);
    }
    return { at: (image * out + o) * pixels + pixel, sum, tolerance: 2 ** -20 * magnitude };
  });
  return (y: Float32Array): string | undefined => {
    if (y.some(Number.isNaN)) return 'an output is NaN';
    const bad = expected.find(({ at, sum, tolerance }) => !(Math.abs((y[at] as number) - sum) <= tolerance));
    return bad && `output ${bad.at} is ${y[bad.at]}, expected ${bad.sum}`;
  };
}
