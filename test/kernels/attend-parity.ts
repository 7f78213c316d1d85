import { attention, type KernelInfo } from 'sparse-kernels';
import { attentionCases } from '../cases/attention.js';
import type { AttentionCase } from '../cases/attention-case.js';
import { type DenseResult, denseAttention } from '../reference/attention.js';
import { firstMismatch, type Mismatch, maxAbs } from '../reference/compare.js';
import { smallIntegers, uniform } from '../support/random.js';
import { attendOperands } from './attend-operands.js';
import type { Check } from './check.js';

const eps = 2 ** -23;

export function* attendChecks(row: KernelInfo): Iterable<Check> {
  for (const c of attentionCases.filter(({ keysFirst = false }) => keysFirst === (row.pattern === 'keys'))) {
    yield { name: c.name, run: () => compareWithOracle(c, row, smallIntegers) ?? compareWithOracle(c, row, uniform) };
  }
}

/** Runs one case on one kernel row, synchronously, and compares it with the oracle. */
function compareWithOracle(c: AttentionCase, row: KernelInfo, fill: typeof uniform): Mismatch | null {
  const dtype = row.dtype as 'float32' | 'float16' | 'bfloat16';
  const { shape, q, k, v, run, dense, headsFirst } = attendOperands(c, dtype, fill);
  using plan = attention.plan({ ...shape, dtype, isa: row.isa });
  if (plan.kernel !== row.name) throw new Error(`expected kernel ${row.name} but ${plan.kernel} was chosen`);
  const actual = plan.runSync(q, k, v, { ...run, rowMax: c.rowMax ?? false });
  const expected = remembered(`${c.name} ${dtype} ${fill.name}`, () => denseAttention(dense));
  // A score is a dot product in float32; an output moves by twice what its scores do, relative to the largest value.
  const scoreError = eps * ((c.headDim + 8) * maxAbs(dense.q) * maxAbs(dense.k) * dense.scale + 32);
  return (
    firstMismatch(headsFirst(actual.output.data), expected.output, 2 * scoreError * maxAbs(dense.v) + Number.MIN_VALUE) ??
    firstMismatch(actual.lse.data, expected.lse, 2 * scoreError) ??
    (actual.rowMax ? firstMismatch(actual.rowMax.data, expected.rowMax, scoreError) : null)
  );
}

/** The oracle is slow, and the same for every ISA. */
const answers = new Map<string, DenseResult>();
function remembered(key: string, compute: () => DenseResult): DenseResult {
  const answer = answers.get(key) ?? compute();
  answers.set(key, answer);
  return answer;
}
