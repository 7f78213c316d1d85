import { rangeError, typeError } from '../../errors.js';
import type { TensorLike } from '../../tensor.js';
import { describe } from '../../validate.js';
import { maskSites } from '../dense.js';
import { type ConvMap, type MapOptions, map, mapAsync } from '../map.js';
import { expectSameSites, type Sites } from '../sites.js';

/**
 * The maps of a masked network: one for each stage, kernel and stride, made when the first layer asks for it and used by all that follow. Made
 * by {@link maps}.
 */
export class MaskedMaps {
  readonly #mask: TensorLike;
  readonly #sites = new Map<string, Sites>();
  readonly #maps = new Map<string, ConvMap>();

  /** @internal */
  constructor(mask: TensorLike) {
    maskSites(mask, [...(mask.dims ?? [])].slice(1)); // a mask that is none fails here
    this.#mask = mask;
  }

  /**
   * The sites of a stage: those that the mask keeps on a grid of such extents.
   *
   * @throws RangeError `ERR_SK_SHAPE`
   */
  sites(spatialShape: readonly number[]): Sites {
    const key = spatialShape.join();
    const sites = this.#sites.get(key) ?? maskSites(this.#mask, spatialShape);
    this.#sites.set(key, sites);
    return sites;
  }

  /**
   * The map of a layer whose input is at the sites of a stage, with odd kernel extents and padding (k - 1) / 2: output sites are those that the
   * mask keeps at extents ceil(n / stride).
   *
   * @throws SparseKernelsError `ERR_SK_COORDINATES` (x is not at the sites of a stage), RangeError `ERR_SK_SHAPE` / `ERR_SK_OPTION`
   */
  of(x: Sites, kernelSize: readonly number[], stride = 1): ConvMap {
    const { key, sites, options } = this.#recipe(x, kernelSize, stride);
    const made = this.#maps.get(key) ?? map(sites, options);
    this.#maps.set(key, made);
    return made;
  }

  /** {@link MaskedMaps.of} off the event loop. @internal */
  async get(x: Sites, kernelSize: readonly number[], stride = 1): Promise<ConvMap> {
    const { key, sites, options } = this.#recipe(x, kernelSize, stride);
    const known = this.#maps.get(key);
    if (known) return known;
    const made = await mapAsync(sites, options);
    const meanwhile = this.#maps.get(key);
    if (meanwhile) made.dispose();
    else this.#maps.set(key, made);
    return meanwhile ?? made;
  }

  #recipe(x: Sites, kernelSize: readonly number[], stride: number): { key: string; sites: Sites; options: MapOptions } {
    const sites = this.sites(x.spatialShape);
    expectSameSites(x, sites, 'x to be at the sites that the mask keeps');
    if (kernelSize.some((k) => k % 2 === 0)) {
      throw rangeError('ERR_SK_SHAPE', `expected a kernel of odd extents but received ${describe([...kernelSize])}`);
    }
    const key = `${x.spatialShape}; ${kernelSize}; ${stride}`;
    if (stride === 1) return { key, sites, options: { kernelSize } };
    const outputs = this.sites(x.spatialShape.map((n) => Math.ceil(n / stride)));
    return { key, sites, options: { mode: 'sparse', kernelSize, stride, padding: kernelSize.map((k) => (k - 1) / 2), outputs } };
  }

  /** Frees the maps as soon as no run uses them. */
  dispose(): void {
    for (const made of this.#maps.values()) made.dispose();
    this.#maps.clear();
  }

  /** `using stages = conv.spark.maps(mask)` disposes at the end of the block. */
  [Symbol.dispose](): void {
    this.dispose();
  }
}

/**
 * The maps of all stages of a network under a mask.
 *
 * @param mask - [batch, ...cells], 1 where visible, as {@link mask} makes it
 * @throws TypeError `ERR_SK_TYPE` / `ERR_SK_DTYPE` / `ERR_SK_BUFFER`, RangeError `ERR_SK_SHAPE`
 * @example
 * ```ts
 * import { conv } from 'sparse-kernels';
 * const mask = conv.spark.mask({ shape: [2, 2], ratio: 0.5 });
 * using stages = conv.spark.maps(mask);
 * const x = conv.fromDense({ data: new Float32Array(4 * 16 * 16), dims: [1, 4, 16, 16] }, mask);
 * stages.of(x, [3, 3], 2).spatialShape; // [8, 8]
 * ```
 */
export function maps(mask: TensorLike): MaskedMaps {
  return new MaskedMaps(mask);
}

export function maskedMaps(value: unknown): MaskedMaps {
  if (value instanceof MaskedMaps) return value;
  throw typeError('ERR_SK_TYPE', `expected maps to be those of a mask (conv.spark.maps) but received ${describe(value)}`);
}
