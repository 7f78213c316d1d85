/** Kernel sizes, strides and their like as offsets and extents: all that native/map needs to know. */
import { rangeError, typeError } from '../errors.js';
import { describe } from '../validate.js';
import { mostExtent, perAxis } from './sites.js';

/**
 * How a map chooses its output sites, and which input meets which output.
 *
 * - `submanifold`: the output sites are the input sites; stride 1, odd kernel, centred (Graham et al., "3D Semantic Segmentation with
 *   Submanifold Sparse Convolutional Networks", CVPR 2018)
 * - `sparse`: ordinary convolution; every output that some input reaches
 * - `pool`: as `sparse`, with the kernel size as default stride
 * - `transposed`: ordinary transposed convolution; every output that some input reaches
 * - `inverse`: back to the input sites of `paired`, by its pairs the other way round
 */
export type MapMode = 'submanifold' | 'sparse' | 'pool' | 'transposed' | 'inverse';

/** The kernel of a map. A number stands for every axis. */
export interface KernelOptions {
  /** Extent of the kernel. Submanifold kernels are odd. */
  readonly kernelSize?: number | readonly number[];
  /** Default 1; in mode `pool` the kernel size. */
  readonly stride?: number | readonly number[];
  /** Zeros in front of and behind every axis; default 0. Submanifold maps are always centred. */
  readonly padding?: number | readonly number[];
  /** Step between the cells of the kernel; default 1. */
  readonly dilation?: number | readonly number[];
  /** Mode `transposed`: further extent of the output; default 0. */
  readonly outputPadding?: number | readonly number[];
  /**
   * The offsets of the kernel, one list of axes each, instead of kernel size, padding and dilation: under an offset d output o meets input
   * `o * stride + d` (transposed: input i meets output `i * stride + d`). With them every kernel of MinkowskiEngine can be expressed.
   */
  readonly offsets?: readonly (readonly number[])[];
  /** Grid of the output; only with `offsets`. Default: ceil(extent / stride), transposed: extent * stride. */
  readonly outputShape?: readonly number[];
}

export interface Geometry {
  readonly kernelSize: readonly number[] | undefined;
  readonly stride: readonly number[];
  /** int32 [kernel volume, axes]. */
  readonly offsets: Int32Array;
  readonly outShape: readonly number[];
}

/** Offsets stay far inside int32, so that sums of them do too. */
const mostReach = 2 ** 30;
const mostOffsets = 2 ** 20;

export function geometry(mode: MapMode, shape: readonly number[], o: KernelOptions): Geometry {
  const axes = shape.length;
  if (o.offsets !== undefined) return fromOffsets(mode, shape, o);
  if (o.outputShape !== undefined) throw rangeError('ERR_SK_OPTION', 'expected outputShape only with offsets');
  if (o.kernelSize === undefined) throw typeError('ERR_SK_TYPE', 'expected kernelSize or offsets');
  const kernelSize = perAxis(o.kernelSize, 'kernelSize', 1, mostOffsets, axes);
  const dilation = perAxis(o.dilation ?? 1, 'dilation', 1, mostReach, axes);
  const stride = perAxis(o.stride ?? (mode === 'pool' ? kernelSize : 1), 'stride', 1, mostReach, axes);
  const padding = mode === 'submanifold' ? centred(kernelSize, dilation, o) : perAxis(o.padding ?? 0, 'padding', 0, mostReach, axes);
  if (mode !== 'transposed' && o.outputPadding !== undefined) {
    throw rangeError('ERR_SK_OPTION', "expected outputPadding only in mode 'transposed'");
  }
  const outputPadding = perAxis(o.outputPadding ?? 0, 'outputPadding', 0, mostReach, axes);
  const volume = kernelSize.reduce((a, b) => a * b, 1);
  const span = kernelSize.map((k, a) => (dilation[a] as number) * (k - 1) + 1);
  if (volume > mostOffsets || Math.max(...span) > mostReach) {
    throw rangeError(
      'ERR_SK_OPTION',
      `expected a kernel of at most 2^20 cells and a span of at most 2^30 but received ${describe(kernelSize)}`,
    );
  }
  const outShape = shape.map((n, a) => {
    const [s, p] = [stride[a] as number, padding[a] as number];
    if (mode === 'transposed') return (n - 1) * s - 2 * p + (span[a] as number) + (outputPadding[a] as number);
    return Math.floor((n + 2 * p - (span[a] as number)) / s) + 1;
  });
  checkOutShape(outShape);
  const offsets = new Int32Array(volume * axes);
  for (let r = 0; r < volume; r++) {
    for (let a = axes - 1, rest = r; a >= 0; a--) {
      const k = kernelSize[a] as number;
      offsets[r * axes + a] = (rest % k) * (dilation[a] as number) - (padding[a] as number);
      rest = Math.floor(rest / k);
    }
  }
  return { kernelSize, stride, offsets, outShape };
}

