/** Values of 4 bits in packed tensors: two's complement, two to a byte, the first in its low half. */
import { SparseKernelsError, typeError } from '../errors.js';
import { damaged, type FileTensor } from './tensor.js';

/** int8 values of -8 .. 7 as nibbles. */
export function toNibbles({ type, data }: FileTensor): FileTensor {
  if (type !== 'int8') throw typeError('ERR_SK_DTYPE', `expected weight to be int8 for bits 4 but received ${type}`);
  const values = data as Int8Array;
  const bytes = new Uint8Array(Math.ceil(values.length / 2));
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number;
    if (value < -8 || value > 7)
      throw new SparseKernelsError('ERR_SK_VALUE', `expected weights of -8 .. 7 for bits 4 but received ${value}`);
    bytes[i >> 1] = (bytes[i >> 1] as number) | ((value & 15) << (4 * (i & 1)));
  }
  return { type: 'uint8', data: bytes, dims: [bytes.length] };
}

/** Nibbles that may come from anywhere as an int8 tensor of given dims. */
export function fromNibbles({ type, data, dims: held }: FileTensor, dims: readonly number[], name: string): FileTensor {
  const count = dims.reduce((product, dim) => product * dim, 1);
  const length = Math.ceil(count / 2);
  if (type !== 'uint8' || held.length !== 1 || data.length !== length) {
    throw damaged(`expected ${name} to be uint8 [${length}] for ${count} values of 4 bits but received ${type} [${held.join(', ')}]`);
  }
  const bytes = data as Uint8Array;
  if (count % 2 && (bytes[length - 1] as number) > 15) throw damaged(`expected the last half byte of ${name}, which is no value, to be 0`);
  const values = Int8Array.from({ length: count }, (_, i) => (((bytes[i >> 1] as number) >> (4 * (i & 1))) << 28) >> 28);
  return { type: 'int8', data: values, dims };
}
