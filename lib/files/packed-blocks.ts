/** The block and CSR orders of files: see packed-format.ts. CSR is blocks of [1, 1] whose values are a list. */
import { expectPart, type PackFormat } from './packed-format.js';
import { damaged, type FileArray, type FileTensor, newArray, nonZero, put } from './tensor.js';

export function blockOf(format: PackFormat): readonly [number, number] {
  return format.kind === 'block' ? format.block : [1, 1];
}

/** Dims of the values of so many blocks. */
export function blockValueDims(format: PackFormat, blocks: number): number[] {
  return format.kind === 'block' ? [blocks, ...format.block] : [blocks];
}

export function packBlocks(w: FileTensor, out: number, inputs: number, format: PackFormat): Record<string, FileTensor> {
  const [height, width] = blockOf(format);
  const used = nonZero(w);
  const columns: number[] = [];
  const offsets = new Int32Array(Math.ceil(out / height) + 1);
  const each = (band: number, across: number, visit: (at: number, i: number) => void) => {
    for (let i = 0; i < height * width; i++) {
      const [r, c] = [band * height + Math.floor(i / width), across * width + (i % width)];
      if (r < out && c < inputs) visit(r * inputs + c, i);
    }
  };
  for (let band = 0; band + 1 < offsets.length; band++) {
    for (let across = 0; across * width < inputs; across++) {
      let any = false;
      each(band, across, (at) => {
        any ||= used(at);
      });
      if (any) columns.push(across);
    }
    offsets[band + 1] = columns.length;
  }
  const values = newArray(w, columns.length * height * width);
  for (let band = 0; band + 1 < offsets.length; band++) {
    for (let b = offsets[band] as number; b < (offsets[band + 1] as number); b++) {
      each(band, columns[b] as number, (at, i) => {
        values[b * height * width + i] = w.data[at] as never;
      });
    }
  }
  return {
    values: { type: w.type, data: values, dims: blockValueDims(format, columns.length) },
    columns: { type: 'int32', data: Int32Array.from(columns), dims: [columns.length] },
    offsets: { type: 'int32', data: offsets, dims: [offsets.length] },
  };
}

/** Writes what {@link checkBlocks} has checked into a matrix of zeros. */
export function unpackBlocks(
  data: FileArray,
  out: number,
  inputs: number,
  parts: Record<string, FileTensor>,
  [height, width]: readonly [number, number],
): void {
  const values = (parts.values as FileTensor).data;
  const columns = (parts.columns as FileTensor).data as Int32Array;
  const offsets = (parts.offsets as FileTensor).data as Int32Array;
  for (let band = 0; band + 1 < offsets.length; band++) {
    for (let b = offsets[band] as number; b < (offsets[band + 1] as number); b++) {
      for (let i = 0; i < height * width; i++) {
        const column = (columns[b] as number) * width + (i % width);
        put(data, out, inputs, band * height + Math.floor(i / width), column, values[b * height * width + i]);
      }
    }
  }
}

/** Types, lengths, offsets and columns in range and ascending. */
export function checkBlocks(parts: Record<string, FileTensor>, out: number, inputs: number, format: PackFormat, name: string): void {
  const [height, width] = blockOf(format);
  const [bands, across] = [Math.ceil(out / height), Math.ceil(inputs / width)];
  expectPart(parts, 'offsets', [bands + 1], 'int32', name);
  const blocks = (parts.columns as FileTensor).data.length;
  expectPart(parts, 'columns', [blocks], 'int32', name);
  expectPart(parts, 'values', blockValueDims(format, blocks), undefined, name);
  const columns = parts.columns?.data as Int32Array;
  const offsets = parts.offsets?.data as Int32Array;
  if (offsets[0] !== 0 || offsets[bands] !== blocks) throw damaged(`expected ${name}.offsets to go from 0 to ${blocks}`);
  for (let band = 0; band < bands; band++) {
    const [first, end] = [offsets[band] as number, offsets[band + 1] as number];
    if (end < first || end > blocks) throw damaged(`expected ${name}.offsets to ascend to ${blocks} but band ${band} ends at ${end}`);
    for (let b = first; b < end; b++) {
      const column = columns[b] as number;
      const before = b > first ? (columns[b - 1] as number) : -1;
      if (column <= before || column >= across)
        throw damaged(`expected ascending ${name}.columns below ${across}, band ${band}, but one is ${column}`);
    }
  }
}
