/** The N:M order of files: see packed-format.ts. */
import { SparseKernelsError } from '../errors.js';
import { parsePattern } from '../pattern.js';
import { expectPart, type PackFormat } from './packed-format.js';
import { damaged, type FileArray, type FileTensor, isNonZero, newArray, nonZero, put } from './tensor.js';

export interface Nm {
  n: number;
  m: number;
  rows: number;
  bits: number;
  groups: number;
  bands: number;
  rowBytes: number;
}

export function nmOf(format: PackFormat & { kind: 'nm' }, out: number, inputs: number): Nm {
  const { n, m } = parsePattern(format.pattern);
  const rows = format.rows ?? 1;
  const [bits, groups] = [Math.ceil(Math.log2(m)), Math.ceil(inputs / m)];
  return { n, m, rows, bits, groups, bands: Math.ceil(out / rows), rowBytes: Math.ceil((groups * n * bits) / 8) };
}

/** Dims of the values. */
export function nmValueDims({ rows, bands, groups, n }: Nm): number[] {
  return rows === 1 ? [bands, groups * n] : [bands, groups * n, rows];
}

export function packNm(w: FileTensor, nm: Nm): Record<string, FileTensor> {
  const [out, inputs] = w.dims as [number, number];
  const each = nm.groups * nm.n;
  const values = newArray(w, nm.bands * each * nm.rows);
  const indices = new Uint8Array(nm.bands * nm.rowBytes);
  const used = nonZero(w);
  const kept = new Uint8Array(nm.m); // of a group: columns that stay
  for (let band = 0; band < nm.bands; band++) {
    const [first, end] = [band * nm.rows, Math.min((band + 1) * nm.rows, out)];
    for (let group = 0; group < nm.groups; group++) {
      const column = group * nm.m;
      let count = 0;
      kept.fill(0);
      for (let r = first; r < end; r++) {
        for (let c = 0; c < Math.min(nm.m, inputs - column); c++) {
          if (kept[c] === 0 && used(r * inputs + column + c)) count += kept[c] = 1;
        }
      }
      if (count > nm.n) {
        const where = nm.rows === 1 ? `row ${band}` : `rows ${first} to ${end - 1}`;
        const message = `expected at most ${nm.n} non-zero columns in each group of ${nm.m} but ${where}, group ${group} has ${count}`;
        throw new SparseKernelsError('ERR_SK_SPARSITY', `${message}; prune the weight first`);
      }
      for (let c = nm.m - 1; count < nm.n; c--) if (kept[c] === 0) count += kept[c] = 1;
      for (let c = 0, i = group * nm.n; c < nm.m; c++) {
        if (kept[c] === 0) continue;
        writeBits(indices, band * nm.rowBytes * 8 + i * nm.bits, nm.bits, c);
        const to = (band * each + i++) * nm.rows;
        if (column + c < inputs) for (let r = first; r < end; r++) values[to + r - first] = w.data[r * inputs + column + c] as never;
      }
    }
  }
  return {
    values: { type: w.type, data: values, dims: nmValueDims(nm) },
    indices: { type: 'uint8', data: indices, dims: [nm.bands, nm.rowBytes] },
  };
}

/** Writes what {@link checkNm} has checked into a matrix of zeros. */
export function unpackNm(data: FileArray, out: number, inputs: number, parts: Record<string, FileTensor>, nm: Nm): void {
  const values = (parts.values as FileTensor).data;
  const indices = (parts.indices as FileTensor).data as Uint8Array;
  const each = nm.groups * nm.n;
  for (let band = 0; band < nm.bands; band++) {
    for (let i = 0; i < each; i++) {
      const column = Math.floor(i / nm.n) * nm.m + readBits(indices, band * nm.rowBytes * 8 + i * nm.bits, nm.bits);
      for (let v = 0; v < nm.rows; v++) put(data, out, inputs, band * nm.rows + v, column, values[(band * each + i) * nm.rows + v]);
    }
  }
}

/** Types, lengths, indices in range and ascending, zeros in the padding. */
export function checkNm(parts: Record<string, FileTensor>, nm: Nm, inputs: number, name: string): void {
  const each = nm.groups * nm.n;
  expectPart(parts, 'values', nmValueDims(nm), undefined, name);
  expectPart(parts, 'indices', [nm.bands, nm.rowBytes], 'uint8', name);
  const indices = parts.indices?.data as Uint8Array;
  const values = parts.values?.data as FileArray;
  for (let band = 0; band < nm.bands; band++) {
    let before = -1;
    for (let i = 0; i < each; i++) {
      if (i % nm.n === 0) before = -1;
      const index = readBits(indices, band * nm.rowBytes * 8 + i * nm.bits, nm.bits);
      const column = Math.floor(i / nm.n) * nm.m + index;
      if (index <= before || index >= nm.m) throw damaged(`expected ascending indices below ${nm.m} in ${name}.indices, band ${band}`);
      before = index;
      if (column < inputs) continue;
      const at = (band * each + i) * nm.rows;
      if (values.subarray(at, at + nm.rows).some(isNonZero)) throw damaged(`expected the padding of ${name}.values to be 0, band ${band}`);
    }
  }
}

/** Fields of at most 8 bits at any bit, least significant first. */
function readBits(bytes: Uint8Array, at: number, bits: number): number {
  const word = (bytes[at >> 3] as number) | ((bytes[(at >> 3) + 1] ?? 0) << 8);
  return (word >> (at & 7)) & ((1 << bits) - 1);
}

function writeBits(bytes: Uint8Array, at: number, bits: number, value: number): void {
  const shifted = value << (at & 7);
  bytes[at >> 3] = (bytes[at >> 3] as number) | shifted;
  if ((at & 7) + bits > 8) bytes[(at >> 3) + 1] = shifted >> 8;
}
