import { type CudaKernelInfo, nm, type TensorLike, toDevice } from 'sparse-kernels';
import { type NmCase, nmCudaCases } from '../cases/nm.js';
import type { Check } from '../kernels/check.js';
import { dotTolerance, firstMismatch, type Mismatch, maxAbs } from '../reference/compare.js';
import { denseLinear, pruneBySorting } from '../reference/nm.js';
import { type HalfType, halfBits, halfValues, roundTo } from '../reference/round.js';
import { smallIntegers, uniform } from '../support/random.js';

const types = ['float32', 'float16', 'bfloat16'] as const;
type XType = (typeof types)[number];

/** Patterns that rows are tried with, in turns: for tiles the row's own and one with fewer weights, for cells all kinds. */
const patternsOf: Readonly<Record<string, readonly nm.PlanOptions['pattern'][]>> = {
  '2:4': ['2:4', '2:4', '1:4'],
  unstructured: ['unstructured', '3:8', '2:4', '1:16', 'unstructured'],
};

/** Every case with integers and random numbers, x and y of each type and the patterns in turn. */
export function* spmmChecks(row: CudaKernelInfo): Iterable<Check> {
  const patterns = patternsOf[row.pattern];
  if (!patterns) throw new Error(`no patterns to try ${row.name} with`);
  for (const [i, c] of nmCudaCases.entries()) {
    const type = types[i % types.length] as XType;
    const pattern = patterns[i % patterns.length] as nm.PlanOptions['pattern'];
    yield {
      name: `${pattern}, ${c.name}, ${type} x and y`,
      run: async () => (await compare(c, row, pattern, type, true)) ?? compare(c, row, pattern, type, false),
    };
  }
}

async function compare(
  c: NmCase,
  row: CudaKernelInfo,
  pattern: nm.PlanOptions['pattern'],
  type: XType,
  exact: boolean,
): Promise<Mismatch | null> {
  const { tokens, inputs, outputs } = c;
  const fill = exact ? smallIntegers : uniform;
  const asStored = (v: number) => (row.dtype === 'float32' ? v : roundTo(row.dtype as HalfType, v));
  const bias = c.bias ? fill(outputs, 2) : undefined;
  const activation = exact && c.activation ? 'relu' : (c.activation ?? 'none');
  const pruned = prune(c.fill === 'zero' ? new Float32Array(outputs * inputs) : fill(outputs * inputs, 3), c, pattern);
  const weight = pruned.map(asStored);
  using plan = nm.plan({
    weight: { data: pruned, dims: [outputs, inputs] },
    dtype: row.dtype as 'float32',
    pattern,
    device: 'cuda',
    ...(bias && { bias }),
    activation,
  });
  if (plan.kernel !== row.name) throw new Error(`expected kernel ${row.name} but ${plan.kernel} was chosen`);
  const kept = firstMismatch(plan.toDense().data, weight, 0);
  if (kept) return kept;

  const given = fill(tokens * inputs, 1).map((v) => (type === 'float32' ? v : roundTo(type, v)));
  const x = given.map(asStored); // what is multiplied
  const expected = denseLinear({ x, weight, bias, tokens, inputs, outputs, activation });
  const dot = dotTolerance(inputs, maxAbs(x), maxAbs(weight), bias ? maxAbs(bias) : 0);
  const tolerance = exact ? 0 : 1.2 * dot + 2 ** -20 * maxAbs(expected); // no activation is steeper, and they are rounded themselves
  const actual = await runOnDevice(plan, given, type, [tokens, inputs]);
  if (type === 'float32') return firstMismatch(actual, expected, tolerance);
  if (exact) {
    const rounded = expected.map((y) => roundTo(type, y));
    return firstMismatch(actual, rounded, 0);
  }
  const ulp = type === 'float16' ? 2 ** -10 : 2 ** -7;
  return firstMismatch(actual, expected, tolerance + (ulp / 2) * maxAbs(expected) + 2 ** -24);
}

/** Unstructured: rows of very different lengths, one of them full, so that warps get unequal work. */
function prune(weight: Float32Array, { inputs, outputs }: NmCase, pattern: nm.PlanOptions['pattern']): Float32Array {
  if (pattern !== 'unstructured') {
    const [n, m] = pattern.split(':').map(Number) as [number, number];
    return pruneBySorting(weight, outputs, inputs, n, m);
  }
  return weight.map((w, i) => {
    const row = Math.floor(i / inputs);
    const percent = row % 37 === 3 ? 100 : [2, 10, 30, 60][row % 4];
    return (Math.imul(i + 1, 0x9e3779b1) >>> 8) % 100 < (percent as number) ? w : 0;
  });
}

async function runOnDevice(plan: nm.CudaPlan, x: Float32Array, type: XType, dims: number[]): Promise<ArrayLike<number>> {
  const host: TensorLike = type === 'float32' ? { data: x, dims } : { data: halfBits(type, x), dims, type };
  using onDevice = await toDevice(host, 'cuda');
  using y = await plan.run(onDevice);
  const { data } = await y.to('cpu');
  return type === 'float32' ? (data as Float32Array) : halfValues(type, data as Uint16Array);
}
