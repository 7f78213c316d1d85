/** The masked encoder: every convolution runs at the visible sites of its stage and nowhere else. */
import { conv } from 'sparse-kernels';
import type { Step, Weight } from './backbone.js';

export interface Layer {
  readonly step: Step;
  readonly weight: Weight;
  readonly bias: Float32Array | undefined;
  readonly x: conv.SparseTensor;
  readonly y: conv.SparseTensor;
  /** Whether it gathered tiles or pairs. */
  readonly gathered: 'tiles' | 'pairs';
}

/** Runs the steps on a masked image; `visit` sees every convolution. Returns the last result of every stage, the finest first. */
export async function encode(
  steps: readonly Step[],
  image: conv.SparseTensor,
  mask: conv.spark.Mask,
  visit: (layer: Layer) => Promise<void>,
): Promise<conv.SparseTensor[]> {
  const results = new Map<string, conv.SparseTensor>([['x', image]]);
  const maps = new Map<string, conv.ConvMap>(); // a stage uses a map for all its layers of one kernel
  const stages: conv.SparseTensor[] = [];
  for (const step of steps) {
    const x = results.get(step.inputs.find((i) => typeof i === 'string') ?? '');
    if (x === undefined) throw new Error(`${step.output} comes before its input`);
    const y = step.op === 'Conv' ? await convolve(step, x, mask, maps, visit) : pointwise(step, x, results);
    results.set(step.output, y);
    const finest = stages.at(-1);
    if (finest && finest.spatialShape[0] === y.spatialShape[0]) stages.pop();
    stages.push(y);
  }
  return stages;
}

async function convolve(
  step: Step,
  x: conv.SparseTensor,
  mask: conv.spark.Mask,
  maps: Map<string, conv.ConvMap>,
  visit: (layer: Layer) => Promise<void>,
): Promise<conv.SparseTensor> {
  const [, weight, offsets] = step.inputs as [string, Weight, Weight | undefined];
  const [out = 0, inputs = 0, size = 0] = weight.dims;
  const key = `${x.spatialShape}: ${size}, ${step.stride}`;
  const outShape = x.spatialShape.map((n) => Math.floor((n + 2 * step.padding - size) / step.stride) + 1);
  const map =
    maps.get(key) ??
    (step.stride === 1
      ? conv.map(x, { kernelSize: size })
      : conv.map(x, {
          mode: 'sparse',
          kernelSize: size,
          stride: step.stride,
          padding: step.padding,
          outputs: conv.maskSites(mask, outShape),
        }));
  maps.set(key, map);
  const bias = offsets && { bias: offsets.data };
  using layer = conv.layer({ weight: { data: channelsLast(weight), dims: [out, size, size, inputs] }, groups: step.groups, ...bias });
  const y = await layer.run(x, map);
  await visit({ step, weight, bias: offsets?.data, x, y, gathered: layer.gathers(map) });
  return y;
}

/** [out, in, kernel..] -> [out, kernel.., in] */
function channelsLast({ data, dims }: Weight): Float32Array {
  const [out = 0, inputs = 0, height = 0, width = 0] = dims;
  const volume = height * width;
  const to = new Float32Array(data.length);
  for (let o = 0; o < out; o++) {
    for (let i = 0; i < inputs; i++) {
      for (let k = 0; k < volume; k++) to[(o * volume + k) * inputs + i] = data[(o * inputs + i) * volume + k] as number;
    }
  }
  return to;
}

/** Everything but convolutions works on the features of the visible sites as on any array. */
function pointwise(step: Step, x: conv.SparseTensor, results: ReadonlyMap<string, conv.SparseTensor>): conv.SparseTensor {
  if (step.op === 'BatchNormalization') {
    const [weight, bias, mean, variance] = step.inputs.slice(1).map((input) => (input as Weight).data) as Float32Array[];
    if (!weight || !bias || !mean || !variance) throw new Error('a normalisation without its parameters');
    return conv.batchNorm(x, { weight, bias, mean, variance, epsilon: step.epsilon });
  }
  const operands = step.inputs.map((input) => {
    if (typeof input !== 'string') return (_: number) => input.data[0] as number;
    const features = results.get(input)?.features;
    return (i: number) => features?.[i] as number;
  });
  const [a, b, c] = operands as [(i: number) => number, (i: number) => number, (i: number) => number];
  const apply: Record<string, (i: number) => number> = {
    Add: (i) => a(i) + b(i),
    Mul: (i) => a(i) * b(i),
    Div: (i) => a(i) / b(i),
    Clip: (i) => Math.min(Math.max(a(i), b(i)), c(i)),
  };
  const of = apply[step.op] as (i: number) => number;
  return { ...x, features: x.features.map((_, i) => of(i)) };
}
