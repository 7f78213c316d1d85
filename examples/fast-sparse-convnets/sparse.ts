/** The network on this library: 1x1 layers with sparse weights on images as they are, all others as convolutions of all sites. */
import { conv, prune, type Tensor } from 'sparse-kernels';
import type { Step, Weight } from './network.js';
import { isPointwise } from './network.js';

export interface Pruned {
  readonly steps: readonly Step[];
  /** Of the 1x1 layers: weights that are not zero, and all. */
  readonly kept: number;
  readonly weights: number;
}

/** Sets the smallest weights of every 1x1 layer to zero. */
export function pruned(steps: readonly Step[], sparsity: number): Pruned {
  let [kept, weights] = [0, 0];
  const result = steps.map((step) => {
    if (!isPointwise(step)) return step;
    const { data, dims } = step.inputs[1] as Weight;
    const { weight } = prune.magnitude({ data, dims: dims.slice(0, 2) }, { scope: 'global', sparsity });
    kept += weight.data.filter((w) => w !== 0).length;
    weights += data.length;
    return { ...step, inputs: [step.inputs[0] as string, { data: weight.data, dims }] };
  });
  return { steps: result, kept, weights };
}

/** A function from images [batch, 3, height, width] to what the network says of them. */
export function network(steps: readonly Step[]): (images: Tensor) => Promise<Tensor> {
  const layers = steps.map(layerOf);
  return async (images) => {
    const results = new Map([['x', images]]);
    for (const [i, step] of steps.entries()) {
      const operands = step.inputs.map((input) => (typeof input === 'string' ? results.get(input) : input));
      const run = layers[i] ?? operators[step.op];
      if (!run) throw new Error(`the network has an operator ${step.op}, which this example does not know`);
      results.set(step.output, await run(operands as Tensor[], step));
    }
    return results.get(steps.at(-1)?.output ?? '') as Tensor;
  };
}

type Run = (operands: readonly Tensor[], step: Step) => Tensor | Promise<Tensor>;

/** Layers with weights are packed once. */
function layerOf({ op, inputs, ints }: Step): Run | undefined {
  const [, weight, offsets] = inputs;
  if (typeof weight !== 'object') return undefined;
  if (op === 'MatMul') {
    const [rows = 0, columns = 0] = weight.dims;
    const data = weight.data.map((_, i) => weight.data[(i % rows) * columns + Math.floor(i / rows)] as number);
    const layer = conv.pointwise({ weight: { data, dims: [columns, rows] } });
    return ([x]) => layer.run(x as Tensor);
  }
  if (op !== 'Conv') return undefined;
  const bias = typeof offsets === 'object' ? { bias: offsets.data } : {};
  const [out = 0, channels = 0, ...kernelSize] = weight.dims;
  if (kernelSize.every((k) => k === 1)) {
    const layer = conv.pointwise({ weight, ...bias });
    return ([x]) => layer.run(x as Tensor);
  }
  const [groups = 1] = ints.group ?? [];
  const layer = conv.layer({ weight: { data: channelsLast(weight), dims: [out, ...kernelSize, channels] }, groups, ...bias });
  const [stride, padding] = [ints.strides ?? [1, 1], (ints.pads ?? [0, 0]).slice(0, 2)];
  const maps = new Map<string, conv.ConvMap>(); // one for each extent of the images
  return async ([x]) => {
    const sites = conv.fromDense(x as Tensor);
    const key = String(x?.dims);
    const map = maps.get(key) ?? conv.map(sites, { mode: 'sparse', kernelSize, stride, padding });
    maps.set(key, map);
    return conv.toDense(await layer.run(sites, map));
  };
}

