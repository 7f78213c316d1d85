/** Weights for the parity tests: which stay, as what they are stored, and what the kernel should then work with. */
import type { KernelInfo, nm, TensorLike } from 'sparse-kernels';
import type { NmCase } from '../cases/nm.js';
import { maxAbs } from '../reference/compare.js';
import { type HalfType, roundTo } from '../reference/round.js';

export type Pass = 'exact integers' | 'random';

/** Keeps n of every m columns of a band of rows (m = 0: some blocks of 3 columns), at places that follow no pattern. */
export function keepColumns(weight: Float32Array, inputs: number, rows: number, n: number, m: number): Float32Array {
  const hash = (i: number) => Math.imul(i + 1, 0x9e3779b1) >>> 8;
  return weight.map((w, i) => {
    const [band, column] = [Math.floor(i / inputs / rows), i % inputs];
    if (m === 0) return hash(band * 1000 + Math.floor(column / 3)) % 100 < n ? w : 0;
    const rank = (c: number) => hash(band * inputs + c);
    const group = Array.from({ length: Math.min(m, inputs - (column - (column % m))) }, (_, j) => column - (column % m) + j);
    return group.sort((a, b) => rank(a) - rank(b)).indexOf(column) < n ? w : 0;
  });
}

/** Which weights stay: hashed, so that neighbours have nothing to do with each other. */
export function keepSome(weight: Float32Array, percent: number): Float32Array {
  return weight.map((w, i) => ((Math.imul(i + 1, 0x9e3779b1) >>> 8) % 100 < percent ? w : 0));
}

/** The same of groups of inputs. */
export function keepGroups(weight: Float32Array, inputs: number, group: number, percent: number): Float32Array {
  const place = (i: number) => Math.floor(i / inputs) * 1000 + Math.floor((i % inputs) / group);
  return weight.map((w, i) => ((Math.imul(place(i) + 1, 0x9e3779b1) >>> 8) % 100 < percent ? w : 0));
}

export interface Int4 {
  group: nm.GroupSize;
  zeroPoint: boolean;
}

export function isInt4({ dtype }: KernelInfo): boolean {
  return dtype === 'int4' || dtype === 'w4a8';
}

export interface StoredWeight {
  weight: TensorLike;
  scale?: Float32Array;
  stored?: Float32Array;
}

/** The dense weight that the kernel works with; int8 from floats has a check of its own. */
export function denseOf({ weight, stored }: StoredWeight, held: Float32Array, inputs: number, row: KernelInfo, int4: Int4): Float32Array {
  if (!stored && isInt4(row)) expectInt4(held, weight.data as Float32Array, inputs, int4);
  else if (!stored) expectQuantised(held, weight.data as Float32Array, inputs);
  return stored ?? held;
}

/** The weight as plan() takes it, and the dense weight that the kernel should then work with (int8 from floats: undefined). */
export function storedWeight(
  pruned: Float32Array,
  row: KernelInfo,
  pass: Pass,
  { inputs, outputs }: NmCase,
  { group }: Int4,
): StoredWeight {
  const dims = [outputs, inputs];
  const weight: TensorLike = { data: pruned, dims };
  if (row.dtype === 'float32') return { weight, stored: pruned };
  if (row.dtype !== 'int8' && row.dtype !== 'w8a8' && !isInt4(row))
    return { weight, stored: pruned.map((w) => roundTo(row.dtype as HalfType, w)) };
  if (pass === 'random') return { weight };
  const groups = isInt4(row) ? Math.ceil(inputs / group) : 1;
  const scale = Float32Array.from({ length: outputs * groups }, (_, o) => 2 ** (o % 3)); // integers stay integers
  const shared = (i: number) => Math.floor(i / inputs) * groups + (groups > 1 ? Math.floor((i % inputs) / group) : 0);
  const stored = pruned.map((w, i) => w * (scale[shared(i)] as number));
  return { weight: { data: Int8Array.from(pruned), dims }, scale, stored };
}

/** Symmetric quantisation for each output: at most half a step from the weight, zeros stay zeros. */
export function expectQuantised(dense: Float32Array, weight: Float32Array, inputs: number): void {
  for (let row = 0; row < weight.length; row += inputs) {
    const step = maxAbs(weight.subarray(row, row + inputs)) / 127;
    for (let i = row; i < row + inputs; i++) {
      const error = Math.abs((dense[i] as number) - (weight[i] as number));
      if (!(error <= (step / 2) * 1.0001) || (weight[i] === 0 && dense[i] !== 0))
        throw new Error(`weight ${i} is not quantised to nearest`);
    }
  }
}

/**
 * 16 steps for each group of an output: at most half a step from the weight, zeros stay zeros. Scales are float16, so a step and the ends of
 * the range are off by 2^-11, 15 times.
 */
export function expectInt4(dense: Float32Array, weight: Float32Array, inputs: number, { group, zeroPoint }: Int4): void {
  for (let row = 0; row < weight.length; row += inputs) {
    for (let first = row; first < row + inputs; first += group) {
      const end = Math.min(first + group, row + inputs);
      const [low, high] = [Math.min(0, ...weight.subarray(first, end)), Math.max(0, ...weight.subarray(first, end))];
      const step = zeroPoint ? (high - low) / 15 : Math.max(high, -low) / 7.5;
      for (let i = first; i < end; i++) {
        const error = Math.abs((dense[i] as number) - (weight[i] as number));
        // With zero points both ends may lie half a step outside, as 0 is a step.
        if (!(error <= step * 0.51) || (weight[i] === 0 && dense[i] !== 0)) throw new Error(`weight ${i} is off by ${error / step} steps`);
      }
    }
  }
}
