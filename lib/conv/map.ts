import type { NativeKernelMap, NativeMapOptions } from '../../types/map.js';
import { typeError } from '../errors.js';
import { cancellable, guarded } from '../handle.js';
import { native } from '../native.js';
import { describe, options } from '../validate.js';
import { ConvMap } from './conv-map.js';
import { mapOnDevice } from './cuda-build.js';
import type { CudaMap, CudaMapOptions } from './cuda-conv-map.js';
import { geometry, type KernelOptions, type MapMode } from './geometry.js';
import { expectOnlyPaired, mapOptionNames, mapSteps, modeOf, nativeGeometry } from './map-steps.js';
import { areOnDevice, type DeviceSites, expectSameSites, type Sites, sitesOf } from './sites.js';

/** Options of {@link map}. */
export interface MapOptions extends KernelOptions {
  /** Default `'submanifold'`. */
  readonly mode?: MapMode;
  /**
   * Modes `sparse` and `pool`: the output sites. `'reached'` (default): all that some input reaches; `'floor'`: floor(coordinate / stride) of
   * every input (MinkowskiEngine); or given ones, in their grid: those of a tensor, or of a mask (SparK).
   */
  readonly outputs?: 'reached' | 'floor' | Sites;
  /** Mode `inverse`: the map that is undone. */
  readonly paired?: ConvMap;
}

/**
 * Builds the map of a convolution or pooling over the sites of a tensor (its features do not matter).
 *
 * Output extents are those of dense layers: floor((n + 2 padding - dilation (k - 1) - 1) / stride) + 1, transposed
 * (n - 1) stride - 2 padding + dilation (k - 1) + 1 + outputPadding. Weights of offset r multiply input `o * stride - padding + r * dilation`,
 * with r in row-major order, last axis fastest. Output rows are in ascending linear key. No output sites are a legal result.
 *
 * @throws TypeError `ERR_SK_TYPE`, RangeError `ERR_SK_OPTION` / `ERR_SK_SHAPE`, SparseKernelsError `ERR_SK_COORDINATES` (rows that are not in
 * ascending order or outside the grid; a map that is not paired with x; a grid of 2^63 sites and more) / `ERR_SK_MEMORY`
 * @example
 * ```ts
 * import { conv } from 'sparse-kernels';
 * const x = conv.tensor({ coords: Int32Array.of(0, 0, 0, 0, 3, 4), features: Float32Array.of(1, 2), spatialShape: [8, 8] });
 * const same = conv.map(x, { kernelSize: 3 }); // submanifold: the same two sites
 * const down = conv.map(x, { mode: 'sparse', kernelSize: 3, stride: 2, padding: 1 }); // on a grid of 4 x 4
 * down.coords; // Int32Array [0, 0, 0,  0, 1, 2,  0, 2, 2]
 * ```
 */
export function map(x: Sites, mapOptions: MapOptions): ConvMap {
  const steps = build(x, mapOptions);
  for (let step = steps.next(); ; ) {
    if (step.done) return step.value;
    const settings = step.value;
    step = steps.next(guarded(() => new native.KernelMap(settings)));
  }
}

/** Options of {@link mapAsync}. */
export interface MapAsyncOptions extends MapOptions {
  /** Aborts the building before it begins: the promise then rejects with the signal's `reason`. */
  readonly signal?: AbortSignal;
}

/**
 * {@link map} off the event loop: for many sites. The coordinates are copied before the call returns. Sites on a device become a map there,
 * with the same pairs: nothing is copied to the host but the numbers of sites and pairs, once, and the promise waits for them.
 *
 * @param x - a tensor or sites; or sites on a device, in ascending linear key like all others
 * @throws (rejects) as {@link map}, or the reason of `signal`; on a device also SparseKernelsError `ERR_SK_CUDA` and RangeError
 * `ERR_SK_SHAPE` for more sites and offsets than its kernels take (2^31 candidates, 2^38 entries of a table)
 * @example
 * ```ts
 * import { conv } from 'sparse-kernels';
 * const x = conv.tensor({ coords: Int32Array.of(0, 0, 0, 0, 3, 4), features: Float32Array.of(1, 2), spatialShape: [8, 8] });
 * using map = await conv.mapAsync(x, { kernelSize: 3 });
 * map.pairCount; // 2
 * ```
 */
export async function mapAsync(x: DeviceSites, mapOptions: CudaMapOptions): Promise<CudaMap>;
export async function mapAsync(x: Sites, mapOptions: MapAsyncOptions): Promise<ConvMap>;
export async function mapAsync(x: Sites | DeviceSites, mapOptions: MapAsyncOptions | CudaMapOptions): Promise<ConvMap | CudaMap> {
  if (areOnDevice(x))
    return mapOnDevice(x, options<CudaMapOptions>(mapOptions as CudaMapOptions, 'options', [...mapOptionNames, 'signal', 'stream']));
  const { signal, ...rest } = options<MapAsyncOptions>(mapOptions, 'options', [...mapOptionNames, 'signal']);
  return cancellable(signal, async (token) => {
    const steps = build(x, rest);
    for (let step = steps.next(); ; ) {
      if (step.done) return step.value;
      const live = new native.KernelMap(undefined);
      await live.build(step.value, token);
      live.take();
      step = steps.next(live);
    }
  });
}

/** Yields what native maps are to be made from, takes them, and returns the map: for both the synchronous and the asynchronous way. */
function* build(x: Sites, mapOptions: MapOptions): Generator<NativeMapOptions, ConvMap, NativeKernelMap> {
  const o = options<MapOptions>(mapOptions, 'options', mapOptionNames);
  const mode = modeOf(o.mode);
  const input = sitesOf(x, 'x');
  if (mode === 'inverse') return inverse(input, o);
  const steps = mapSteps<Sites, NativeKernelMap>(mode, input, geometry(mode, input.spatialShape, o), o, { sitesOf, found });
  for (let step = steps.next(); ; ) {
    if (step.done) {
      const { kernel, output, outShape, live } = step.value;
      return new ConvMap(mode, kernel, input, output, () => live, outShape);
    }
    step = steps.next(yield { coords: input.coords, outCoords: step.value.given?.coords, ...nativeGeometry(step.value) });
  }
}

function found(live: NativeKernelMap, input: Sites, outShape: readonly number[]): Sites {
  using map = new ConvMap('sparse', { kernelSize: undefined, kernelVolume: 1 }, input, undefined, () => live, outShape);
  return map.output;
}

function inverse(input: Sites, o: MapOptions): ConvMap {
  const { paired } = o;
  if (!(paired instanceof ConvMap)) throw typeError('ERR_SK_TYPE', `expected paired to be a map but received ${describe(paired)}`);
  expectOnlyPaired(o);
  expectSameSites(input, paired.output, 'x to be at the output sites of paired');
  const { kernelSize, kernelVolume } = paired;
  return new ConvMap('inverse', { kernelSize, kernelVolume }, paired.output, paired.input, () => paired.swapped());
}
