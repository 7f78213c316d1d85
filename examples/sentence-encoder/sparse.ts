/** The linear layers on sparse-kernels: prune each weight, plan it once, run it on every batch. */
import { nm } from 'sparse-kernels';
import type { Linear } from './encoder.js';
import type { LayerName, LinearLayer } from './model.js';

/** Same layers, with all but the N largest magnitudes of every M consecutive inputs set to zero. */
export function pruneLayers(layers: readonly LinearLayer[], pattern: nm.Pattern): LinearLayer[] {
  return layers.map((layer) => {
    const dims = [layer.outFeatures, layer.inFeatures];
    const pruned = nm.prune({ type: 'float32', data: layer.weight, dims }, { pattern });
    return { ...layer, weight: pruned.data };
  });
}

export type Plans = ReadonlyMap<LayerName, nm.Plan>;

/** `tokens` is the number of rows to expect; a plan still runs on any other number. */
export function planLayers(layers: readonly LinearLayer[], pattern: nm.PlanOptions['pattern'], tokens: number): Plans {
  return new Map(
    layers.map(({ name, outFeatures, inFeatures, weight, bias, activation }) => [
      name,
      nm.plan({
        weight: { type: 'float32', data: weight, dims: [outFeatures, inFeatures] },
        pattern,
        bias,
        activation,
        tokens,
      }),
    ]),
  );
}

export function sparseLinear(plans: Plans): Linear {
  return async (name, x) => {
    const plan = plans.get(name) as nm.Plan;
    const y = await plan.run({ type: 'float32', data: x, dims: [x.length / plan.inFeatures, plan.inFeatures] });
    return y.data;
  };
}
