import { type CudaKernelInfo, nm, type TensorLike, toDevice } from 'sparse-kernels';
import { type NmCase, nmCudaCases } from '../cases/nm.js';
import type { Check } from '../kernels/check.js';
import { dotTolerance, firstMismatch, type Mismatch, maxAbs } from '../reference/compare.js';
import { denseLinear, pruneBySorting } from '../reference/nm.js';
import { type HalfType, halfBits, halfValues, roundTo } from '../reference/round.js';
import { smallIntegers, uniform } from '../support/random.js';

const types = ['float32', 'float16', 'bfloat16'] as const;
type XType = (typeof types)[number];

/** Every case with integers and random numbers, x and y of each type in turn; the row's pattern and, every third time, fewer weights. */
export function* spmmChecks(row: CudaKernelInfo): Iterable<Check> {
  for (const [i, c] of nmCudaCases.entries()) {
    const type = types[i % 3] as XType;
    const n = i % 3 === 2 ? 1 : 2;
    yield {
      name: `${n}:4, ${c.name}, ${type} x and y`,
      run: async () => (await compare(c, row, n, type, true)) ?? compare(c, row, n, type, false),
    };
  }
}

async function compare(c: NmCase, row: CudaKernelInfo, n: number, type: XType, exact: boolean): Promise<Mismatch | null> {
  const { tokens, inputs, outputs } = c;
  const fill = exact ? smallIntegers : uniform;
  const stored = row.dtype as HalfType;
  const bias = c.bias ? fill(outputs, 2) : undefined;
  const pruned = pruneBySorting(c.fill === 'zero' ? new Float32Array(outputs * inputs) : fill(outputs * inputs, 3), outputs, inputs, n, 4);
  const weight = pruned.map((w) => roundTo(stored, w));
  using plan = nm.plan({
    weight: { data: pruned, dims: [outputs, inputs] },
    dtype: stored,
    pattern: '2:4',
    device: 'cuda',
    ...(bias && { bias }),
    activation: c.relu ? 'relu' : 'none',
  });
  if (plan.kernel !== row.name) throw new Error(`expected kernel ${row.name} but ${plan.kernel} was chosen`);
  const kept = firstMismatch(plan.toDense().data, weight, 0);
  if (kept) return kept;

  const given = fill(tokens * inputs, 1).map((v) => (type === 'float32' ? v : roundTo(type, v)));
  const x = given.map((v) => roundTo(stored, v)); // what the tensor cores multiply
  const expected = denseLinear({ x, weight, bias, tokens, inputs, outputs, relu: c.relu ?? false });
  const tolerance = exact ? 0 : dotTolerance(inputs, maxAbs(x), maxAbs(weight), bias ? maxAbs(bias) : 0);
  const actual = await runOnDevice(plan, given, type, [tokens, inputs]);
  if (type === 'float32') return firstMismatch(actual, expected, tolerance);
  if (exact) {
    const rounded = expected.map((y) => roundTo(type, y));
    return firstMismatch(actual, rounded, 0);
  }
  const ulp = type === 'float16' ? 2 ** -10 : 2 ** -7;
  return firstMismatch(actual, expected, tolerance + (ulp / 2) * maxAbs(expected) + 2 ** -24);
}

async function runOnDevice(plan: nm.CudaPlan, x: Float32Array, type: XType, dims: number[]): Promise<ArrayLike<number>> {
  const host: TensorLike = type === 'float32' ? { data: x, dims } : { data: halfBits(type, x), dims, type };
  using onDevice = await toDevice(host, 'cuda');
  using y = await plan.run(onDevice);
  const { data } = await y.to('cpu');
  return type === 'float32' ? (data as Float32Array) : halfValues(type, data as Uint16Array);
}
