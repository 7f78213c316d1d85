import type { NativeDeviceMap } from '../../types/map.js';
import { guarded, NativeHandle } from '../handle.js';
import { type StreamOption, streamOption } from '../stream.js';
import { allocate } from '../tensor.js';
import { options } from '../validate.js';
import type { PairLists } from './conv-map.js';
import type { Geometry, KernelOptions, MapMode } from './geometry.js';
import type { DeviceSites } from './sites.js';

/** Options of `conv.mapAsync` for sites on a device. */
export interface CudaMapOptions extends KernelOptions, StreamOption {
  /** Default `'submanifold'`. */
  readonly mode?: MapMode;
  /** Modes `sparse` and `pool`: the output sites, as in host memory, or given ones on the device. Default `'reached'`. */
  readonly outputs?: 'reached' | 'floor' | DeviceSites;
  /** Mode `inverse`: the map on the device that is undone; x then has its coordinates tensor. */
  readonly paired?: CudaMap;
  /** Aborts the building before it begins: the promise then rejects with the signal's `reason`. */
  readonly signal?: AbortSignal;
}

/**
 * A map on a CUDA device, of sites that lie there: the pairs that `conv.map` finds for the same sites. Layers and pooling on the device take
 * it with features there, in the order of its sites. Immutable. Made by `conv.mapAsync`.
 *
 * @example
 * ```ts
 * import { conv, type DeviceTensor } from 'sparse-kernels';
 * export async function layer(first: conv.CudaLayer, coords: DeviceTensor<'int32'>, features: DeviceTensor): Promise<DeviceTensor> {
 *   using map = await conv.mapAsync({ coords, spatialShape: [64, 64, 64], batchSize: 1 }, { kernelSize: 3 });
 *   return first.run(features, map); // nothing of it has been in host memory
 * }
 * ```
 */
export class CudaMap {
  /** How it was made. */
  readonly mode: MapMode;
  /** Extents of the kernel; undefined where offsets were given. */
  readonly kernelSize: readonly number[] | undefined;
  /** Offsets of the kernel: the product of its extents. */
  readonly kernelVolume: number;
  /** Sites that a layer reads. */
  readonly input: DeviceSites;
  /** Sites that a layer writes. Those that the map found are a tensor of their own, which `dispose()` of the map leaves. */
  readonly output: DeviceSites;
  /** Number of pairs: a layer does pairs x input channels x output channels multiply-adds. */
  readonly pairCount: number;
  /** Of the window of every output; none where the map is an inverse. @internal */
  readonly geometry: Geometry | undefined;
  /** @internal */
  readonly handle: NativeHandle<NativeDeviceMap>;

  /** @internal */
  constructor(
    mode: MapMode,
    kernel: { kernelSize: readonly number[] | undefined; kernelVolume: number; geometry?: Geometry | undefined },
    input: DeviceSites,
    output: DeviceSites,
    live: NativeDeviceMap,
  ) {
    this.mode = mode;
    this.kernelSize = kernel.kernelSize;
    this.kernelVolume = kernel.kernelVolume;
    this.geometry = kernel.geometry;
    this.input = input;
    this.output = output;
    this.pairCount = live.pairs;
    this.handle = new NativeHandle('the map', () => live);
  }

  /** int32 [n, 1 + axes] on the device: the output sites. */
  get coords(): DeviceSites['coords'] {
    return this.output.coords;
  }

  /** Extents of the output grid. */
  get spatialShape(): readonly number[] {
    return this.output.spatialShape;
  }

  /** Bytes of the pairs on the device. */
  get bytes(): number {
    return this.handle.live().bytes;
  }

  /**
   * A copy of the pairs in host memory, off the event loop: to look at.
   *
   * @throws (rejects) TypeError `ERR_SK_TYPE`, RangeError `ERR_SK_OPTION`, SparseKernelsError `ERR_SK_MEMORY` / `ERR_SK_DISPOSED` / `ERR_SK_CUDA`
   */
  async pairs(copyOptions: StreamOption = {}): Promise<PairLists> {
    const stream = streamOption(options<StreamOption>(copyOptions, 'options', ['stream']).stream)?.live();
    const lists = {
      starts: allocate('int32', this.kernelVolume + 1, 'the starts'),
      in: allocate('int32', this.pairCount, 'the pairs'),
      out: allocate('int32', this.pairCount, 'the pairs'),
    };
    await this.handle.use((live) => guarded(() => live.readPairs(lists.starts, lists.in, lists.out, stream)));
    return lists;
  }

  /** Frees the pairs as soon as no run uses them; later use throws `ERR_SK_DISPOSED`. Without it the garbage collector does. */
  dispose(): void {
    this.handle.dispose();
  }

  /** `using map = await conv.mapAsync(...)` disposes at the end of the block. */
  [Symbol.dispose](): void {
    this.dispose();
  }
}
