/** How packed weights lie on disk: one canonical order, whatever the machine. Plans reorder when they load. */
import { rangeError } from '../errors.js';
import { parsePattern } from '../pattern.js';
import { describe, integer, oneOf, options } from '../validate.js';
import { damaged, type FileTensor } from './tensor.js';

/**
 * How a weight [out, in] is packed, and which tensors of a file that makes. A band is `rows` output rows (or those of a block), a group M
 * inputs; edges are padded with zeros to whole bands, groups and blocks.
 *
 * ```text
 * nm     <name>.values   [bands, groups N], with rows > 1 [bands, groups N, rows]: what stays, by group, columns ascending
 *        <name>.indices  uint8 [bands, bytes]: the place in its group of each value, ceil(log2 M) bits, least significant first;
 *                        for 2:4 these are the metadata of sparse tensor cores before their reordering
 * block  <name>.values   [blocks, rows, columns]    <name>.columns  int32 [blocks]        <name>.offsets  int32 [bands + 1]
 * csr    <name>.values   [non-zeros]                <name>.columns  int32 [non-zeros]     <name>.offsets  int32 [out + 1]
 * ```
 *
 * With `bits: 4` values are int8 of -8 .. 7, kept as two's complement nibbles in uint8 [bytes]: two to a byte, the first in its low half.
 *
 * A group with fewer than N non-zeros is filled up from its highest unused places, with zeros, as PyTorch does. The metadata of the file
 * have under `sparse-kernels` the JSON `{ "version": 1, "tensors": { <name>: { kind, pattern, rows, block, bits, dtype, dims } } }`.
 *
 * @example
 * ```ts
 * import { files } from 'sparse-kernels';
 * const formats: files.PackFormat[] = [{ kind: 'nm', pattern: '2:4', rows: 8 }, { kind: 'block', block: [1, 16] }, { kind: 'csr' }];
 * ```
 */
export type PackFormat = (
  | {
      /** At most N of every M consecutive inputs. */
      readonly kind: 'nm';
      /** `'N:M'` with 1 <= N < M <= 256. */
      readonly pattern: `${number}:${number}`;
      /** Output rows that share their columns. Default 1. */
      readonly rows?: number;
    }
  | {
      /** Blocks of which at least one element is not zero. */
      readonly kind: 'block';
      /** Rows and columns of a block. */
      readonly block: readonly [number, number];
    }
  | {
      /** Compressed sparse rows: each non-zero element by itself. */
      readonly kind: 'csr';
    }
) & {
  /** Values take 4 bits each, of an int8 weight of -8 .. 7. Default: what their type takes. */
  readonly bits?: 4;
};

/**
 * A packed weight [out, in]: how, and its parts by name (`values`, `indices`, `columns`, `offsets`).
 *
 * @example
 * ```ts
 * import { files } from 'sparse-kernels';
 * const weight: files.FileTensor = { type: 'float32', data: Float32Array.of(0, 7, 0, 8), dims: [1, 4] };
 * const packed: files.PackedTensor = files.pack(weight, { kind: 'nm', pattern: '2:4' });
 * packed.parts.values?.data; // Float32Array [7, 8]
 * ```
 */
export interface PackedTensor {
  /** How it is packed. */
  readonly format: PackFormat;
  /** [out, in]. */
  readonly dims: readonly [number, number];
  /** Its parts. */
  readonly parts: Readonly<Record<string, FileTensor>>;
}

/** A format whose values are valid. */
export function checkFormat(format: PackFormat): PackFormat {
  const { kind, bits } = options<{ kind: unknown; bits?: unknown }>(format, 'format', [
    'kind',
    'pattern',
    'rows',
    'block',
    'bits',
  ] as 'kind'[]);
  if (bits !== undefined && bits !== 4) throw rangeError('ERR_SK_OPTION', `expected format.bits to be 4 but received ${describe(bits)}`);
  const nibbles = bits === 4 && ({ bits } as const);
  switch (oneOf(kind, 'format.kind', ['nm', 'block', 'csr'] as const)) {
    case 'csr':
      return { kind: 'csr', ...nibbles };
    case 'block': {
      const { block } = format as { block?: unknown };
      const [height, width] = Array.isArray(block) && block.length === 2 ? block : [];
      return {
        kind: 'block',
        block: [integer(height, 'format.block[0]', 1, 2 ** 20), integer(width, 'format.block[1]', 1, 2 ** 20)],
        ...nibbles,
      };
    }
    case 'nm': {
      const { pattern, rows } = format as { pattern: `${number}:${number}`; rows?: unknown };
      parsePattern(pattern);
      const band = integer(rows ?? 1, 'format.rows', 1, 2 ** 20);
      return { kind: 'nm', pattern, ...(band > 1 && { rows: band }), ...nibbles };
    }
  }
}

/** Names of the parts of a format. */
export function partNames(format: PackFormat): string[] {
  return format.kind === 'nm' ? ['values', 'indices'] : ['values', 'columns', 'offsets'];
}

/** Checks type and dims of a part. */
export function expectPart(
  parts: Record<string, FileTensor>,
  part: string,
  dims: readonly number[],
  type: string | undefined,
  name: string,
): void {
  const found = parts[part] as FileTensor;
  const fits = found.dims.length === dims.length && found.dims.every((dim, i) => dim === dims[i]);
  if (fits && (type === undefined || found.type === type)) return;
  const got = `${found.type} ${describe(found.dims)}`;
  throw damaged(`expected ${name}.${part} to be ${type ?? 'a tensor'} ${describe(dims)} but received ${got}`);
}
