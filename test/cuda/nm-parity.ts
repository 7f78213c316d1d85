import { type CudaKernelInfo, nm, type TensorLike, toDevice } from 'sparse-kernels';
import { type NmCase, nmCudaCases } from '../cases/nm.js';
import type { Check } from '../kernels/check.js';
import { expectInt4, expectQuantised, keepColumns } from '../kernels/nm-weights.js';
import { dotTolerance, firstMismatch, type Mismatch, maxAbs } from '../reference/compare.js';
import { denseLinear, pruneBySorting } from '../reference/nm.js';
import { type HalfType, halfBits, halfValues, quantiseTokens, roundTo, roundToTf32 } from '../reference/round.js';
import { smallIntegers, uniform } from '../support/random.js';

const types = ['float32', 'float16', 'bfloat16'] as const;
type XType = (typeof types)[number];
type Sparsity = Pick<nm.PlanOptions, 'pattern' | 'rows' | 'venom' | 'block' | 'groupSize' | 'zeroPoint'>;

/** Patterns that rows are tried with, in turns: for tiles the row's own and some with fewer weights, for cells all kinds. */
const patternsOf: Readonly<Record<string, readonly Sparsity[]>> = {
  '1:2': [{ pattern: '1:2' }, { pattern: '1:4' }, { pattern: '1:2' }, { pattern: '1:8' }],
  '2:4': [{ pattern: '2:4' }, { pattern: '2:4' }, { pattern: '1:4' }, { pattern: '1:2' }],
  '2:4 of int4': [
    { pattern: '2:4', groupSize: 32 },
    { pattern: '2:4', groupSize: 64, zeroPoint: true },
    { pattern: '2:4', groupSize: 128 },
    { pattern: '1:2', groupSize: 32, zeroPoint: true },
  ],
  'rows of 128': [
    { pattern: '2:8', rows: 128, venom: true },
    { pattern: '2:8', rows: 128 },
    { pattern: '1:10', rows: 256, venom: true },
    { pattern: '3:10', rows: 128, venom: true },
    { pattern: 'block', block: [128, 3] },
  ],
  'rows of 16': [
    { pattern: '2:8', rows: 64, venom: true },
    { pattern: '2:8', rows: 16, venom: true },
    { pattern: '2:10', rows: 48, venom: true },
    { pattern: '2:8', rows: 32 },
    { pattern: '1:10', rows: 192, venom: true },
    { pattern: '3:10', rows: 16, venom: true },
    { pattern: 'block', block: [16, 3] },
  ],
  unstructured: [
    { pattern: 'unstructured' },
    { pattern: '3:8' },
    { pattern: '3:4' },
    { pattern: '1:16' },
    { pattern: 'unstructured' },
    { pattern: '2:10', rows: 4, venom: true },
    { pattern: '3:10', rows: 6 },
    { pattern: 'block', block: [4, 3] },
  ],
};

/** Every case with integers and random numbers, x and y of each type and the patterns in turn. */
export function* spmmChecks(row: CudaKernelInfo): Iterable<Check> {
  const patterns = patternsOf[row.dtype === 'int4' ? `${row.pattern} of int4` : row.pattern];
  if (!patterns) throw new Error(`no patterns to try ${row.name} with`);
  const alone = row.dtype === 'w8a8' ? patterns.filter(({ pattern, rows }) => /:/.test(pattern) && !rows) : patterns; // as W8A8 must be
  for (const [i, c] of nmCudaCases.entries()) {
    if (c.gated && row.pattern.startsWith('rows of')) continue; // which takes no gate
    const type = types[i % types.length] as XType;
    const sparsity = alone[i % alone.length] as Sparsity;
    const { pattern, rows = 1, groupSize, zeroPoint } = sparsity;
    const exact = !isQuantised(row) || !c.gated; // products of sums of products of 127 are not
    yield {
      name: `${pattern}${rows > 1 ? ` of ${rows} rows` : ''}${groupSize ? `, groups of ${groupSize}` : ''}${zeroPoint ? ' with zero points' : ''}, ${c.name}, ${type} x and y`,
      run: async () => (exact && (await compare(c, row, sparsity, type, true))) || compare(c, row, sparsity, type, false),
    };
  }
}

