import type { NativeMapmmPlan } from '../../types/conv.js';
import { rangeError } from '../errors.js';
import { guarded, NativeHandle } from '../handle.js';
import { native } from '../native.js';
import { allocate, overlaps, typedArray } from '../tensor.js';
import { options } from '../validate.js';
import type { ConvMap } from './conv-map.js';
import { CudaLayer } from './cuda-layer.js';
import { type Operand, runPlan } from './run.js';
import { type CudaLayerOptions, convMap, expectKernelOf, type LayerOptions, layerSettings } from './settings.js';
import { expectMapOf, rowsOf } from './sites.js';
import { type SparseTensor, sparseTensor, withFeatures } from './tensor.js';

/** Options of {@link Layer.run}. */
export interface RunOptions {
  /** Where to write the features of the result, output sites x channels; it must not overlap x. Default: a new array. */
  readonly out?: Float32Array;
  /** Aborts the run between blocks: the promise then rejects with the signal's `reason`. */
  readonly signal?: AbortSignal;
}

/** Options of {@link Layer.runSync}. */
export type RunSyncOptions = Pick<RunOptions, 'out'>;

/**
 * A sparse convolution: its weight packed, its kernel chosen. Which sites it works on, a map says. Immutable; any number of runs may be under
 * way at once. Made by {@link layer}.
 *
 * Every output sums its terms in the same order, so results are reproducible bit for bit on one instruction set, for any number of threads.
 */
export class Layer {
  /** Channels of x. */
  readonly inChannels: number;
  /** Channels of the result. */
  readonly outChannels: number;
  /** Channel groups. */
  readonly groups: number;
  /** Extents of the kernel, or its volume alone, as the weight has them. */
  readonly kernelSize: readonly number[];
  readonly #handle: NativeHandle<NativeMapmmPlan>;

  /** @internal */
  constructor(layerOptions: LayerOptions) {
    const { settings, groups, kernelSize } = layerSettings(layerOptions);
    this.groups = groups;
    this.inChannels = settings.in * groups;
    this.outChannels = settings.out * groups;
    this.kernelSize = kernelSize;
    this.#handle = new NativeHandle('the layer', () => new native.MapmmPlan(settings));
  }

  /** Name of the kernel that runs, for instance `mapmm_f32_dense_avx2`. */
  get kernel(): string {
    return this.#handle.live().kernel;
  }

  /**
   * How a run over `map` would find its inputs: `'pairs'` of the map, or `'tiles'`: where the sites of an image come in aligned tiles of 8 x 8 or
   * 4 x 4, as under a mask of cells or without one, and few inputs are absent, tiles are copied with their halo and computed as small dense
   * images (Ren et al., "SBNet: Sparse Blocks Network", CVPR 2018). The layer takes what costs less: tiles mostly where it has few input
   * channels or is depthwise. Results are the same.
   *
   * @throws TypeError `ERR_SK_TYPE`, SparseKernelsError `ERR_SK_DISPOSED`
   * @example
   * ```ts
   * import { conv } from 'sparse-kernels';
   * const x = conv.fromDense({ data: new Float32Array(16 * 32 * 32), dims: [1, 16, 32, 32] });
   * const depthwise = conv.layer({ weight: { data: new Float32Array(16 * 49), dims: [16, 7, 7, 1] }, groups: 16 });
   * depthwise.gathers(conv.map(x, { kernelSize: 7 })); // 'tiles'
   * ```
   */
  gathers(map: ConvMap): 'pairs' | 'tiles' {
    return this.#handle.live().gathersTiles(convMap(map).handle.live()) ? 'tiles' : 'pairs';
  }

  /** Bytes of the packed weight and bias. */
  get bytes(): number {
    return this.#handle.live().bytes;
  }

  /**
   * The convolution of x over a map, off the event loop. The features of x are copied, many of them in slices while the run goes on, so they
   * must not change until the promise settles; transferring their buffer away meanwhile is an error, not a crash.
   *
   * @param x - a tensor at the input sites of `map`
   * @param map - a map whose kernel has the extents of the weight
   * @returns a tensor at the output sites of `map`
   * @throws (rejects) TypeError `ERR_SK_TYPE` / `ERR_SK_BUFFER`, RangeError `ERR_SK_SHAPE` / `ERR_SK_OVERLAP`, SparseKernelsError
   * `ERR_SK_COORDINATES` (the map of another tensor) / `ERR_SK_DISPOSED` / `ERR_SK_MEMORY`, or the reason of `signal`
   * @example
   * ```ts
   * import { conv } from 'sparse-kernels';
   * const x = conv.tensor({ coords: Int32Array.of(0, 2, 0, 3), features: Float32Array.of(1, 10), spatialShape: [8] });
   * const layer = conv.layer({ weight: { data: Float32Array.of(1, 2, 3), dims: [1, 3, 1] } });
   * const y = await layer.run(x, conv.map(x, { kernelSize: 3 }));
   * y.features; // Float32Array [32, 21]
   * ```
   */
  async run(x: SparseTensor, map: ConvMap, runOptions: RunOptions = {}): Promise<SparseTensor> {
    const { out, signal } = options<RunOptions>(runOptions, 'options', ['out', 'signal']);
    const { features, y } = this.#arguments(x, map, out);
    await this.#run({ data: features, isPrivate: false }, map, { data: y, isPrivate: out === undefined }, signal);
    return withFeatures(map.output, y, this.outChannels);
  }

