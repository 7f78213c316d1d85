/** Packed weights of files: dense to packed and back, and what must hold for a packed weight that comes from outside. */
import { rangeError } from '../errors.js';
import { describe, options } from '../validate.js';
import { fromNibbles, toNibbles } from './nibbles.js';
import { blockOf, blockValueDims, checkBlocks, packBlocks, unpackBlocks } from './packed-blocks.js';
import { checkFormat, type PackedTensor, type PackFormat, partNames } from './packed-format.js';
import { checkNm, nmOf, nmValueDims, packNm, unpackNm } from './packed-nm.js';
import { damaged, type FileTensor, fileTensor, newArray } from './tensor.js';

/**
 * Packs a sparse weight into the canonical order of files.
 *
 * @param weight - [out, in] of any type; zeros are what goes
 * @throws TypeError `ERR_SK_TYPE` / `ERR_SK_DTYPE`, RangeError `ERR_SK_SHAPE` / `ERR_SK_PATTERN` / `ERR_SK_OPTION`, SparseKernelsError
 * `ERR_SK_SPARSITY` where a group has more than N non-zeros, `ERR_SK_VALUE` where a value does not fit `bits`
 * @example
 * ```ts
 * import { files } from 'sparse-kernels';
 * const packed = files.pack({ type: 'float32', data: Float32Array.of(0, 7, 0, 8), dims: [2, 2] }, { kind: 'csr' });
 * packed.parts.columns?.data; // Int32Array [1, 1]
 * ```
 */
export function pack(weight: FileTensor, format: PackFormat): PackedTensor {
  const w = fileTensor(weight, 'weight');
  const [out, inputs] = w.dims;
  if (w.dims.length !== 2 || out === undefined || inputs === undefined) {
    throw rangeError('ERR_SK_SHAPE', `expected weight to be [out, in] but received dims ${describe(w.dims)}`);
  }
  const checked = checkFormat(format);
  const parts = checked.kind === 'nm' ? packNm(w, nmOf(checked, out, inputs)) : packBlocks(w, out, inputs, checked);
  if (checked.bits) parts.values = toNibbles(parts.values as FileTensor);
  return { format: checked, dims: [out, inputs], parts };
}

/**
 * The dense weight of a packed one.
 *
 * @returns [out, in] of the type of its values, int8 for those of 4 bits
 * @throws TypeError `ERR_SK_TYPE` / `ERR_SK_DTYPE`, RangeError `ERR_SK_SHAPE`, SparseKernelsError `ERR_SK_FILE` where its parts do not fit
 * @example
 * ```ts
 * import { files } from 'sparse-kernels';
 * const packed = files.pack({ type: 'float32', data: Float32Array.of(0, 7, 0, 8), dims: [1, 4] }, { kind: 'nm', pattern: '2:4' });
 * files.unpack(packed).data; // Float32Array [0, 7, 0, 8]
 * ```
 */
export function unpack(packed: PackedTensor): FileTensor {
  const { format, dims, whole: parts } = checkPacked(packed, 'the packed tensor');
  const [out, inputs] = dims;
  const values = parts.values as FileTensor;
  const data = newArray(values, out * inputs);
  if (format.kind === 'nm') unpackNm(data, out, inputs, parts, nmOf(format, out, inputs));
  else unpackBlocks(data, out, inputs, parts, blockOf(format));
  return { type: values.type, data, dims: [out, inputs] };
}

/** A packed tensor that has all that unpacking relies on; `whole` are its parts, values of 4 bits as int8. */
type CheckedPacked = PackedTensor & { readonly whole: Record<string, FileTensor> };

export function checkPacked(value: PackedTensor, name: string): CheckedPacked {
  const packed = options<PackedTensor>(value, name, ['format', 'dims', 'parts']);
  const format = checkFormat(packed.format);
  const [out, inputs] = Array.isArray(packed.dims) ? packed.dims : [];
  const valid = (n: unknown): n is number => Number.isSafeInteger(n) && (n as number) >= 0;
  if (!valid(out) || !valid(inputs) || packed.dims.length !== 2 || !Number.isSafeInteger(out * inputs)) {
    throw damaged(`expected the dims of ${describe(name)} to be [out, in] but received ${describe(packed.dims)}`);
  }
  const parts: Record<string, FileTensor> = {};
  for (const part of partNames(format)) parts[part] = fileTensor(packed.parts?.[part], `${name}.${part}`);
  const whole = { ...parts };
  const nm = format.kind === 'nm' && nmOf(format, out, inputs);
  if (format.bits) {
    const valueDims = nm ? nmValueDims(nm) : blockValueDims(format, (parts.columns as FileTensor).data.length);
    whole.values = fromNibbles(parts.values as FileTensor, valueDims, `${name}.values`);
  }
  if (nm) checkNm(whole, nm, inputs, name);
  else checkBlocks(whole, out, inputs, format, name);
  return { format, dims: [out, inputs], parts, whole };
}
