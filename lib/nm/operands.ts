import { rangeError, typeError } from '../errors.js';
import { allocate, overlaps, type Tensor, type TensorLike, type TensorView, tensor, typedArray } from '../tensor.js';
import { describe, oneOf } from '../validate.js';

/** What plans may store weights as. */
export type WeightType = 'float32' | 'float16' | 'bfloat16' | 'int8' | 'int4';

/** What x and y may be. */
export type ActivationType = 'float32' | 'float16' | 'bfloat16';

/** y has the type of x, unless `out` has another. */
export type OutputOf<X> = X extends Readonly<Record<'data', Uint16Array>> ? Tensor<'float16' | 'bfloat16'> : Tensor;

const weightTypes = ['float32', 'float16', 'bfloat16', 'int8'] as const;
const storedTypes: readonly WeightType[] = [...weightTypes, 'int4'];
export const activationTypes: readonly ActivationType[] = ['float32', 'float16', 'bfloat16'];

/** DType of native/core/tensor.h. */
export function dtypeNumber(type: WeightType): number {
  return storedTypes.indexOf(type);
}

/** A gate, of the shape and type of the weight, with so many scales. */
export function gateOperand(
  { gate, gateBias, gateScale }: Readonly<Record<'gate' | 'gateBias' | 'gateScale', unknown>>,
  { view, out, inputs, scale }: ReturnType<typeof weightOperand>,
  scales: number,
) {
  if (gate === undefined) {
    if (gateBias === undefined && gateScale === undefined) return {};
    throw rangeError('ERR_SK_OPTION', 'expected gateBias and gateScale only with a gate');
  }
  const { data, dims } = tensor(gate, 'gate', [view.type]);
  if (dims.length !== 2 || dims[0] !== out || dims[1] !== inputs) {
    throw rangeError('ERR_SK_SHAPE', `expected gate to have the dims [${out}, ${inputs}] of weight but received ${describe(dims)}`);
  }
  if ((gateScale === undefined) !== (scale === undefined)) {
    throw rangeError('ERR_SK_OPTION', 'expected a gateScale exactly if the weight has a scale');
  }
  const vector = (value: unknown, name: string, length: number) =>
    value === undefined ? undefined : rowVector(value as Float32Array, name, length);
  return { gate: data, gateBias: vector(gateBias, 'gateBias', out), gateScale: vector(gateScale, 'gateScale', scales) };
}

/** The weight [out, in] and what to store it as; its scale is the caller's to check. */
export function weightOperand(weight: unknown, dtype: WeightType | undefined, scale: Float32Array | TensorLike | undefined) {
  const view = tensor(weight, 'weight', weightTypes);
  if (view.dims.length !== 2 || view.data.length === 0) {
    throw rangeError('ERR_SK_SHAPE', `expected weight to be [out, in] with both at least 1 but received dims ${describe(view.dims)}`);
  }
  const [out, inputs] = view.dims as [number, number];
  const values = dtype === undefined ? view.type : oneOf(dtype, 'dtype', storedTypes);
  if (view.type === 'int8' && ((values !== 'int8' && values !== 'int4') || scale === undefined)) {
    throw rangeError('ERR_SK_OPTION', 'expected an int8 weight to come with a scale and to stay int8 or become int4');
  }
  if (view.type !== 'int8' && scale !== undefined) {
    throw rangeError('ERR_SK_OPTION', `expected a scale only with an int8 weight but received a ${view.type} one`);
  }
  return { view, out, inputs, values, scale };
}

/** So many float32: a number for each output, or for each group of each output. */
export function rowVector(vector: TensorLike | Float32Array, name: string, length: number): Float32Array {
  const isTensor = typeof vector === 'object' && vector !== null && 'dims' in vector;
  const data = isTensor ? tensor(vector, name, ['float32']).data : typedArray(vector, 'float32', name);
  if (data.length === length) return data;
  throw rangeError('ERR_SK_SHAPE', `expected ${name} to hold ${length} elements but received ${data.length}`);
}