  /** {@link Layer.run} on features that no caller has seen, and that are not copied. @internal */
  async runOwn(x: SparseTensor, map: ConvMap, signal: AbortSignal | undefined): Promise<SparseTensor> {
    const { features, y } = this.#arguments(x, map, undefined);
    await this.#run({ data: features, isPrivate: true }, map, { data: y, isPrivate: true }, signal);
    return withFeatures(map.output, y, this.outChannels);
  }

  /**
   * {@link Layer.run} on the calling thread (and the pool): for scripts and small work. x is read in place.
   *
   * @throws as {@link Layer.run}
   * @example
   * ```ts
   * import { conv } from 'sparse-kernels';
   * const x = conv.tensor({ coords: Int32Array.of(0, 2), features: Float32Array.of(-5), spatialShape: [8] });
   * const layer = conv.layer({ weight: { data: Float32Array.of(1, 2, 3), dims: [1, 3, 1] }, activation: 'relu' });
   * layer.runSync(x, conv.map(x, { kernelSize: 3 })).features; // Float32Array [0]
   * ```
   */
  runSync(x: SparseTensor, map: ConvMap, runOptions: RunSyncOptions = {}): SparseTensor {
    const { out } = options<RunSyncOptions>(runOptions, 'options', ['out']);
    const { features, y } = this.#arguments(x, map, out);
    guarded(() => this.#handle.live().runSync(map.handle.live(), features, y));
    return withFeatures(map.output, y, this.outChannels);
  }

  /** Frees the packed weight as soon as no run is under way; later use throws `ERR_SK_DISPOSED`. Calling it twice is fine. */
  dispose(): void {
    this.#handle.dispose();
  }

  /** `using layer = conv.layer(...)` disposes at the end of the block. */
  [Symbol.dispose](): void {
    this.dispose();
  }

  async #run(x: Operand, map: ConvMap, y: Operand, signal: AbortSignal | undefined): Promise<void> {
    await map.handle.use((live) => runPlan(this.#handle, () => live, x, y, signal));
  }

  #arguments(x: SparseTensor, map: ConvMap, out: Float32Array | undefined): { features: Float32Array; y: Float32Array } {
    const input = sparseTensor(x, 'x');
    convMap(map);
    expectKernelOf(map, this.kernelSize);
    if (input.channels !== this.inChannels) {
      throw rangeError('ERR_SK_SHAPE', `expected x to have ${this.inChannels} channels but received ${input.channels}`);
    }
    expectMapOf(input, map.input);
    const length = rowsOf(map.output) * this.outChannels;
    if (out === undefined) return { features: input.features, y: allocate('float32', length, 'the output') };
    const y = typedArray(out, 'float32', 'out', length);
    if (y.length !== length) throw rangeError('ERR_SK_SHAPE', `expected out to hold ${length} numbers but received ${y.length}`);
    if (overlaps(input.features, y)) throw rangeError('ERR_SK_OVERLAP', 'expected out not to share memory with the features of x');
    return { features: input.features, y };
  }
}

/**
 * Packs the weight of a sparse convolution and chooses its kernel: expensive once, cheap ever after.
 *
 * @throws TypeError `ERR_SK_TYPE` / `ERR_SK_DTYPE` / `ERR_SK_BUFFER`, RangeError `ERR_SK_SHAPE` / `ERR_SK_OPTION`, SparseKernelsError
 * `ERR_SK_ISA` / `ERR_SK_MEMORY`
 * @example
 * ```ts
 * import { conv } from 'sparse-kernels';
 * const weight = { data: new Float32Array(64 * 27 * 32), dims: [64, 3, 3, 3, 32] };
 * using layer = conv.layer({ weight, bias: new Float32Array(64), activation: 'relu' });
 * layer.outChannels; // 64
 * ```
 */
export function layer(layerOptions: CudaLayerOptions): CudaLayer;
export function layer(layerOptions: LayerOptions): Layer;
export function layer(layerOptions: LayerOptions | CudaLayerOptions): Layer | CudaLayer {
  return layerOptions?.device === 'cuda' ? new CudaLayer(layerOptions) : new Layer(layerOptions);
}
