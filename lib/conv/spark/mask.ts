import { rangeError } from '../../errors.js';
import { allocate } from '../../tensor.js';
import { describe, integer, options } from '../../validate.js';
import { perAxis } from '../sites.js';

/** Options of {@link mask}. */
export interface MaskOptions {
  /** Cells along each axis: the grid of the coarsest stage, 7 x 7 for images of 224 x 224 and a stride of 32. */
  readonly shape: readonly number[];
  /** Share of the cells that are masked; default 0.6. */
  readonly ratio?: number;
  /** Masks of different seeds differ; default 0. */
  readonly seed?: number;
  /** Default 1. Every sample has a mask of its own, with as many cells kept. */
  readonly batchSize?: number;
}

/** A mask: 1 where visible. */
export interface Mask {
  /** Element type. */
  readonly type: 'uint8';
  /** 1 for cells that are kept, 0 for masked ones. */
  readonly data: Uint8Array;
  /** [batch, ...cells]. */
  readonly dims: readonly number[];
}

/**
 * A random mask that keeps round(cells * (1 - ratio)) cells of every sample.
 *
 * @throws TypeError `ERR_SK_TYPE`, RangeError `ERR_SK_OPTION` / `ERR_SK_SHAPE`
 * @example
 * ```ts
 * import { conv } from 'sparse-kernels';
 * const mask = conv.spark.mask({ shape: [7, 7], ratio: 0.6, seed: 1, batchSize: 8 }); // 20 of 49 cells each
 * const x = conv.fromDense({ data: new Float32Array(8 * 3 * 224 * 224), dims: [8, 3, 224, 224] }, mask);
 * const stage = conv.maskSites(mask, [56, 56]); // the sites of a stage with a stride of 4
 * const stem = conv.map(x, { mode: 'sparse', kernelSize: 4, stride: 4, outputs: stage });
 * ```
 */
export function mask(maskOptions: MaskOptions): Mask {
  const o = options<MaskOptions>(maskOptions, 'options', ['shape', 'ratio', 'seed', 'batchSize']);
  const shape = perAxis(o.shape, 'shape', 1, 2 ** 20);
  const ratio = o.ratio ?? 0.6;
  if (typeof ratio !== 'number' || !(ratio >= 0 && ratio <= 1)) {
    throw rangeError('ERR_SK_OPTION', `expected ratio to be a number from 0 to 1 but received ${describe(ratio)}`);
  }
  const batchSize = integer(o.batchSize ?? 1, 'batchSize', 1, 2 ** 31 - 1);
  const next = generator(integer(o.seed ?? 0, 'seed', 0, 2 ** 32 - 1));
  const cells = shape.reduce((a, b) => a * b, 1);
  const kept = Math.round(cells * (1 - ratio));
  const data = allocate('uint8', batchSize * cells, 'the mask');
  for (let sample = 0; sample < batchSize; sample++) {
    const keys = Float64Array.from({ length: cells }, next);
    const order = Array.from(keys.keys()).sort((a, b) => (keys[a] as number) - (keys[b] as number));
    for (const cell of order.slice(0, kept)) data[sample * cells + cell] = 1;
  }
  return { type: 'uint8', data, dims: [batchSize, ...shape] };
}

/** Uniform in [0, 1), from Weyl's sequence through a mixing function (splitmix32). */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x9e3779b9) | 0;
    let z = state;
    z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
    z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
    return ((z ^ (z >>> 16)) >>> 0) / 2 ** 32;
  };
}
