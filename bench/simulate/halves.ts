/** Numbers that are the same in every type, so that an oracle sees what a kernel sees. */
import { normals } from '../random.js';

/** Random powers of two of either sign, from 2^-8 on. */
export function powersOfTwo(count: number, seed: number): Float32Array {
  return normals(count, seed).map((v) => Math.sign(v) * 2 ** Math.round(Math.log2(Math.abs(v) + 2 ** -8)));
}

/** Their bits in a 16-bit type: a power of two has no fraction, and its exponent is all that changes place. */
export function halves(values: Float32Array, type: 'float16' | 'bfloat16'): Uint16Array {
  const half = (word: number) => {
    const exponent = (word >>> 23) & 0xff;
    if (type === 'bfloat16') return word >>> 16;
    return ((word >>> 16) & 0x8000) | (exponent === 0 ? 0 : (exponent - 112) << 10);
  };
  return Uint16Array.from(new Uint32Array(values.buffer), half);
}

/** To the 11 bits of float16, of a number in its range: what is left of 53 bits after a Veltkamp splitting. */
export function roundToHalf(value: number): number {
  const shifted = value * (2 ** 42 + 1);
  return shifted - (shifted - value);
}