/** [out, in, kernel..] -> [out, kernel.., in] */
function channelsLast({ data, dims }: Weight): Float32Array {
  const [, inputs = 0, ...kernel] = dims;
  const volume = kernel.reduce((a, b) => a * b, 1);
  return data.map((_, i) => {
    const [o, k, channel] = [Math.floor(i / volume / inputs), Math.floor(i / inputs) % volume, i % inputs];
    return data[(o * inputs + channel) * volume + k] as number;
  });
}

const each = ([x]: readonly Tensor[], of: (value: number) => number): Tensor => ({ ...(x as Tensor), data: (x as Tensor).data.map(of) });

/** The second operand may be as large, one number, a number for each channel of each image, or a number for each of the last axis. */
function both([a, b]: readonly Tensor[], of: (x: number, y: number) => number): Tensor {
  const [x, y] = [a as Tensor, b as Tensor];
  const pixels = x.data.length / ((x.dims[0] as number) * (x.dims[1] ?? 1));
  const perChannel = y.data.length * pixels === x.data.length;
  const place = (i: number) => (y.data.length === x.data.length ? i : perChannel ? Math.floor(i / pixels) : i % y.data.length);
  return { ...x, data: x.data.map((v, i) => of(v, y.data[place(i)] as number)) };
}

const operators: Readonly<Record<string, Run>> = {
  Add: (operands) => both(operands, (a, b) => a + b),
  Mul: (operands) => both(operands, (a, b) => a * b),
  Div: (operands) => both(operands, (a, b) => a / b),
  Relu: (operands) => each(operands, (v) => Math.max(v, 0)),
  Clip: (operands, { inputs: [, low, high], floats }) => {
    const bound = (of: string | Weight | undefined, name: string, open: number) =>
      typeof of === 'object' ? (of.data[0] as number) : (floats[name] ?? open);
    const [least, most] = [bound(low, 'min', Number.NEGATIVE_INFINITY), bound(high, 'max', Number.POSITIVE_INFINITY)];
    return each(operands, (v) => Math.min(Math.max(v, least), most));
  },
  HardSigmoid: (operands, { floats: { alpha = 0.2, beta = 0.5 } }) => each(operands, (v) => Math.min(Math.max(alpha * v + beta, 0), 1)),
  BatchNormalization: ([x, weight, bias, mean, variance], { floats: { epsilon = 1e-5 } }) => {
    const [y, channels] = [x as Tensor, x?.dims[1] as number];
    const pixels = y.data.length / ((y.dims[0] as number) * channels);
    const scale = Array.from(variance?.data ?? [], (v, c) => (weight?.data[c] as number) / Math.sqrt(v + epsilon));
    const shift = scale.map((s, c) => (bias?.data[c] as number) - (mean?.data[c] as number) * s);
    const channel = (i: number) => Math.floor(i / pixels) % channels;
    return { ...y, data: y.data.map((v, i) => v * (scale[channel(i)] as number) + (shift[channel(i)] as number)) };
  },
  GlobalAveragePool: ([x]) => {
    const { data, dims } = conv.globalPool(conv.fromDense(x as Tensor), 'avg');
    return { type: 'float32', data, dims: [...dims, 1, 1] };
  },
  MaxPool: async ([x], { ints }) => {
    const sites = conv.fromDense(x as Tensor);
    using map = conv.map(sites, { mode: 'pool', kernelSize: ints.kernel_shape as number[], stride: ints.strides as number[] });
    return conv.toDense(await conv.maxPool(sites, map));
  },
  Reshape: ([x]) => ({ ...(x as Tensor), dims: [x?.dims[0] as number, x?.dims[1] as number] }),
  Softmax: ([x]) => {
    const { data, dims } = x as Tensor;
    const classes = dims[1] as number;
    const powers = data.map(Math.exp);
    const sums = Array.from({ length: dims[0] as number }, (_, n) =>
      powers.subarray(n * classes, (n + 1) * classes).reduce((a, b) => a + b),
    );
    return { type: 'float32', dims, data: powers.map((p, i) => p / (sums[Math.floor(i / classes)] as number)) };
  },
};
