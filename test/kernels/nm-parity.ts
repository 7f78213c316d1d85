import { type KernelInfo, nm } from 'sparse-kernels';
import { type NmCase, nmCases, patternsOfM } from '../cases/nm.js';
import { dotTolerance, firstMismatch, type Mismatch, maxAbs } from '../reference/compare.js';
import { denseLinear, pruneBySorting } from '../reference/nm.js';
import { type HalfType, halfBits, halfValues, quantiseTokens, roundTo } from '../reference/round.js';
import { misaligned, smallIntegers, uniform } from '../support/random.js';
import type { Check } from './check.js';
import { denseOf, type Int4, isInt4, keepColumns, keepGroups, keepSome, type Pass, storedWeight } from './nm-weights.js';

/** Cases that also run with x and y in 16-bit floats. */
const halfCases = nmCases.filter((c) => [2, 5, 9, 37, 205].includes(c.tokens));

/** Every pattern of the row × every case; a row for any N leaves out the patterns that have a row of their own. */
export function* spmmChecks(row: KernelInfo, rows: readonly KernelInfo[]): Iterable<Check> {
  if (row.pattern === 'groups of a row') return yield* groupChecks(row);
  if (row.pattern === 'unstructured') return yield* unstructuredChecks(row);
  if (row.pattern.startsWith('rows of ')) return yield* bandChecks(row, Number(row.pattern.slice(8)));
  const [first, m] = row.pattern.split(':') as [string, string];
  const named = rows.filter((other) => other.isa === row.isa && other.dtype === row.dtype).map((other) => other.pattern);
  const ns = first === 'N' ? (patternsOfM[Number(m)] ?? []).filter((n) => !named.includes(`${n}:${m}`)) : [Number(first)];
  for (const n of ns) {
    for (const [i, c] of nmCases.entries()) {
      // Of int4 each case has another size of its groups.
      const int4 = { group: ([16, 32, 64, 128] as const)[i % 4] as nm.GroupSize, zeroPoint: i % 3 === 0 };
      const run = (pass: Pass) => compareWithOracle(c, n, Number(m), row, pass, undefined, 1, int4);
      yield { name: `${n}:${m}, ${c.name}`, run: () => run('exact integers') ?? run('random') };
    }
  }
  for (const type of ['float16', 'bfloat16'] as const) {
    for (const c of halfCases) {
      const n = ns[0] ?? 1;
      const run = (pass: Pass) => compareWithOracle(c, n, Number(m), row, pass, type);
      yield { name: `${n}:${m}, ${c.name}, ${type} x and y`, run: () => run('exact integers') ?? run('random') };
    }
  }
}

/** Every case with few, half and nearly all of the weights kept, at places that follow no pattern. */
function* unstructuredChecks(row: KernelInfo): Iterable<Check> {
  for (const percent of [3, 10, 50, 97]) {
    for (const c of nmCases) {
      const run = (pass: Pass) => compareWithOracle(c, percent, 0, row, pass);
      yield { name: `${percent} % kept, ${c.name}`, run: () => run('exact integers') ?? run('random') };
    }
  }
  for (const type of ['float16', 'bfloat16'] as const) {
    for (const c of halfCases) yield { name: `${c.name}, ${type} x and y`, run: () => compareWithOracle(c, 50, 0, row, 'random', type) };
  }
}

/** Every case with columns that so many rows share: N:M with few and many kept, and blocks. */
function* bandChecks(row: KernelInfo, rows: number): Iterable<Check> {
  for (const [n, m] of [
    [1, 2],
    [2, 4],
    [3, 10],
    [30, 32],
    [40, 0],
  ] as const) {
    for (const c of nmCases) {
      const run = (pass: Pass) => compareWithOracle(c, n, m, row, pass, undefined, rows);
      yield { name: `${m ? `${n}:${m}` : 'blocks'} of ${rows} rows, ${c.name}`, run: () => run('exact integers') ?? run('random') };
    }
  }
  for (const type of ['float16', 'bfloat16'] as const) {
    for (const c of halfCases) {
      const run = (pass: Pass) => compareWithOracle(c, 2, 4, row, pass, type, rows);
      yield { name: `2:4 of ${rows} rows, ${c.name}, ${type} x and y`, run: () => run('exact integers') ?? run('random') };
    }
  }
}

