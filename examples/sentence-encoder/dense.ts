/** The independent reference: a plain dense product, accumulated in float64 and rounded once to float32. */
import type { Linear } from './encoder.js';
import type { LinearLayer } from './model.js';

export function denseLinear(layers: readonly LinearLayer[]): Linear {
  const byName = new Map(layers.map((layer) => [layer.name, layer]));
  return async (name, x) => matmul(x, byName.get(name) as LinearLayer);
}

function matmul(x: Float32Array, { weight, bias, activation, inFeatures, outFeatures }: LinearLayer): Float32Array {
  const rows = x.length / inFeatures;
  const y = new Float32Array(rows * outFeatures);
  for (let row = 0; row < rows; row++) {
    for (let o = 0; o < outFeatures; o++) {
      let sum = bias[o] as number;
      for (let i = 0; i < inFeatures; i++) sum += (x[row * inFeatures + i] as number) * (weight[o * inFeatures + i] as number);
      y[row * outFeatures + o] = activation === 'relu' ? Math.max(sum, 0) : sum;
    }
  }
  return y;
}
