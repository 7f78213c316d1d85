/** Quantised weights as saved plans have them: integers, and of 4 bits two's complement nibbles around a zero point. */
import { SparseKernelsError } from '../errors.js';
import { toFloat32 } from '../files/float32.js';
import type { FileTensor } from '../files/tensor.js';

/** Quantised numbers as the integers that `group` inputs of a row at a time multiply a scale with. */
export function toSteps(dense: Float32Array, scale: Float32Array, inputs: number, group: number): Int8Array {
  const data = new Int8Array(dense.length);
  eachGroup(dense.length, inputs, group, (of, first, end) => {
    for (let i = first; i < end; i++) if (dense[i] !== 0) data[i] = Math.round((dense[i] as number) / (scale[of] as number));
  });
  return data;
}

/**
 * Steps of any 16 in succession, 0 among them, as those of 4 bits that are the same modulo 16, in place: 0 stays 0, and nothing else becomes
 * it. What is returned are the zero points, those that a plan of these steps chooses: each step lies in -zero .. 15 - zero.
 */
export function wrapSteps(steps: Int8Array, inputs: number, group: number): Uint8Array {
  const zeros: number[] = [];
  eachGroup(steps.length, inputs, group, (_, first, end) => {
    const of = steps.subarray(first, end);
    zeros.push(Math.min(Math.max(8, -Math.min(0, ...of)), 15 - Math.max(0, ...of)));
    for (let i = 0; i < of.length; i++) of[i] = ((of[i] as number) << 28) >> 28;
  });
  return Uint8Array.from(zeros);
}

/** The way back, for steps and zero points that may come from anywhere. */
export function unwrapSteps(weight: FileTensor, zero: FileTensor, group: number): FileTensor {
  const [out, inputs] = weight.dims as [number, number];
  const groups = Math.ceil(inputs / group);
  const fits = zero.type === 'uint8' && zero.data.length === out * groups && (zero.data as Uint8Array).every((z) => z <= 15);
  if (!fits || weight.type !== 'int8') {
    throw new SparseKernelsError('ERR_SK_FILE', `expected int8 steps and zero points of 0 .. 15 for each of ${out} x ${groups} groups`);
  }
  const steps = weight.data as Int8Array;
  eachGroup(steps.length, inputs, group, (of, first, end) => {
    const z = zero.data[of] as number;
    for (let i = first; i < end; i++) steps[i] = (((steps[i] as number) + z) & 15) - z;
  });
  return weight;
}

/** Numbers that float16 can hold, as they are there. */
export function halves(values: Float32Array, dims: readonly number[]): FileTensor {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  return { type: 'float16', data: Uint16Array.from(bits, halfBits), dims };
}

/** A vector of a saved plan, in the type that plans take. */
export function float32(tensor: FileTensor): FileTensor {
  return tensor.type === 'float16' ? toFloat32(tensor) : tensor;
}

/** float32 bits of a number that float16 can hold to float16 bits. */
export function halfBits(bits: number): number {
  const sign = (bits >>> 16) & 0x8000;
  const exponent = ((bits >>> 23) & 0xff) - 112;
  const fraction = bits & 0x7fffff;
  if (exponent === 0x8f) return sign | 0x7c00 | (fraction >>> 13);
  if (exponent > 0) return sign | (exponent << 10) | (fraction >>> 13);
  return exponent < -10 ? sign : sign | ((fraction | 0x800000) >>> (14 - exponent));
}

function eachGroup(length: number, inputs: number, group: number, visit: (group: number, first: number, end: number) => void): void {
  let of = 0;
  for (let row = 0; row < length; row += inputs) {
    for (let first = 0; first < inputs; first += group) visit(of++, row + first, row + Math.min(first + group, inputs));
  }
}
