import { type Isa, type KernelInfo, nm } from 'sparse-kernels';
import { type NmCase, nmCases, patternsOfM } from '../cases/nm.js';
import { dotTolerance, firstMismatch, type Mismatch, maxAbs } from '../reference/compare.js';
import { denseLinear, pruneBySorting } from '../reference/nm.js';
import { misaligned, smallIntegers, uniform } from '../support/random.js';

import type { Check } from './check.js';

export type Pass = 'exact integers' | 'random';

/** Every pattern of the row × every case; a row for any N leaves out the patterns that have a row of their own. */
export function* spmmChecks(row: KernelInfo, rows: readonly KernelInfo[]): Iterable<Check> {
  const [first, m] = row.pattern.split(':') as [string, string];
  const named = rows.filter((other) => other.isa === row.isa).map((other) => other.pattern);
  const ns = first === 'N' ? (patternsOfM[Number(m)] ?? []).filter((n) => !named.includes(`${n}:${m}`)) : [Number(first)];
  for (const n of ns) {
    for (const c of nmCases) {
      const run = (pass: Pass) => compareWithOracle(c, n, Number(m), row.isa, row.name, pass);
      yield { name: `${n}:${m}, ${c.name}`, run: () => run('exact integers') ?? run('random') };
    }
  }
}

/** Runs one case on one kernel row, synchronously, and compares it with the oracle. */
export function compareWithOracle(c: NmCase, n: number, m: number, isa: Isa, expectedKernel: string, pass: Pass): Mismatch | null {
  const { tokens, inputs, outputs } = c;
  const fill = pass === 'random' ? uniform : smallIntegers;
  const place = c.misaligned ? misaligned : (a: Float32Array) => a;
  const x = place(fill(tokens * inputs, 1));
  const bias = c.bias ? fill(outputs, 2) : undefined;
  const weight = place(pruneBySorting(unpruned(c, fill), outputs, inputs, n, m));
  using plan = nm.plan({
    weight: { data: weight, dims: [outputs, inputs] },
    pattern: `${n}:${m}`,
    isa,
    ...(bias && { bias }),
    activation: c.relu ? 'relu' : 'none',
  });
  if (plan.kernel !== expectedKernel) throw new Error(`expected kernel ${expectedKernel} but ${plan.kernel} was chosen`);
  const out = place(new Float32Array(tokens * outputs).fill(Number.NaN)); // an element that is not written fails
  plan.runSync({ data: x, dims: [tokens, inputs] }, { out });
  const expected = denseLinear({ x, weight, bias, tokens, inputs, outputs, relu: c.relu ?? false });
  const tolerance = pass === 'random' ? dotTolerance(inputs, maxAbs(x), maxAbs(weight), bias ? maxAbs(bias) : 0) : 0;
  return firstMismatch(out, expected, tolerance);
}

function unpruned({ inputs, outputs, fill }: NmCase, values: (length: number, seed: number) => Float32Array): Float32Array {
  const weight = values(outputs * inputs, 3);
  if (fill === 'zero') weight.fill(0);
  if (fill === 'one dense row') weight.fill(0, 0, inputs * 5).fill(0, inputs * 6);
  if (fill === 'half zero') for (let i = 0; i < weight.length; i++) if ((i * 7919) % 13 < 6) weight[i] = 0;
  return weight;
}
