import { rangeError, SparseKernelsError } from '../errors.js';
import type { Tensor } from '../tensor.js';
import { type FileTensor, fileTensor } from './tensor.js';

/**
 * The values of a tensor as float32, which the plans take: exact for float16, bfloat16, float32, bool and integers up to 24 bits, rounded
 * for the others.
 *
 * @param tensor - any type but float8
 * @returns a new float32 tensor of the same dims
 * @throws TypeError `ERR_SK_TYPE` / `ERR_SK_DTYPE`, RangeError `ERR_SK_SHAPE` / `ERR_SK_OPTION`
 * @example
 * ```ts
 * import { files } from 'sparse-kernels';
 * files.toFloat32({ type: 'float16', data: Uint16Array.of(0x3c00, 0xc000), dims: [2] }).data; // Float32Array [1, -2]
 * ```
 */
export function toFloat32(tensor: FileTensor): Tensor {
  const { type, data, dims } = fileTensor(tensor, 'tensor');
  if (type === 'float8e4m3fn' || type === 'float8e5m2') {
    throw rangeError('ERR_SK_OPTION', `expected tensor to be of a type other than float8 but received ${type}`);
  }
  let values: Float32Array;
  try {
    values = new Float32Array(data.length);
  } catch (cause) {
    throw new SparseKernelsError('ERR_SK_MEMORY', `the float32 tensor of ${data.length} elements does not fit in memory`, { cause });
  }
  if (type === 'bfloat16') {
    const bits = new Uint32Array(values.buffer);
    for (let i = 0; i < data.length; i++) bits[i] = (data[i] as number) << 16;
  } else if (type === 'float16') {
    const bits = new Uint32Array(values.buffer);
    for (let i = 0; i < data.length; i++) bits[i] = float32Bits(data[i] as number);
  } else {
    for (let i = 0; i < data.length; i++) values[i] = Number(data[i]);
  }
  return { type: 'float32', data: values, dims: [...dims] };
}

/** float16 bits to float32 bits: exponent bias 15 to 127; subnormals of float16 are normal numbers of float32. */
function float32Bits(half: number): number {
  const sign = (half & 0x8000) << 16;
  const exponent = (half >> 10) & 0x1f;
  const fraction = half & 0x3ff;
  if (exponent === 0x1f) return sign | 0x7f800000 | (fraction << 13);
  if (exponent > 0) return sign | ((exponent + 112) << 23) | (fraction << 13);
  if (fraction === 0) return sign;
  const shift = Math.clz32(fraction) - 21;
  return sign | ((113 - shift) << 23) | ((fraction << (13 + shift)) & 0x7fffff);
}
