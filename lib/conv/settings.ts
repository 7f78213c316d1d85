import type { NativeMapmmOptions } from '../../types/conv.js';
import { type Isa, isaOption } from '../device.js';
import { rangeError, typeError } from '../errors.js';
import { type TensorLike, tensor, typedArray } from '../tensor.js';
import { describe, integer, oneOf, options } from '../validate.js';
import { ConvMap } from './conv-map.js';

/** Function applied to every output in the same pass. */
export type Activation = 'none' | 'relu';

/** In the order of enum MapActivation in native/mapmm/kernel.h. */
const activations: readonly Activation[] = ['none', 'relu'];

/** Options of `conv.layer`. */
export interface LayerOptions {
  /**
   * float32 [out channels, ...kernel, in channels / groups] (KRSC, as spconv has it; the kernel may also be one axis of its volume). Copied: it
   * may change or be freed afterwards.
   */
  readonly weight: TensorLike;
  /** float32 [out channels]: added before the activation, at every output site. Default: none. */
  readonly bias?: TensorLike | Float32Array;
  /** Default `'none'`. */
  readonly activation?: Activation;
  /** Channel groups; groups = in channels = out channels is a depthwise convolution. Default 1. */
  readonly groups?: number;
  /** Where the layer keeps its weight and runs. Default `'cpu'`. */
  readonly device?: 'cpu';
  /** Forces the kernels of one instruction set. Default: `SK_ISA` from the environment, else the best that the machine has. */
  readonly isa?: Isa;
  /** Most threads of one run. Default: all that `getNumThreads()` allows. */
  readonly threads?: number;
}

/** Options of `conv.layer` for a CUDA device. */
export interface CudaLayerOptions extends Omit<LayerOptions, 'device' | 'isa' | 'threads' | 'groups'> {
  /** What the weight is stored and multiplied as, on tensor cores; sums are float32. */
  readonly dtype: 'float16' | 'bfloat16';
  /** On a CUDA device. */
  readonly device: 'cuda';
}

/** Checks the options of a layer and words them as the addon takes them. */
export function layerSettings(layerOptions: LayerOptions | CudaLayerOptions): {
  settings: NativeMapmmOptions;
  groups: number;
  kernelSize: readonly number[];
} {
  const onCuda = layerOptions?.device === 'cuda';
  const known = ['weight', 'bias', 'activation', 'device', ...(onCuda ? ['dtype'] : ['groups', 'isa', 'threads'])];
  const o = options<LayerOptions>(layerOptions as LayerOptions, 'options', known as (keyof LayerOptions)[]);
  if (!onCuda && o.device !== undefined) oneOf(o.device, 'device', ['cpu', 'cuda']);
  const { data, dims } = tensor(o.weight, 'weight', ['float32']);
  if (dims.length < 3 || dims.length > 6 || data.length === 0) {
    throw rangeError(
      'ERR_SK_SHAPE',
      `expected weight to be [out, 1 to 4 axes of the kernel, in / groups] but received dims ${describe(dims)}`,
    );
  }
  const [out, inputs] = [dims[0] as number, dims.at(-1) as number];
  const groups = integer(o.groups ?? 1, 'groups', 1, 2 ** 20);
  if (out % groups !== 0) {
    throw rangeError('ERR_SK_SHAPE', `expected the ${out} out channels of weight to be a multiple of ${groups} groups`);
  }
  const kernelSize = dims.slice(1, -1);
  const settings = {
    weight: data,
    transposed: false,
    groups: kernelSize.reduce((a, b) => a * b, 1),
    in: inputs,
    out: out / groups,
    splits: groups,
    bias: o.bias === undefined ? undefined : biasData(o.bias, out),
    activation: activations.indexOf(oneOf(o.activation ?? 'none', 'activation', activations)),
    isa: onCuda ? '' : isaOption(o.isa),
    threads: o.threads === undefined ? 0 : integer(o.threads, 'threads', 1, 1024),
  };
  return { settings, groups, kernelSize };
}

function biasData(bias: TensorLike | Float32Array, out: number): Float32Array {
  const data =
    typeof bias === 'object' && bias !== null && 'dims' in bias
      ? tensor(bias, 'bias', ['float32']).data
      : typedArray(bias, 'float32', 'bias');
  if (data.length === out) return data;
  throw rangeError('ERR_SK_SHAPE', `expected bias to hold ${out} elements but received ${data.length}`);
}

/** A map in host memory, or ERR_SK_TYPE. */
export function convMap(map: unknown): ConvMap {
  if (map instanceof ConvMap) return map;
  throw typeError('ERR_SK_TYPE', `expected map to be a map (conv.map) but received ${describe(map)}`);
}

/** Throws unless the map has the kernel of a weight; a flat kernel fits every map of its volume. */
export function expectKernelOf(map: Pick<ConvMap, 'kernelSize' | 'kernelVolume'>, kernelSize: readonly number[]): void {
  const volume = kernelSize.reduce((a, b) => a * b, 1);
  const extents = kernelSize.length === 1 ? undefined : map.kernelSize;
  if (map.kernelVolume === volume && !(extents && String(extents) !== String(kernelSize))) return;
  const received = describe(map.kernelSize ?? [map.kernelVolume]);
  throw rangeError('ERR_SK_SHAPE', `expected map to have a kernel of ${describe(kernelSize)}, as the weight, but received ${received}`);
}
