import { rangeError, typeError } from '../../errors.js';
import type { TensorLike } from '../../tensor.js';
import { describe } from '../../validate.js';
import type { ConvMap } from '../conv-map.js';
import { geometry } from '../geometry.js';
import { type MapOptions, map, mapAsync } from '../map.js';
import { maskSites } from '../mask-sites.js';
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
   * The map of a layer whose input is at the sites of a stage. Output sites are those that the mask keeps at the extents of a dense layer:
   * every convolution and pooling of a masked network is that of a dense one, times the mask.
   *
   * @param padding - default: (k - 1) / 2 for odd kernel extents, 0 for those that are the stride (patches)
   * @throws SparseKernelsError `ERR_SK_COORDINATES` (x is not at the sites of a stage), RangeError `ERR_SK_SHAPE` / `ERR_SK_OPTION`
   */
  of(x: Sites, kernelSize: readonly number[], stride = 1, padding?: readonly number[]): ConvMap {
    const { key, sites, options } = this.#recipe(x, kernelSize, stride, padding);
    const made = this.#maps.get(key) ?? map(sites, options);
    this.#maps.set(key, made);
    return made;
  }

  /**
   * {@link MaskedMaps.of} off the event loop: for many sites.
   *
   * @throws (rejects) as {@link MaskedMaps.of}
   */
  async ofAsync(x: Sites, kernelSize: readonly number[], stride = 1, padding?: readonly number[]): Promise<ConvMap> {
    const { key, sites, options } = this.#recipe(x, kernelSize, stride, padding);
    const known = this.#maps.get(key);
    if (known) return known;
    const made = await mapAsync(sites, options);
    const meanwhile = this.#maps.get(key);
    if (meanwhile) made.dispose();
    else this.#maps.set(key, made);
    return meanwhile ?? made;
  }

  #recipe(x: Sites, kernelSize: readonly number[], stride: number, given: readonly number[] | undefined) {
    const sites = this.sites(x.spatialShape);
    expectSameSites(x, sites, 'x to be at the sites that the mask keeps');
    const padding = given ?? usualPadding(kernelSize, stride);
    const options: MapOptions = { mode: 'sparse', kernelSize, stride, padding };
    const key = `${x.spatialShape}; ${kernelSize}; ${stride}; ${padding}`;
    if (stride === 1 && kernelSize.every((k, axis) => k === 2 * (padding[axis] as number) + 1)) {
      return { key, sites, options: { kernelSize } };
    }
    const { outShape } = geometry('sparse', x.spatialShape, options);
    return { key, sites, options: { ...options, outputs: this.sites(outShape) } };
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

function usualPadding(kernelSize: readonly number[], stride: number): number[] {
  return kernelSize.map((k) => {
    if (k % 2 === 1) return (k - 1) / 2;
    if (k === stride) return 0;
    throw rangeError('ERR_SK_SHAPE', `expected padding for a kernel of even extents but received ${describe([...kernelSize])}`);
  });
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
 * stages.of(x, [4, 4], 4).spatialShape; // [4, 4]: the stem of a ConvNeXt
 * ```
 */
export function maps(mask: TensorLike): MaskedMaps {
  return new MaskedMaps(mask);
}

export function maskedMaps(value: unknown): MaskedMaps {
  if (value instanceof MaskedMaps) return value;
  throw typeError('ERR_SK_TYPE', `expected maps to be those of a mask (conv.spark.maps) but received ${describe(value)}`);
}
