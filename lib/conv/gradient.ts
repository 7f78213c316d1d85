import { type Isa, isaOption } from '../device.js';
import { rangeError } from '../errors.js';
import { cancellable, NativeHandle } from '../handle.js';
import { native } from '../native.js';
import { allocate, type Tensor, type TensorLike, tensor } from '../tensor.js';
import { describe, integer, options } from '../validate.js';
import type { ConvMap } from './conv-map.js';
import { runPlan, withCopy } from './run.js';
import { expectMapOf, rowsOf } from './sites.js';
import { type SparseTensor, sparseTensor, withFeatures } from './tensor.js';

/** Options of {@link inputGradient} and {@link weightGradient}. */
export interface GradientOptions {
  /** Channel groups of the layer; default 1. */
  readonly groups?: number;
  /** Forces the kernels of one instruction set, as for a layer. */
  readonly isa?: Isa;
  /** Aborts the run: the promise then rejects with the signal's `reason`. */
  readonly signal?: AbortSignal;
}

/**
 * The gradient of a layer towards its input: the transposed weight over the map, the other way round.
 *
 * @param dy - the gradient of the layer's output (behind its activation: multiply it by the activation's derivative first)
 * @param weight - that of the layer, float32 [out, ...kernel, in / groups]
 * @param map - that of the run
 * @throws (rejects) TypeError `ERR_SK_TYPE` / `ERR_SK_DTYPE` / `ERR_SK_BUFFER`, RangeError `ERR_SK_SHAPE` / `ERR_SK_OPTION`, SparseKernelsError
 * `ERR_SK_COORDINATES` (dy is not at the output sites of the map) / `ERR_SK_DISPOSED` / `ERR_SK_MEMORY`, or the reason of `signal`
 * @example
 * ```ts
 * import { conv } from 'sparse-kernels';
 * const x = conv.tensor({ coords: Int32Array.of(0, 2, 0, 3), features: Float32Array.of(1, 10), spatialShape: [8] });
 * const map = conv.map(x, { kernelSize: 3 });
 * const weight = { data: Float32Array.of(1, 2, 3), dims: [1, 3, 1] };
 * const dy = { ...x, features: Float32Array.of(1, 0) }; // of the first output, 2 x[0] + 3 x[1]
 * (await conv.inputGradient(dy, weight, map)).features; // Float32Array [2, 3]
 * ```
 */
export async function inputGradient(
  dy: SparseTensor,
  weight: TensorLike,
  map: ConvMap,
  gradientOptions: GradientOptions = {},
): Promise<SparseTensor> {
  const { groups = 1, isa, signal } = options<GradientOptions>(gradientOptions, 'options', ['groups', 'isa', 'signal']);
  const splits = integer(groups, 'groups', 1, 2 ** 20);
  const { features, channels: out } = sparseTensor(dy, 'dy');
  const { data, dims } = tensor(weight, 'weight', ['float32']);
  const inputs = dims.at(-1) ?? 0;
  if (dims.length < 3 || dims[0] !== out || out % splits !== 0 || data.length !== out * map.kernelVolume * inputs || inputs === 0) {
    throw rangeError(
      'ERR_SK_SHAPE',
      `expected weight to be [${out}, kernel of ${map.kernelVolume}, in / ${splits}] but received dims ${describe(dims)}`,
    );
  }
  expectMapOf(dy, map.output);
  const settings = {
    ...{ weight: data, transposed: true, groups: map.kernelVolume, in: out / splits, out: inputs, splits },
    ...{ bias: undefined, activation: 0, isa: isaOption(isa), threads: 0 },
  };
  const plan = new NativeHandle('the plan', () => new native.MapmmPlan(settings));
  const dx = allocate('float32', rowsOf(map.input) * inputs * splits, 'the gradient');
  try {
    await runPlan(plan, () => map.swapped(), { data: features, isPrivate: false }, { data: dx, isPrivate: true }, signal);
  } finally {
    plan.dispose();
  }
  return withFeatures(map.input, dx, inputs * splits);
}

/**
 * The gradient of a layer towards its weight.
 *
 * @param x - the input of the run
 * @param dy - the gradient of the layer's output (behind its activation)
 * @param map - that of the run
 * @returns float32 [out, ...kernel (its volume alone, where the map has given offsets), in / groups]
 * @throws (rejects) as {@link inputGradient}
 * @example
 * ```ts
 * import { conv } from 'sparse-kernels';
 * const x = conv.tensor({ coords: Int32Array.of(0, 2, 0, 3), features: Float32Array.of(1, 10), spatialShape: [8] });
 * const map = conv.map(x, { kernelSize: 3 });
 * const dy = { ...x, features: Float32Array.of(1, 1) };
 * (await conv.weightGradient(x, dy, map)).data; // Float32Array [1, 11, 10]
 * ```
 */
export async function weightGradient(
  x: SparseTensor,
  dy: SparseTensor,
  map: ConvMap,
  gradientOptions: GradientOptions = {},
): Promise<Tensor> {
  const { groups = 1, isa, signal } = options<GradientOptions>(gradientOptions, 'options', ['groups', 'isa', 'signal']);
  const splits = integer(groups, 'groups', 1, 2 ** 20);
  const [input, gradient] = [sparseTensor(x, 'x'), sparseTensor(dy, 'dy')];
  if (input.channels % splits !== 0 || gradient.channels % splits !== 0) {
    throw rangeError('ERR_SK_SHAPE', `expected ${input.channels} and ${gradient.channels} channels to be multiples of ${splits} groups`);
  }
  expectMapOf(input, map.input);
  expectMapOf(gradient, map.output, 'dy');
  const [inputs, out] = [input.channels / splits, gradient.channels / splits];
  const data = allocate('float32', gradient.channels * map.kernelVolume * inputs, 'the gradient');
  const settings = { in: inputs, out, splits, isa: isaOption(isa) };
  await cancellable(signal, (token) =>
    map.handle.use((live) =>
      withCopy({ data: input.features, isPrivate: false }, 'x', (from) =>
        withCopy({ data: gradient.features, isPrivate: false }, 'dy', (slope) => {
          const flags = { privateX: from.isPrivate, privateDy: slope.isPrivate };
          return native.mapOuter(live, from.data, slope.data, { ...settings, ...flags }, data, token);
        }),
      ),
    ),
  );
  return { type: 'float32', data, dims: [gradient.channels, ...(map.kernelSize ?? [map.kernelVolume]), inputs] };
}
