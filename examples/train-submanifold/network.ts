/**
 * A tiny network with a training step written out: submanifold 3x3x3, strided 2x2x2, submanifold 3x3x3, each with ReLU, then the mean over all
 * sites and a linear classifier. conv gives the gradients of its layers; the rest is a few lines.
 */
import { conv, type Tensor } from 'sparse-kernels';
import type { Batch } from './data.js';

interface Parameter {
  readonly value: Float32Array;
  readonly dims: readonly number[];
  /** Adam's moments. */
  readonly first: Float32Array;
  readonly second: Float32Array;
}

export class Network {
  readonly #convolutions: Parameter[];
  readonly #classifier: Parameter;
  #steps = 0;

  constructor(next: () => number, channels: readonly [number, number, number], classes: number) {
    const [a, b, c] = channels;
    this.#convolutions = [parameter([a, 3, 3, 3, 1], next), parameter([b, 2, 2, 2, a], next), parameter([c, 3, 3, 3, b], next)];
    this.#classifier = parameter([classes, c], next);
  }

  /** One step of Adam; the loss (cross entropy) and the accuracy of the batch before it. */
  async step(batch: Batch, rate: number): Promise<{ loss: number; accuracy: number }> {
    // Forward: every layer's input, map and output are kept.
    const tape: { weight: Parameter; map: conv.ConvMap; x: conv.SparseTensor; y: conv.SparseTensor }[] = [];
    let x = batch.x;
    for (const [i, weight] of this.#convolutions.entries()) {
      const map = i === 1 ? conv.map(x, { mode: 'sparse', kernelSize: 2, stride: 2 }) : conv.map(x, { kernelSize: 3 });
      using layer = conv.layer({ weight: { data: weight.value, dims: weight.dims }, activation: 'relu' });
      const y = await layer.run(x, map);
      tape.push({ weight, map, x, y });
      x = y;
    }
    const pooled = conv.globalPool(x, 'avg');
    const { loss, accuracy, logitGradients } = crossEntropy(logits(pooled, this.#classifier.value), batch.labels);

    // Backward.
    const classes = logitGradients.length / batch.labels.length;
    const gradients: [Parameter, Float32Array][] = [[this.#classifier, outer(logitGradients, classes, pooled)]];
    let dy = spread(logitGradients, this.#classifier.value, x);
    for (const { weight, map, x, y } of tape.reverse()) {
      const behind = { ...dy, features: dy.features.map((g, i) => ((y.features[i] as number) > 0 ? g : 0)) }; // through the ReLU
      gradients.push([weight, (await conv.weightGradient(x, behind, map)).data]);
      dy = await conv.inputGradient(behind, { data: weight.value, dims: weight.dims }, map);
      map.dispose();
    }
    this.#steps++;
    for (const [p, gradient] of gradients) adam(p, gradient, rate, this.#steps);
    return { loss, accuracy };
  }
}

/** He initialisation: inputs are all axes but the first. */
function parameter(dims: readonly number[], next: () => number): Parameter {
  const length = dims.reduce((a, b) => a * b, 1);
  const spread = Math.sqrt((6 * (dims[0] as number)) / length);
  const value = Float32Array.from({ length }, () => spread * (2 * next() - 1));
  return { value, dims, first: new Float32Array(length), second: new Float32Array(length) };
}

function logits({ data, dims }: Tensor, classifier: Float32Array): number[][] {
  const [batch = 0, channels = 0] = dims;
  const row = (sample: number, k: number) => {
    let sum = 0;
    for (let c = 0; c < channels; c++) sum += (data[sample * channels + c] as number) * (classifier[k * channels + c] as number);
    return sum;
  };
  return Array.from({ length: batch }, (_, sample) => Array.from({ length: classifier.length / channels }, (_, k) => row(sample, k)));
}

function crossEntropy(logits: readonly number[][], labels: readonly number[]) {
  let [loss, right] = [0, 0];
  const logitGradients = logits.flatMap((row, sample) => {
    const largest = Math.max(...row);
    const powers = row.map((v) => Math.exp(v - largest));
    const total = powers.reduce((a, b) => a + b, 0);
    const label = labels[sample] as number;
    loss -= Math.log((powers[label] as number) / total) / labels.length;
    if (row[label] === largest) right++;
    return powers.map((p, k) => (p / total - (k === label ? 1 : 0)) / labels.length);
  });
  return { loss, accuracy: right / labels.length, logitGradients };
}

/** The gradient of the classifier. */
function outer(logitGradients: readonly number[], classes: number, { data, dims }: Tensor): Float32Array {
  const channels = dims[1] as number;
  const gradient = new Float32Array(classes * channels);
  logitGradients.forEach((g, i) => {
    const [sample, k] = [Math.floor(i / classes), i % classes];
    for (let c = 0; c < channels; c++) {
      gradient[k * channels + c] = (gradient[k * channels + c] as number) + g * (data[sample * channels + c] as number);
    }
  });
  return gradient;
}

/** The gradient towards the features of every site: each has an equal share in the mean of its sample. */
function spread(logitGradients: readonly number[], classifier: Float32Array, x: conv.SparseTensor): conv.SparseTensor {
  const { channels, coords, spatialShape, batchSize } = x;
  const classes = logitGradients.length / batchSize;
  const width = 1 + spatialShape.length;
  const sites = new Int32Array(batchSize);
  for (let row = 0; row * width < coords.length; row++) {
    const sample = coords[row * width] as number;
    sites[sample] = (sites[sample] as number) + 1;
  }
  const ofSample = Array.from({ length: batchSize }, (_, sample) =>
    Array.from({ length: channels }, (_, c) => {
      let sum = 0;
      for (let k = 0; k < classes; k++) sum += (logitGradients[sample * classes + k] as number) * (classifier[k * channels + c] as number);
      return sum / Math.max(1, sites[sample] as number);
    }),
  );
  const features = x.features.map((_, i) => ofSample[coords[Math.floor(i / channels) * width] as number]?.[i % channels] as number);
  return { ...x, features };
}

function adam({ value, first, second }: Parameter, gradient: Float32Array, rate: number, step: number): void {
  for (let i = 0; i < value.length; i++) {
    const g = gradient[i] as number;
    first[i] = 0.9 * (first[i] as number) + 0.1 * g;
    second[i] = 0.99 * (second[i] as number) + 0.01 * g * g;
    const momentum = (first[i] as number) / (1 - 0.9 ** step);
    value[i] = (value[i] as number) - (rate * momentum) / (Math.sqrt((second[i] as number) / (1 - 0.99 ** step)) + 1e-8);
  }
}
