/** What maps are made from, one native map after the other: for sites in host memory and on a device, at once and in promises. */
import { rangeError, SparseKernelsError } from '../errors.js';
import { oneOf } from '../validate.js';
import { type Geometry, geometry, type KernelOptions, type MapMode } from './geometry.js';
import type { DeviceSites, Sites } from './sites.js';

const modes: readonly MapMode[] = ['submanifold', 'sparse', 'pool', 'transposed', 'inverse'];

/** The options of a map on sites of one kind, whose maps are of kind M. */
export interface MapStepOptions<S, M> extends KernelOptions {
  readonly mode?: MapMode;
  readonly outputs?: 'reached' | 'floor' | S;
  readonly paired?: M;
}

export const mapOptionNames = [
  ...['mode', 'kernelSize', 'stride', 'padding', 'dilation', 'outputPadding', 'offsets', 'outputShape', 'outputs', 'paired'],
] as (keyof MapStepOptions<unknown, unknown>)[];

/** One native map. */
export interface MapStep<S> {
  readonly input: S;
  readonly geometry: Geometry;
  /** native/map/map.h, enum MapOutputs. */
  readonly outputs: number;
  /** The output sites, where they are given. */
  readonly given: S | undefined;
  readonly transposed: boolean;
}

/** What the last step made, and of what. */
export interface MadeMap<S, N> {
  readonly kernel: { readonly kernelSize: readonly number[] | undefined; readonly kernelVolume: number; readonly geometry: Geometry };
  /** Undefined where the map found its output sites. */
  readonly output: S | undefined;
  readonly outShape: readonly number[];
  readonly live: N;
}

/** How sites of one kind are handled. */
export interface SiteKind<S, N> {
  /** Checks sites that are an argument. */
  sitesOf(value: unknown, name: string): S;
  /** The output sites that a native map found in a grid; it is of no further use. */
  found(live: N, input: S, outShape: readonly number[]): S;
}

export function modeOf(mode: MapMode | undefined): MapMode {
  return oneOf(mode ?? 'submanifold', 'mode', modes);
}

/** Of any mode but inverse, whose kernel is `g`. Yields what native maps are to be made from and takes them. */
export function* mapSteps<S extends Sites | DeviceSites, N>(
  mode: MapMode,
  input: S,
  g: Geometry,
  o: MapStepOptions<S, unknown>,
  kind: SiteKind<S, N>,
): Generator<MapStep<S>, MadeMap<S, N>, N> {
  if (o.paired !== undefined) throw rangeError('ERR_SK_OPTION', "expected paired only in mode 'inverse'");
  const given = yield* givenOutputs(mode, input, g, o.outputs, kind);
  const outputs = mode === 'submanifold' ? 0 : given ? 2 : 1;
  const live = yield { input, geometry: g, outputs, given, transposed: mode === 'transposed' };
  const kernelVolume = g.offsets.length / input.spatialShape.length;
  const kernel = { kernelSize: g.kernelSize, kernelVolume, geometry: g };
  return { kernel, output: mode === 'submanifold' ? input : given, outShape: g.outShape, live };
}

/** The output sites, where they do not follow from the offsets. */
function* givenOutputs<S extends Sites | DeviceSites, N>(
  mode: MapMode,
  input: S,
  g: Geometry,
  outputs: 'reached' | 'floor' | S | undefined,
  kind: SiteKind<S, N>,
): Generator<MapStep<S>, S | undefined, N> {
  if (outputs === undefined || outputs === 'reached') return undefined;
  if (mode !== 'sparse' && mode !== 'pool') {
    throw rangeError('ERR_SK_OPTION', `expected outputs only in modes 'sparse' and 'pool' but received them in mode '${mode}'`);
  }
  if (typeof outputs === 'object') {
    const given = kind.sitesOf(outputs, 'outputs');
    if (given.batchSize === input.batchSize && given.spatialShape.length === input.spatialShape.length) return given;
    throw new SparseKernelsError('ERR_SK_COORDINATES', 'expected outputs to have the batch size and the number of axes of x');
  }
  oneOf(outputs, 'outputs', ['reached', 'floor']);
  // floor(i / stride) is what all offsets of [0, stride) reach.
  const outShape = input.spatialShape.map((extent, axis) => Math.ceil(extent / (g.stride[axis] as number)));
  const cells = { ...geometry('sparse', input.spatialShape, { kernelSize: g.stride, stride: g.stride }), outShape };
  const live = yield { input, geometry: cells, outputs: 1, given: undefined, transposed: false };
  return kind.found(live, input, outShape);
}

/** Throws unless `paired` is all that says how an inverse map is made. */
export function expectOnlyPaired({ paired: _, mode: __, ...others }: MapStepOptions<unknown, unknown>): void {
  for (const [name, value] of Object.entries(others)) {
    if (value !== undefined) throw rangeError('ERR_SK_OPTION', `expected no ${name} in mode 'inverse': paired decides it`);
  }
}

/** What native maps on either side are made from, but for the sites. */
export function nativeGeometry({ input, geometry: g, outputs, given, transposed }: MapStep<Sites | DeviceSites>) {
  return {
    batch: input.batchSize,
    inShape: Int32Array.from(input.spatialShape),
    outShape: Int32Array.from(given?.spatialShape ?? g.outShape),
    stride: Int32Array.from(g.stride),
    offsets: g.offsets,
    outputs,
    transposed,
  };
}
