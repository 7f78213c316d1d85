import { rangeError, typeError } from '../errors.js';
import { elementCount } from '../tensor.js';
import { describe, oneOf, options } from '../validate.js';
import { fraction } from './scope.js';

/** Options of {@link budget}. */
export interface BudgetOptions {
  /** Sparsity of all layers together, in [0, 1). */
  readonly sparsity: number;
  /** How layers share it. Default `erk`. */
  readonly method?: 'uniform' | 'er' | 'erk';
}

/**
 * The sparsity of each layer for a sparsity of the whole network. `uniform`: the same for all. `er` (Erdős–Rényi): the density of a layer
 * is proportional to `(in + out) / (in out)`, so wide layers become sparser; `erk` also counts the kernel axes of convolutions. Layers
 * whose density would pass 1 stay dense, and the others share what is left. The weights that stay add up to the budget.
 *
 * Mocanu et al., "Scalable training of artificial neural networks with adaptive sparse connectivity inspired by network science" (2018);
 * ERK: Evci et al., "Rigging the Lottery: Making All Tickets Winners" (ICML 2020).
 *
 * @param layers - the dims of each weight: [out, in], or [out, in, ...kernel] for convolutions
 * @returns one sparsity in [0, 1) for each layer
 * @throws TypeError `ERR_SK_TYPE`, RangeError `ERR_SK_SHAPE` / `ERR_SK_OPTION`
 * @example
 * ```ts
 * import { prune } from 'sparse-kernels';
 * prune.budget([[64, 64], [1024, 1024]], { sparsity: 0.9, method: 'er' }); // the wide layer becomes the sparser one
 * ```
 */
export function budget(layers: readonly (readonly number[])[], budgetOptions: BudgetOptions): number[] {
  const o = options<BudgetOptions>(budgetOptions, 'options', ['sparsity', 'method']);
  const sparsity = fraction(o.sparsity, 'sparsity');
  const method = oneOf(o.method ?? 'erk', 'method', ['uniform', 'er', 'erk'] as const);
  if (!Array.isArray(layers)) throw typeError('ERR_SK_TYPE', `expected layers to be an array of dims but received ${describe(layers)}`);
  const sizes = layers.map((dims, i) => {
    const size = elementCount(dims, `layers[${i}]`);
    if (dims.length >= 2 && size > 0) return size;
    throw rangeError('ERR_SK_SHAPE', `expected layers[${i}] to be [out, in, ...kernel], none 0, but received ${describe(dims)}`);
  });
  if (method === 'uniform') return sizes.map(() => sparsity);

  const raw = layers.map((dims: readonly number[]) => {
    const axes = method === 'er' ? dims.slice(0, 2) : dims;
    return axes.reduce((a, b) => a + b) / axes.reduce((a, b) => a * b);
  });
  const sum = (of: (layer: number) => number, layersToSum: number[]) => layersToSum.reduce((total, layer) => total + of(layer), 0);
  const size = (layer: number) => sizes[layer] as number;
  const all = sizes.map((_, layer) => layer);
  let scaled = all;
  for (;;) {
    const dense = all.filter((layer) => !scaled.includes(layer));
    const left = (1 - sparsity) * sum(size, all) - sum(size, dense);
    const scale = left / sum((layer) => (raw[layer] as number) * size(layer), scaled);
    const within = scaled.filter((layer) => scale * (raw[layer] as number) < 1);
    if (within.length === scaled.length) return all.map((layer) => (dense.includes(layer) ? 0 : 1 - scale * (raw[layer] as number)));
    scaled = within;
  }
}