const isQuantised = ({ dtype }: CudaKernelInfo) => dtype === 'int8' || dtype === 'w8a8' || dtype === 'int4';

async function compare(c: NmCase, row: CudaKernelInfo, sparsity: Sparsity, type: XType, exact: boolean): Promise<Mismatch | null> {
  const { tokens, inputs, outputs } = c;
  const fill = exact ? smallIntegers : uniform;
  const [quantised, w8a8, tf32] = [isQuantised(row), row.dtype === 'w8a8', row.dtype === 'tf32'];
  const group = sparsity.groupSize ?? inputs; // of an output, that shares a scale
  const asStored = (v: number) => (row.dtype === 'float32' || quantised ? v : tf32 ? roundToTf32(v) : roundTo(row.dtype as HalfType, v));
  const asGiven = (v: number) => (type === 'float32' ? v : roundTo(type, v));
  const bias = c.bias ? fill(outputs, 2) : undefined;
  const activation = exact && c.activation ? 'relu' : (c.activation ?? 'none');
  const made = (weight: Float32Array) => {
    const few = prune(weight, c, sparsity);
    return sparsity.zeroPoint ? oneSided(few, inputs) : few;
  };
  const pruned = made(c.fill === 'zero' ? new Float32Array(outputs * inputs) : fill(outputs * inputs, 3));
  const gate = c.gated ? made(fill(outputs * inputs, 4)) : undefined;
  const dims = [outputs, inputs];
  // Quantised to themselves; what is not a power of two is left to the random numbers.
  const groups = Math.ceil(inputs / group);
  const scale = quantised && exact ? Float32Array.from({ length: outputs * groups }, (_, o) => 2 ** (o % 3)) : undefined;
  const scaleOf = (i: number) => scale?.[Math.floor(i / inputs) * groups + Math.floor((i % inputs) / group)] ?? 1;
  const operand = (data: Float32Array): TensorLike => ({ data: scale ? Int8Array.from(data) : data, dims });
  using plan = nm.plan({
    weight: operand(pruned),
    dtype: (w8a8 ? 'int8' : tf32 ? 'float32' : row.dtype) as 'float32',
    ...(tf32 && { allowTf32: true }),
    ...(w8a8 && { activations: 'int8' }),
    ...(scale && { scale }),
    ...sparsity,
    device: 'cuda',
    ...(bias && { bias }),
    ...(gate && { gate: operand(gate) }),
    ...(gate && bias && { gateBias: bias.toReversed() }),
    activation,
  });
  if (plan.kernel !== row.name) throw new Error(`expected kernel ${row.name} but ${plan.kernel} was chosen`);
  const held = plan.toDense().data;
  const stored = (dense: Float32Array, first: number) => {
    const ours = held.subarray(first, first + dense.length);
    if (!quantised || exact) return dense.map((w, i) => asStored(w) * scaleOf(i));
    if (sparsity.groupSize) expectInt4(ours, dense, inputs, { group: sparsity.groupSize, zeroPoint: sparsity.zeroPoint ?? false });
    else expectQuantised(ours, dense, inputs);
    return ours;
  };
  const weight = stored(pruned, 0);
  const gateWeight = gate && stored(gate, pruned.length);
  const kept = firstMismatch(held, gateWeight ? [...weight, ...gateWeight] : weight, 0);
  if (kept) return kept;
  const multiplied = (dense: Float32Array) => (sparsity.groupSize ? dense.map((w) => roundTo('float16', w)) : dense);

  const given = fill(tokens * inputs, 1).map(asGiven);
  if (w8a8 && scale) for (let i = 0; i < given.length; i += inputs) given[i + ((i * 7) % inputs)] = i % 2 ? 127 : -127; // steps of 1
  const onTensorCores = row.pattern !== 'unstructured'; // which multiply numbers of one type: with int8 and int4 weights float16
  const asMultiplied = quantised ? (v: number) => roundTo('float16', v) : asStored;
  const x = w8a8 ? quantiseTokens(given, inputs) : onTensorCores ? given.map(asMultiplied) : given;
  const linear = { x, tokens, inputs, outputs };
  let expected = denseLinear({ ...linear, weight: multiplied(weight), bias, activation: gate ? 'none' : activation });
  const dot = dotTolerance(inputs, maxAbs(x), maxAbs(weight), bias ? maxAbs(bias) : 0);
  let tolerance = 1.2 * dot + 2 ** -20 * maxAbs(expected); // no activation is steeper, and they are rounded themselves
  if (gateWeight) {
    const factor = denseLinear({ ...linear, weight: multiplied(gateWeight), bias: bias?.toReversed(), activation });
    tolerance = tolerance * (1 + maxAbs(factor)) + (1.2 * dot + 2 ** -20 * maxAbs(factor)) * maxAbs(expected);
    expected = expected.map((y, i) => y * (factor[i] as number));
  }
  const residual = c.residual ? fill(expected.length, 5).map(asGiven) : undefined;
  if (residual) expected = expected.map((y, i) => y + (residual[i] as number));
  const actual = await runOnDevice(plan, given, type, tokens, residual);
  if (exact) return firstMismatch(actual, type === 'float32' ? expected : expected.map(asGiven), 0);
  if (type === 'float32') return firstMismatch(actual, expected, tolerance);
  const ulp = type === 'float16' ? 2 ** -10 : 2 ** -7;
  return firstMismatch(actual, expected, tolerance + (ulp / 2) * maxAbs(expected) + 2 ** -24);
}

