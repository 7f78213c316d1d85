import type { NativeKernelMap, NativeMapOptions } from '../../types/conv.js';
import { rangeError, SparseKernelsError, typeError } from '../errors.js';
import { cancellable, guarded } from '../handle.js';
import { native } from '../native.js';
import { describe, oneOf, options } from '../validate.js';
import { ConvMap } from './conv-map.js';
import { type Geometry, geometry, type KernelOptions, type MapMode } from './geometry.js';
import { expectSameSites, type Sites, sitesOf } from './sites.js';

const modes: readonly MapMode[] = ['submanifold', 'sparse', 'pool', 'transposed', 'inverse'];

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

const optionNames = [
  ...['mode', 'kernelSize', 'stride', 'padding', 'dilation', 'outputPadding', 'offsets', 'outputShape', 'outputs', 'paired'],
] as (keyof MapOptions)[];

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
 * {@link map} off the event loop: for many sites. The coordinates are copied before the call returns.
 *
 * @throws (rejects) as {@link map}, or the reason of `signal`
 * @example
 * ```ts
 * import { conv } from 'sparse-kernels';
 * const x = conv.tensor({ coords: Int32Array.of(0, 0, 0, 0, 3, 4), features: Float32Array.of(1, 2), spatialShape: [8, 8] });
 * using map = await conv.mapAsync(x, { kernelSize: 3 });
 * map.pairCount; // 2
 * ```
 */
export async function mapAsync(x: Sites, mapOptions: MapAsyncOptions): Promise<ConvMap> {
  const { signal, ...rest } = options<MapAsyncOptions>(mapOptions, 'options', [...optionNames, 'signal']);
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
  const o = options<MapOptions>(mapOptions, 'options', optionNames);
  const mode = oneOf(o.mode ?? 'submanifold', 'mode', modes);
  const input = sitesOf(x, 'x');
  if (mode === 'inverse') return inverse(input, o);
  if (o.paired !== undefined) throw rangeError('ERR_SK_OPTION', "expected paired only in mode 'inverse'");
  const g = geometry(mode, input.spatialShape, o);
  const given = yield* givenOutputs(mode, input, g, o.outputs);
  const outputs = mode === 'submanifold' ? 0 : given ? 2 : 1;
  const live = yield nativeOptions(input, g, outputs, given, mode === 'transposed');
  const kernelVolume = g.offsets.length / input.spatialShape.length;
  const kernel = { kernelSize: g.kernelSize, kernelVolume, geometry: g };
  return new ConvMap(mode, kernel, input, mode === 'submanifold' ? input : given, () => live, g.outShape);
}

/** `outputs` as in native/map/map.h, enum MapOutputs. */
function nativeOptions(input: Sites, g: Geometry, outputs: number, given: Sites | undefined, transposed: boolean): NativeMapOptions {
  return {
    coords: input.coords,
    batch: input.batchSize,
    inShape: Int32Array.from(input.spatialShape),
    outShape: Int32Array.from(given?.spatialShape ?? g.outShape),
    stride: Int32Array.from(g.stride),
    offsets: g.offsets,
    outputs,
    outCoords: given?.coords,
    transposed,
  };
}

function inverse(input: Sites, { paired, mode: _, ...others }: MapOptions): ConvMap {
  if (!(paired instanceof ConvMap)) throw typeError('ERR_SK_TYPE', `expected paired to be a map but received ${describe(paired)}`);
  for (const [name, value] of Object.entries(others)) {
    if (value !== undefined) throw rangeError('ERR_SK_OPTION', `expected no ${name} in mode 'inverse': paired decides it`);
  }
  expectSameSites(input, paired.output, 'x to be at the output sites of paired');
  const { kernelSize, kernelVolume } = paired;
  return new ConvMap('inverse', { kernelSize, kernelVolume }, paired.output, paired.input, () => paired.swapped());
}

/** The output sites, where they do not follow from the offsets. */
function* givenOutputs(
  mode: MapMode,
  input: Sites,
  g: Geometry,
  outputs: MapOptions['outputs'],
): Generator<NativeMapOptions, Sites | undefined, NativeKernelMap> {
  if (outputs === undefined || outputs === 'reached') return undefined;
  if (mode !== 'sparse' && mode !== 'pool') {
    throw rangeError('ERR_SK_OPTION', `expected outputs only in modes 'sparse' and 'pool' but received them in mode '${mode}'`);
  }
  if (typeof outputs === 'object') {
    const given = sitesOf(outputs, 'outputs');
    if (given.batchSize === input.batchSize && given.spatialShape.length === input.spatialShape.length) return given;
    throw new SparseKernelsError('ERR_SK_COORDINATES', 'expected outputs to have the batch size and the number of axes of x');
  }
  oneOf(outputs, 'outputs', ['reached', 'floor']);
  // floor(i / stride) is what all offsets of [0, stride) reach.
  const outShape = input.spatialShape.map((extent, axis) => Math.ceil(extent / (g.stride[axis] as number)));
  const cells = geometry('sparse', input.spatialShape, { kernelSize: g.stride, stride: g.stride });
  const live = yield nativeOptions(input, { ...cells, outShape }, 1, undefined, false);
  using floor = new ConvMap('sparse', { kernelSize: g.stride, kernelVolume: 1 }, input, undefined, () => live, outShape);
  return floor.output;
}
