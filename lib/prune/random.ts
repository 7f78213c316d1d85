import type { TensorLike } from '../tensor.js';
import { integer } from '../validate.js';
import { matrix, type Pruned, pruned } from './matrix.js';
import { parseScope, type Scope } from './scope.js';
import { selectMask } from './select.js';

/** Uniform numbers in [0, 1) from a 32-bit seed (mulberry32): the same on every machine. */
export function generator(seed: unknown): () => number {
  let state = integer(seed ?? 0, 'seed', 0, 2 ** 32 - 1);
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let bits = Math.imul(state ^ (state >>> 15), state | 1);
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61);
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * Random pruning: the baseline of every criterion, and with {@link budget | ERK} densities a good start for sparse training.
 *
 * Liu et al., "The Unreasonable Effectiveness of Random Pruning" (ICLR 2022).
 *
 * @param weight - float32 [out, in]; left as it is
 * @param randomOptions - a scope, and `seed` (default 0), an integer from 0 to 2^32 - 1
 * @throws TypeError `ERR_SK_TYPE` / `ERR_SK_DTYPE` / `ERR_SK_BUFFER`, RangeError `ERR_SK_SHAPE` / `ERR_SK_PATTERN` / `ERR_SK_OPTION`
 * @example
 * ```ts
 * import { prune } from 'sparse-kernels';
 * const weight = { data: new Float32Array(64).fill(1), dims: [8, 8] };
 * const { mask } = prune.random(weight, { scope: 'row', sparsity: 0.75, seed: 1 }); // two ones in each row
 * ```
 */
export function random(weight: TensorLike, randomOptions: Scope & { readonly seed?: number }): Pruned {
  const scope = parseScope(randomOptions, ['seed']);
  const next = generator(randomOptions.seed);
  const w = matrix(weight, 'weight');
  return pruned(w, selectMask(w.data.map(next), w.rows, w.columns, scope));
}
