import type { NativeMapmmCudaPlan } from '../../types/conv.js';
import { type DeviceCallOptions, DeviceTensor, deviceCall, filled, throughDevice } from '../device-tensor.js';
import { rangeError } from '../errors.js';
import { NativeHandle } from '../handle.js';
import { native } from '../native.js';
import type { StreamOption } from '../stream.js';
import { oneOf, options } from '../validate.js';
import type { ConvMap } from './conv-map.js';
import type { CudaMap } from './cuda-conv-map.js';
import { anyMap, deviceMap, featuresOf, types } from './cuda-map.js';
import { type CudaLayerOptions, convMap, expectKernelOf, layerSettings } from './settings.js';
import { expectMapOf, rowsOf } from './sites.js';
import { type SparseTensor, sparseTensor, withFeatures } from './tensor.js';

/** Options of {@link CudaLayer.run}. */
export interface CudaRunOptions extends StreamOption {
  /** Aborts a run that has not started on the device: the promise then rejects with the signal's `reason`. */
  readonly signal?: AbortSignal;
}

/**
 * A sparse convolution on a CUDA device: its weight stays there, and a map does from its first run on. Made by `conv.layer` with
 * `device: 'cuda'`.
 */
export class CudaLayer {
  /** Channels of x. */
  readonly inChannels: number;
  /** Channels of the result. */
  readonly outChannels: number;
  /** Extents of the kernel, or its volume alone, as the weight has them. */
  readonly kernelSize: readonly number[];
  readonly #handle: NativeHandle<NativeMapmmCudaPlan>;

  /** @internal */
  constructor(layerOptions: CudaLayerOptions) {
    const { settings, kernelSize } = layerSettings(layerOptions);
    const dtype = oneOf(layerOptions.dtype, 'dtype', ['float16', 'bfloat16']);
    this.inChannels = settings.in;
    this.outChannels = settings.out;
    this.kernelSize = kernelSize;
    this.#handle = new NativeHandle('the layer', () => new native.MapmmCudaPlan(settings, types.indexOf(dtype)));
  }

  /** Name of the kernel that runs, for instance `mapmm_f16_dense_cuda`. */
  get kernel(): string {
    return this.#handle.live().kernel;
  }

  /** Bytes of the packed weight and bias on the device. */
  get bytes(): number {
    return this.#handle.live().bytes;
  }

  /**
   * The convolution of x over a map, on the device; the promise settles when the result is there.
   *
   * @param x - a sparse tensor at the input sites of `map`, whose result is one at its output sites; or features [input sites, in channels] that
   * are on the device (float32, float16 or bfloat16), whose result [output sites, out channels] is there too, of the same type
   * @param map - a map whose kernel has the extents of the weight; for features on the device it may have been built there
   * @throws (rejects) TypeError `ERR_SK_TYPE` / `ERR_SK_DTYPE` / `ERR_SK_BUFFER`, RangeError `ERR_SK_SHAPE`, SparseKernelsError
   * `ERR_SK_COORDINATES` (the map of another tensor) / `ERR_SK_DISPOSED` / `ERR_SK_MEMORY` / `ERR_SK_CUDA`, or the reason of `signal`
   * @example
   * ```ts
   * import { conv, devices } from 'sparse-kernels';
   * if (devices().some((d) => d.type === 'cuda' && d.available)) {
   *   const x = conv.tensor({ coords: Int32Array.of(0, 2, 0, 3), features: Float32Array.of(1, 10), spatialShape: [8] });
   *   const weight = { data: Float32Array.of(1, 2, 3), dims: [1, 3, 1] };
   *   using layer = conv.layer({ weight, dtype: 'float16', device: 'cuda' });
   *   const y = await layer.run(x, conv.map(x, { kernelSize: 3 })); // y.features: Float32Array [32, 21]
   * }
   * ```
   */
  async run<X extends SparseTensor | DeviceTensor>(
    x: X,
    map: X extends DeviceTensor ? ConvMap | CudaMap : ConvMap,
    runOptions: CudaRunOptions = {},
  ): Promise<X> {
    const where = options<CudaRunOptions>(runOptions, 'options', ['signal', 'stream']);
    const { stream } = where;
    expectKernelOf(anyMap(map), this.kernelSize);
    return this.#handle.use(async (plan) => {
      if (x instanceof DeviceTensor) return (await this.#runOnDevice(plan, x, map, where)) as X;
      const { input: sites, output } = convMap(map);
      const input = sparseTensor(x as SparseTensor, 'x');
      if (input.channels !== this.inChannels) {
        throw rangeError('ERR_SK_SHAPE', `expected x to have ${this.inChannels} channels but received ${input.channels}`);
      }
      expectMapOf(input, sites);
      const features = { data: input.features, dims: [rowsOf(input), input.channels] };
      const { y } = await throughDevice({ x: features }, { stream }, async ({ x }) => ({
        y: await this.#runOnDevice(plan, x, map, where),
      }));
      return withFeatures(output, y.data as Float32Array, this.outChannels) as X;
    });
  }

  async #runOnDevice(plan: NativeMapmmCudaPlan, x: DeviceTensor, map: ConvMap | CudaMap, where: DeviceCallOptions): Promise<DeviceTensor> {
    const type = featuresOf(x, map, this.inChannels);
    const y = new DeviceTensor(x.type, [rowsOf(map.output), this.outChannels], where.stream);
    await filled({ y }, () =>
      deviceCall(where, { x, y }, (there, call) => plan.run({ ...there, xType: type, yType: type, map: deviceMap(map) }, call)),
    );
    return y;
  }

  /** Frees the weight as soon as no run is under way; later use throws `ERR_SK_DISPOSED`. Calling it twice is fine. */
  dispose(): void {
    this.#handle.dispose();
  }

  /** `using layer = conv.layer(...)` disposes at the end of the block. */
  [Symbol.dispose](): void {
    this.dispose();
  }
}
