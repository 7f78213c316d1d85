/** The ways to prune one layer, under one signature. */
import { prune } from 'sparse-kernels';
import type { LinearLayer } from '../sentence-encoder/model.js';

export const METHODS = ['magnitude', 'wanda', 'sparsegpt'] as const;
export type Method = (typeof METHODS)[number];

/** What a layer looks like afterwards; `x` are its inputs on calibration sentences, [tokens, inFeatures]. */
export function pruneLayer(layer: LinearLayer, x: Float32Array, method: Method, scope: prune.Scope): LinearLayer {
  const { inFeatures, outFeatures } = layer;
  const weight = { data: layer.weight, dims: [outFeatures, inFeatures] };
  if (method === 'magnitude') return { ...layer, weight: prune.magnitude(weight, scope).weight.data };
  const calibration = new prune.Calibration(inFeatures, { hessian: method === 'sparsegpt' });
  calibration.add({ data: x, dims: [x.length / inFeatures, inFeatures] });
  return { ...layer, weight: prune[method](weight, { ...scope, calibration }).weight.data };
}
