import { rangeError, typeError } from '../errors.js';
import { describe, options } from '../validate.js';
import { pack, unpack } from './packed.js';
import { damaged, type FileTensor, fileTensor } from './tensor.js';

/**
 * A 2:4 weight in PyTorch's semi-structured order (CUTLASS), as `torch.sparse.SparseSemiStructuredTensorCUTLASS` keeps it in `packed` and
 * `meta`.
 *
 * @example
 * ```ts
 * import { files } from 'sparse-kernels';
 * const weight: files.FileTensor = { type: 'int8', data: new Int8Array(32 * 64), dims: [32, 64] };
 * const semi: files.SemiStructured = files.toSemiStructured(weight);
 * semi.meta.dims; // [32, 2]
 * ```
 */
export interface SemiStructured {
  /** float16, bfloat16 or int8 [out, in / 2]. */
  readonly packed: FileTensor;
  /** int16 [out, in / 16] for 16-bit types, int32 [out, in / 32] for int8. */
  readonly meta: FileTensor;
}

/** Rows whose metadata are interleaved, and how: CUTLASS's reordering for a width of metadata words. */
const orders = {
  int16: { group: 32, interweave: 4, chunks: 4 },
  int32: { group: 16, interweave: 2, chunks: 8 },
} as const;

function metaTypeOf(type: string): 'int16' | 'int32' {
  if (type === 'float16' || type === 'bfloat16') return 'int16';
  if (type === 'int8') return 'int32';
  throw typeError('ERR_SK_DTYPE', `expected float16, bfloat16 or int8 but received ${describe(type)}`);
}

/** Where the metadata word of a row and a column of words lies. */
function metaOffset(row: number, column: number, rows: number, { group, interweave }: { group: number; interweave: number }): number {
  let r = row - (row % group) + (row % 8) * interweave + Math.floor((row % group) / 8);
  let c = column;
  if (r % 2 === 0 && c % 2 === 1) [r, c] = [r + 1, c - 1];
  else if (r % 2 === 1 && c % 2 === 0) [r, c] = [r - 1, c + 1];
  return Math.floor(c / 2) * rows * 2 + r * 2 + (c % 2);
}

function checkShape(out: number, inputs: number, chunks: number): void {
  // Words of two columns form one swizzled block, so there must be an even number of them.
  if (out % 32 === 0 && inputs % (8 * chunks) === 0) return;
  throw rangeError('ERR_SK_SHAPE', `expected [out, in] to be multiples of [32, ${8 * chunks}] but received [${out}, ${inputs}]`);
}

/**
 * Brings a 2:4 weight into PyTorch's semi-structured order.
 *
 * @param weight - float16, bfloat16 or int8 [out, in]; out a multiple of 32, in of 32 (int8: 64)
 * @throws TypeError `ERR_SK_TYPE` / `ERR_SK_DTYPE`, RangeError `ERR_SK_SHAPE`, SparseKernelsError `ERR_SK_SPARSITY`
 * @example
 * ```ts
 * import { files } from 'sparse-kernels';
 * const weight: files.FileTensor = { type: 'float16', data: new Uint16Array(32 * 32), dims: [32, 32] };
 * const { packed, meta } = files.toSemiStructured(weight); // [32, 16] and [32, 2]
 * ```
 */
export function toSemiStructured(weight: FileTensor): SemiStructured {
  const w = fileTensor(weight, 'weight');
  const order = orders[metaTypeOf(w.type)];
  const { dims, parts } = pack(w, { kind: 'nm', pattern: '2:4' });
  const [out, inputs] = dims;
  checkShape(out, inputs, order.chunks);
  // Canonical indices are 4 bits for each 4 inputs, least significant first: read as words they are the metadata before reordering.
  const Words = order.chunks === 4 ? Int16Array : Int32Array;
  const words = new Words(new Uint8Array((parts.indices as FileTensor).data as Uint8Array).buffer);
  const columns = words.length / Math.max(out, 1);
  const meta = new Words(words.length);
  for (let r = 0; r < out; r++) {
    for (let c = 0; c < columns; c++) meta[metaOffset(r, c, out, order)] = words[r * columns + c] as number;
  }
  return { packed: parts.values as FileTensor, meta: { type: metaTypeOf(w.type), data: meta, dims: [out, columns] } };
}

/**
 * The dense weight of PyTorch's semi-structured order.
 *
 * @returns [out, in] of the type of `packed`
 * @throws TypeError `ERR_SK_TYPE` / `ERR_SK_DTYPE`, RangeError `ERR_SK_SHAPE`, SparseKernelsError `ERR_SK_FILE` where `meta` names the
 * columns of a group twice or in descending order
 * @example
 * ```ts
 * import { files } from 'sparse-kernels';
 * const weight: files.FileTensor = { type: 'float16', data: new Uint16Array(32 * 32), dims: [32, 32] };
 * weight.data[5] = 0x3c00;
 * files.fromSemiStructured(files.toSemiStructured(weight)).data[5]; // 0x3c00
 * ```
 */
export function fromSemiStructured(semiStructured: SemiStructured): FileTensor {
  const o = options<SemiStructured>(semiStructured, 'semiStructured', ['packed', 'meta']);
  const packed = fileTensor(o.packed, 'packed');
  const meta = fileTensor(o.meta, 'meta');
  const metaType = metaTypeOf(packed.type);
  const order = orders[metaType];
  const [out, half] = packed.dims;
  if (packed.dims.length !== 2 || out === undefined || half === undefined) {
    throw rangeError('ERR_SK_SHAPE', `expected packed to be [out, in / 2] but received dims ${describe(packed.dims)}`);
  }
  checkShape(out, 2 * half, order.chunks);
  const columns = half / (2 * order.chunks);
  if (meta.type !== metaType || meta.dims.length !== 2 || meta.dims[0] !== out || meta.dims[1] !== columns) {
    throw damaged(`expected meta to be ${metaType} [${out}, ${columns}] but received ${meta.type} ${describe(meta.dims)}`);
  }
  const words = metaType === 'int16' ? new Int16Array(meta.data.length) : new Int32Array(meta.data.length);
  for (let r = 0; r < out; r++) {
    for (let c = 0; c < columns; c++) words[r * columns + c] = meta.data[metaOffset(r, c, out, order)] as number;
  }
  const indices = new Uint8Array(words.buffer);
  return unpack({
    format: { kind: 'nm', pattern: '2:4' },
    dims: [out, 2 * half],
    parts: { values: packed, indices: { type: 'uint8', data: indices, dims: [out, indices.length / Math.max(out, 1)] } },
  });
}