/** int4: every case with few, half and all of the groups kept, of every size, with and without zero points. */
function* groupChecks(row: KernelInfo): Iterable<Check> {
  for (const [percent, group, zeroPoint] of [
    [10, 16, false],
    [50, 16, true],
    [50, 32, false],
    [60, 64, true],
    [50, 128, false],
    [100, 32, true],
  ] as const) {
    for (const c of nmCases) {
      const run = (pass: Pass) => compareWithOracle(c, percent, 0, row, pass, undefined, 1, { group, zeroPoint });
      const name = `${percent} % of the groups of ${group}${zeroPoint ? ', zero points' : ''}, ${c.name}`;
      yield { name, run: () => run('exact integers') ?? run('random') };
    }
  }
  for (const type of ['float16', 'bfloat16'] as const) {
    for (const c of halfCases) {
      const run = (pass: Pass) => compareWithOracle(c, 50, 0, row, pass, type, 1, { group: 16, zeroPoint: true });
      yield { name: `${c.name}, ${type} x and y`, run: () => run('exact integers') ?? run('random') };
    }
  }
}

/** Runs one case of pattern n:m (m = 0: n % of the weights at any place) on one kernel row, synchronously, and compares it with the oracle. */
export function compareWithOracle(
  c: NmCase,
  n: number,
  m: number,
  row: KernelInfo,
  pass: Pass,
  half?: HalfType,
  rows = 1,
  int4: Int4 = { group: 32, zeroPoint: false },
): Mismatch | null {
  const { tokens, inputs, outputs } = c;
  const fill = pass === 'random' ? uniform : smallIntegers;
  const place = c.misaligned ? misaligned : (a: Float32Array) => a;
  const bias = c.bias ? fill(outputs, 2) : undefined;
  const keep = (w: Float32Array) => (isInt4(row) ? keepGroups(w, inputs, int4.group, n) : keepSome(w, n));
  const pruneRows = (w: Float32Array) => (m === 0 ? keep(w) : pruneBySorting(w, outputs, inputs, n, m));
  const prune = (w: Float32Array) => (rows > 1 ? keepColumns(w, inputs, rows, n, m) : pruneRows(w));
  const stored = storedWeight(place(prune(unpruned(c, fill))), row, pass, c, int4);
  const gate = c.gated ? storedWeight(place(prune(fill(outputs * inputs, 4))), row, pass, c, int4) : undefined;
  // Integers stay integers only under ReLU.
  const activation = pass === 'exact integers' && c.activation ? 'relu' : (c.activation ?? 'none');
  using plan = nm.plan({
    weight: stored.weight,
    ...(stored.scale && { scale: stored.scale }),
    ...numbersOf(row),
    ...(isInt4(row) && { groupSize: int4.group, zeroPoint: int4.zeroPoint }),
    ...(m === 0 ? unstructured(row, rows, int4.group) : { pattern: `${n}:${m}`, rows }),
    isa: row.isa,
    ...(bias && { bias }),
    ...(gate && { gate: gate.weight }),
    ...(gate?.scale && { gateScale: gate.scale }),
    ...(gate && bias && { gateBias: bias.toReversed() }),
    activation,
  });
  if (plan.kernel !== row.name) throw new Error(`expected kernel ${row.name} but ${plan.kernel} was chosen`);

  const held = plan.toDense().data;
  const dense = denseOf(stored, held.subarray(0, outputs * inputs), inputs, row, int4);
  const given = fill(tokens * inputs, 1).map((v) => (half ? roundTo(half, v) : v));
  const together = row.dtype === 'w8a8' ? inputs : row.dtype === 'w4a8' ? int4.group : 0; // inputs of x that share a scale
  if (together && pass === 'exact integers') stepsOfOne(given, inputs, together);
  const x = together ? quantiseTokens(given, inputs, together) : given; // what the products are of
  const linear = { x, tokens, inputs, outputs };
  const rounded = (y: number) => (pass === 'exact integers' ? Math.fround(y) : y); // products of sums may need more than 24 bits
  let expected = denseLinear({ ...linear, weight: dense, bias, activation: gate ? 'none' : activation });
  let tolerance = dotTolerance(inputs, maxAbs(x), maxAbs(dense), bias ? maxAbs(bias) : 0) + 4e-7 * maxAbs(expected);
  if (gate) {
    const denseGate = denseOf(gate, held.subarray(outputs * inputs), inputs, row, int4);
    const factor = denseLinear({ ...linear, weight: denseGate, bias: bias?.toReversed(), activation });
    tolerance = 1.2 * tolerance * (1 + maxAbs(expected) + maxAbs(factor));
    expected = expected.map((y, i) => rounded(y * (factor[i] as number)));
  }
  const residual = c.residual ? fill(expected.length, 5).map((v) => (half ? roundTo(half, v) : v)) : undefined;
  if (residual) expected = expected.map((y, i) => rounded(y + (residual[i] as number)));
  if (pass === 'exact integers') tolerance = 0;
  const run = half
    ? runHalf(plan, given, half, [tokens, inputs], outputs, residual)
    : runFloat(plan, place, given, [tokens, inputs], outputs, residual);
  if (!half) return firstMismatch(run, expected, tolerance);
  const ulp = half === 'float16' ? 2 ** -10 : 2 ** -7;
  if (pass === 'random') return firstMismatch(run, expected, tolerance + (ulp / 2) * maxAbs(expected) + 2 ** -24);
  return firstMismatch(
    run,
    expected.map((y) => roundTo(half, y)),
    0,
  );
}