/** A run's x as [tokens, in], and the array, type and dims of its y. */
export interface RunOperands {
  readonly input: TensorView<ActivationType>;
  readonly tokens: number;
  readonly output: TensorView<ActivationType>;
  /** As the output. */
  readonly residual: Float32Array | Uint16Array | undefined;
}

export function runOperands(x: unknown, out: unknown, residual: unknown, inFeatures: number, outFeatures: number): RunOperands {
  const input = inputOperand(x, inFeatures);
  const tokens = input.data.length / inFeatures;
  const output = outputOperand(input, tokens, out, outFeatures);
  return { input, tokens, output, residual: residual === undefined ? undefined : residualOperand(residual, output) };
}

/** Operands in host memory of a run that makes its output elsewhere. */
export function hostOperands(x: unknown, residual: unknown, inFeatures: number, outFeatures: number) {
  const input = inputOperand(x, inFeatures);
  if (residual === undefined) return { x: input };
  const dims = [...input.dims.slice(0, -1), outFeatures];
  const length = (input.data.length / inFeatures) * outFeatures;
  return { x: input, residual: { type: input.type, data: residualData(residual, input.type, length), dims } };
}

/** What is added last: of the type and size of the output, or the output itself. */
export function residualOperand(residual: unknown, { type, data: out }: RunOperands['output']) {
  const data = residualData(residual, type, out.length);
  if (overlaps(data, out) && data.byteOffset !== out.byteOffset) {
    throw rangeError('ERR_SK_OVERLAP', 'expected residual to be out itself or not to share memory with it');
  }
  return data;
}

function residualData(residual: unknown, type: ActivationType, length: number) {
  const isTensor = typeof residual === 'object' && residual !== null && 'dims' in residual;
  const data = isTensor ? tensor(residual, 'residual', [type]).data : typedArray(residual, type, 'residual', length);
  if (data.length === length) return data;
  throw rangeError('ERR_SK_SHAPE', `expected residual to hold the ${length} elements of the output but received ${data.length}`);
}

/** Where a run writes: `out`, or a new array of the type of x. */
export function outputOperand(input: RunOperands['input'], tokens: number, out: unknown, outFeatures: number): RunOperands['output'] {
  const dims = [...input.dims.slice(0, -1), outFeatures];
  const length = tokens * outFeatures;
  if (out === undefined) {
    return { type: input.type, data: allocate(input.type, length, 'the output'), dims } as RunOperands['output'];
  }
  const isTensor = typeof out === 'object' && out !== null && 'dims' in out;
  const { type, data } = isTensor
    ? tensor(out, 'out', activationTypes)
    : ({ type: 'float32', data: typedArray(out, 'float32', 'out', tokens) } as const);
  if (data.length !== length) {
    throw rangeError('ERR_SK_SHAPE', `expected out to hold ${tokens} x ${outFeatures} elements but received ${data.length}`);
  }
  if (overlaps(input.data, data)) throw rangeError('ERR_SK_OVERLAP', 'expected out not to share memory with x');
  return { type, data, dims } as RunOperands['output'];
}

/** x as [tokens, in]. */
export function inputOperand(x: unknown, inFeatures: number): TensorView<ActivationType> {
  if (typeof x === 'object' && x !== null && 'dims' in x) {
    const input = tensor(x, 'x', activationTypes);
    if (input.dims.at(-1) === inFeatures) return input;
    throw rangeError('ERR_SK_SHAPE', `expected x to be [..., ${inFeatures}] but received dims ${describe(input.dims)}`);
  }
  if (!ArrayBuffer.isView(x)) {
    throw typeError('ERR_SK_TYPE', `expected x to be a tensor { data, dims } or a Float32Array but received ${describe(x)}`);
  }
  const data = typedArray(x, 'float32', 'x');
  if (data.length % inFeatures === 0) return { type: 'float32', data, dims: [data.length / inFeatures, inFeatures] };
  throw rangeError('ERR_SK_SHAPE', `expected x to hold a multiple of ${inFeatures} elements but received ${data.length}`);
}
