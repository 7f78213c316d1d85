import { type KernelInfo, nm } from 'sparse-kernels';
import { dotTolerance, firstMismatch, type Mismatch, maxAbs } from '../reference/compare.js';
import { denseLinear } from '../reference/nm.js';
import { type HalfType, halfBits, roundTo } from '../reference/round.js';
import { misaligned, smallIntegers, uniform } from '../support/random.js';
import type { Check } from './check.js';

/** Outputs against lines of 32 and tiles of 512; lists against passes of four inputs. */
const cases = [
  { name: 'no tokens', tokens: 0, inputs: 5, outputs: 3, kept: 2 },
  { name: 'one of everything', tokens: 1, inputs: 1, outputs: 1, kept: 1 },
  { name: 'empty lists', tokens: 3, inputs: 7, outputs: 33, kept: 0 },
  ...[1, 3, 4, 5, 7, 8, 9, 31].map((kept) => ({ name: `${kept} kept`, tokens: 4, inputs: 40, outputs: 75, kept })),
  { name: 'a whole tile', tokens: 2, inputs: 64, outputs: 512, kept: 12 },
  { name: 'a tile and one output', tokens: 3, inputs: 130, outputs: 513, kept: 21 },
  { name: 'several tiles', tokens: 1, inputs: 70, outputs: 1300, kept: 70 },
];
type Case = (typeof cases)[0];

/** Every case as lists of different lengths, with inputs twice, and as x with zeros. */
export function* khotChecks(row: KernelInfo): Iterable<Check> {
  for (const c of cases) {
    for (const form of ['lists', 'k', 'zeros'] as const) {
      const run = (exact: boolean) => compareWithOracle(c, form, row, exact);
      yield { name: `${form}, ${c.name}`, run: () => run(true) ?? run(false) };
    }
  }
}

function compareWithOracle(
  { tokens, inputs, outputs, kept }: Case,
  form: 'lists' | 'k' | 'zeros',
  row: KernelInfo,
  exact: boolean,
): Mismatch | null {
  const fill = exact ? smallIntegers : uniform;
  const type = row.dtype as 'float32' | HalfType;
  const weight = fill(outputs * inputs, 1).map((w) => (type === 'float32' ? w : roundTo(type, w)));
  const bias = kept % 2 ? fill(outputs, 2) : undefined;
  const data = type === 'float32' ? misaligned(weight) : halfBits(type, weight);
  using layer = nm.planKHot({ weight: { data, dims: [outputs, inputs], type }, isa: row.isa, ...(bias && { bias: misaligned(bias) }) });
  if (layer.kernel !== row.name) throw new Error(`expected kernel ${row.name} but ${layer.kernel} was chosen`);

  const lengths = Array.from({ length: tokens }, (_, t) => (form === 'lists' ? Math.max(0, kept - (t % 3)) : kept));
  const offsets = Int32Array.from({ length: tokens + 1 }, (_, t) => lengths.slice(0, t).reduce((a, b) => a + b, 0));
  const values = fill(offsets[tokens] as number, 3);
  const indices = Int32Array.from(values, (_, j) => (Math.imul(j + 1, 0x9e3779b1) >>> 8) % inputs);
  const x = new Float64Array(tokens * inputs);
  for (let t = 0; t < tokens; t++) {
    for (let j = offsets[t] as number; j < (offsets[t + 1] as number); j++) {
      const at = t * inputs + (indices[j] as number);
      x[at] = (x[at] as number) + (values[j] as number);
    }
  }
  const dense = Float32Array.from(x);
  const out = misaligned(new Float32Array(tokens * outputs).fill(Number.NaN)); // an element that is not written fails
  if (form === 'zeros') layer.runSync({ data: misaligned(dense), dims: [tokens, inputs] }, { out });
  else if (form === 'lists') layer.runSync({ indices, values: misaligned(values), offsets }, { out });
  else if (kept === 0) return null;
  else layer.runSync({ indices, values: misaligned(values), k: kept }, { out });
  const expected = denseLinear({ x: form === 'zeros' ? dense : (x as unknown as Float32Array), weight, bias, tokens, inputs, outputs });
  const tolerance = exact ? 0 : dotTolerance(kept + 1, 2 * maxAbs(values), maxAbs(weight), bias ? maxAbs(bias) : 0);
  return firstMismatch(out, expected, tolerance);
}