function numbersOf({ dtype }: KernelInfo): Pick<nm.PlanOptions, 'dtype' | 'activations'> {
  if (dtype === 'w8a8') return { dtype: 'int8', activations: 'int8' };
  return dtype === 'w4a8' ? { dtype: 'int4', activations: 'int8' } : { dtype: dtype as 'float32' };
}

/** The options of a pattern that is no N:M. */
function unstructured(row: KernelInfo, rows: number, group: number): Pick<nm.PlanOptions, 'pattern' | 'block'> {
  if (isInt4(row)) return { pattern: 'block', block: [1, group] };
  return rows > 1 ? { pattern: 'block', block: [rows, 3] } : { pattern: 'unstructured' };
}

type Place = (a: Float32Array) => Float32Array;

function runFloat(plan: nm.Plan, place: Place, x: Float32Array, dims: number[], outputs: number, residual: Float32Array | undefined) {
  const out = place(new Float32Array((dims[0] ?? 0) * outputs).fill(Number.NaN)); // an element that is not written fails
  plan.runSync({ data: place(x), dims }, { out, ...(residual && { residual: place(residual) }) });
  return out;
}

function runHalf(plan: nm.Plan, x: Float32Array, type: HalfType, dims: number[], outputs: number, residual: Float32Array | undefined) {
  const out = { data: new Uint16Array((dims[0] ?? 0) * outputs).fill(0x7fff), dims: [dims[0] ?? 0, outputs], type }; // NaN
  const added = residual && { residual: { ...out, data: halfBits(type, residual) } };
  plan.runSync({ data: halfBits(type, x), dims, type }, { out, ...added });
  return halfValues(type, out.data);
}

/** Integers that are quantised to themselves: the largest magnitude of each `group` inputs of a token is 127. */
function stepsOfOne(x: Float32Array, inputs: number, group: number): void {
  for (let i = 0; i < x.length; i += inputs) {
    for (let first = 0; first < inputs; first += group) {
      x[i + first + (((i + first) * 7) % Math.min(group, inputs - first))] = (i + first / group) % 2 ? 127 : -127;
    }
  }
}

function unpruned({ inputs, outputs, fill }: NmCase, values: (length: number, seed: number) => Float32Array): Float32Array {
  const weight = values(outputs * inputs, 3);
  if (fill === 'zero') weight.fill(0);
  if (fill === 'one dense row') weight.fill(0, 0, inputs * 5).fill(0, inputs * 6);
  if (fill === 'half zero') for (let i = 0; i < weight.length; i++) if ((i * 7919) % 13 < 6) weight[i] = 0;
  return weight;
}