function centred(kernelSize: readonly number[], dilation: readonly number[], o: KernelOptions): number[] {
  if (kernelSize.some((k) => k % 2 === 0)) {
    throw rangeError('ERR_SK_OPTION', `expected an odd kernelSize in mode 'submanifold' but received ${describe(kernelSize)}`);
  }
  expectStrideOne(o, kernelSize.length);
  const padding = kernelSize.map((k, a) => ((k - 1) / 2) * (dilation[a] as number));
  if (o.padding !== undefined) {
    const given = perAxis(o.padding, 'padding', 0, mostReach, kernelSize.length);
    if (given.some((p, a) => p !== padding[a])) {
      throw rangeError(
        'ERR_SK_OPTION',
        `expected padding ${describe(padding)} or none in mode 'submanifold' but received ${describe(given)}`,
      );
    }
  }
  return padding;
}

function expectStrideOne(o: KernelOptions, axes: number): void {
  if (o.stride !== undefined && perAxis(o.stride, 'stride', 1, mostReach, axes).some((s) => s !== 1)) {
    throw rangeError('ERR_SK_OPTION', `expected stride 1 in mode 'submanifold' but received ${describe(o.stride)}`);
  }
}

function fromOffsets(mode: MapMode, shape: readonly number[], o: KernelOptions): Geometry {
  for (const name of ['kernelSize', 'padding', 'dilation', 'outputPadding'] as const) {
    if (o[name] !== undefined) throw rangeError('ERR_SK_OPTION', `expected offsets or ${name}, not both`);
  }
  if (!Array.isArray(o.offsets) || o.offsets.length < 1 || o.offsets.length > mostOffsets) {
    throw rangeError('ERR_SK_OPTION', `expected offsets to be 1 to 2^20 lists of numbers but received ${describe(o.offsets)}`);
  }
  const axes = shape.length;
  const offsets = Int32Array.from(o.offsets.flatMap((d) => perAxis(d, 'offsets', -mostReach, mostReach, axes)));
  if (mode === 'submanifold') {
    expectStrideOne(o, axes);
    if (o.outputShape !== undefined) throw rangeError('ERR_SK_OPTION', "expected no outputShape in mode 'submanifold'");
    return { kernelSize: undefined, stride: shape.map(() => 1), offsets, outShape: shape };
  }
  const stride = perAxis(o.stride ?? 1, 'stride', 1, mostReach, axes);
  const scaled = shape.map((n, a) => (mode === 'transposed' ? n * (stride[a] as number) : Math.ceil(n / (stride[a] as number))));
  const outShape = o.outputShape === undefined ? scaled : perAxis(o.outputShape, 'outputShape', 1, mostExtent, axes);
  checkOutShape(outShape);
  return { kernelSize: undefined, stride, offsets, outShape };
}

function checkOutShape(outShape: readonly number[]): void {
  if (outShape.some((n) => n < 1 || n > mostExtent)) {
    throw rangeError('ERR_SK_SHAPE', `expected a kernel that fits the grid but the output would have extents ${describe(outShape)}`);
  }
}
