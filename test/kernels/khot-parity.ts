import { type KernelInfo, nm } from 'sparse-kernels';
import { dotTolerance, firstMismatch, type Mismatch, maxAbs } from '../reference/compare.js';
import { denseLinear } from '../reference/nm.js';
import { type HalfType, halfBits, halfValues, roundTo } from '../reference/round.js';
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

const activations = ['none', 'relu', 'gelu', 'gelu-tanh', 'silu'] as const;

/** Every case as lists of different lengths, with inputs twice, and as x with zeros; x and y in every type. */
export function* khotChecks(row: KernelInfo): Iterable<Check> {
  for (const [i, c] of cases.entries()) {
    for (const [j, form] of (['lists', 'k', 'zeros'] as const).entries()) {
      const [activation, residual] = [activations[(i + j) % 5] ?? 'none', (i + j) % 2 === 1];
      const run = (exact: boolean, type?: HalfType) =>
        compareWithOracle(c, form, row, exact, { activation: exact && activation !== 'none' ? 'relu' : activation, residual }, type);
      yield { name: `${form}, ${activation}, ${c.name}`, run: () => run(true) ?? run(false) };
      for (const type of ['float16', 'bfloat16'] as const) {
        yield { name: `${form}, ${activation}, ${c.name}, ${type} x and y`, run: () => run(true, type) ?? run(false, type) };
      }
    }
  }
}

function compareWithOracle(
  { tokens, inputs, outputs, kept }: Case,
  form: 'lists' | 'k' | 'zeros',
  row: KernelInfo,
  exact: boolean,
  { activation, residual }: { activation: (typeof activations)[number]; residual: boolean },
  half?: HalfType,
): Mismatch | null {
  const fill = exact ? smallIntegers : uniform;
  const rounded = (values: Float32Array) => (half ? values.map((v) => roundTo(half, v)) : values);
  const type = row.dtype as 'float32' | HalfType;
  const weight = fill(outputs * inputs, 1).map((w) => (type === 'float32' ? w : roundTo(type, w)));
  const bias = kept % 2 ? fill(outputs, 2) : undefined;
  const data = type === 'float32' ? misaligned(weight) : halfBits(type, weight);
  using layer = nm.planKHot({
    weight: { data, dims: [outputs, inputs], type },
    isa: row.isa,
    activation,
    ...(bias && { bias: misaligned(bias) }),
  });
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
  const dense = rounded(Float32Array.from(x));
  const added = residual ? rounded(fill(tokens * outputs, 5)) : undefined;
  const stored = (values: Float32Array, dims: number[]) => ({
    data: half ? halfBits(half, values) : misaligned(values),
    dims,
    type: half ?? 'float32',
  });
  const out = stored(new Float32Array(tokens * outputs).fill(Number.NaN), [tokens, outputs]); // an element that is not written fails
  const options = { out, ...(added && { residual: stored(added, [tokens, outputs]) }) };
  if (form === 'zeros') layer.runSync(stored(dense, [tokens, inputs]), options);
  else if (form === 'lists') layer.runSync({ indices, values: misaligned(values), offsets }, options);
  else if (kept === 0) return null;
  else layer.runSync({ indices, values: misaligned(values), k: kept }, options);
  const met = form === 'zeros' ? dense : x;
  const linear = denseLinear({ x: met, weight, bias, tokens, inputs, outputs, activation });
  const expected = linear.map((y, i) => {
    const sum = y + (added?.[i] ?? 0);
    return exact && half ? roundTo(half, sum) : sum;
  });
  const y = half ? halfValues(half, out.data as Uint16Array) : (out.data as Float32Array);
  if (exact) return firstMismatch(y, expected, 0);
  const ulp = half === 'float16' ? 2 ** -10 : half ? 2 ** -7 : 0;
  const sums = dotTolerance(kept + 1, 2 * maxAbs(values), maxAbs(weight), bias ? maxAbs(bias) : 0) + 4e-7 * maxAbs(expected);
  return firstMismatch(y, expected, sums + (ulp / 2) * maxAbs(expected) + (half ? 2 ** -24 : 0));
}