/** Rows with weights of one sign, and of 13 steps, have their zero points far from the middle. */
function oneSided(weight: Float32Array, inputs: number): Float32Array {
  return weight.map((w, i) => [w, 3 * Math.abs(w), -3 * Math.abs(w)][Math.floor(i / inputs) % 3] as number);
}

/** Unstructured: rows of very different lengths, one of them full, so that warps get unequal work. */
function prune(weight: Float32Array, { inputs, outputs }: NmCase, { pattern, rows = 1, venom = false, block }: Sparsity): Float32Array {
  if (block) return keepColumns(weight, inputs, block[0], 40, 0);
  if (pattern !== 'unstructured') {
    const [n, m] = pattern.split(':').map(Number) as [number, number];
    const shared = rows > 1 ? keepColumns(weight, inputs, rows, venom ? 4 : n, m) : weight;
    return rows > 1 && !venom ? shared : pruneBySorting(shared, outputs, inputs, n, m);
  }
  return weight.map((w, i) => {
    const row = Math.floor(i / inputs);
    const percent = row % 37 === 3 ? 100 : [2, 10, 30, 60][row % 4];
    return (Math.imul(i + 1, 0x9e3779b1) >>> 8) % 100 < (percent as number) ? w : 0;
  });
}

async function runOnDevice(
  plan: nm.CudaPlan,
  x: Float32Array,
  type: XType,
  tokens: number,
  residual: Float32Array | undefined,
): Promise<ArrayLike<number>> {
  const host = (data: Float32Array, columns: number): TensorLike => {
    const dims = [tokens, columns];
    return type === 'float32' ? { data, dims } : { data: halfBits(type, data), dims, type };
  };
  using onDevice = await toDevice(host(x, plan.inFeatures), 'cuda');
  using added = residual && (await toDevice(host(residual, plan.outFeatures), 'cuda'));
  using y = await plan.run(onDevice, added && { residual: added });
  const { data } = await y.to('cpu');
  return type === 'float32' ? (data as Float32Array) : halfValues(type, data as Uint16Array);
}
