import { attention, type CudaKernelInfo } from 'sparse-kernels';
import { type AttentionCase, attentionCases, attentionCudaCases } from '../cases/attention.js';
import { attendOperands } from '../kernels/attend-operands.js';
import type { Check } from '../kernels/check.js';
import { denseAttention } from '../reference/attention.js';
import { firstMismatch, type Mismatch, maxAbs } from '../reference/compare.js';
import { type HalfType, roundTo } from '../reference/round.js';
import { smallIntegers, uniform } from '../support/random.js';

/** The cases of the CPU whose heads are not too large, and those made for the blocks of the device. */
export function* attendChecks(row: CudaKernelInfo): Iterable<Check> {
  for (const c of [...attentionCases, ...attentionCudaCases].filter(({ headDim }) => headDim <= 128)) {
    yield { name: c.name, run: async () => (await compare(c, row, smallIntegers)) ?? compare(c, row, uniform) };
  }
}

async function compare(c: AttentionCase, row: CudaKernelInfo, fill: typeof uniform): Promise<Mismatch | null> {
  const dtype = row.dtype as HalfType;
  const { shape, q, k, v, run, dense, headsFirst } = attendOperands(c, dtype, fill);
  using plan = attention.plan({ ...shape, dtype, device: 'cuda' });
  if (plan.kernel !== row.name) throw new Error(`expected kernel ${row.name} but ${plan.kernel} was chosen`);
  const actual = await plan.run(q, k, v, run);

  // The tensor cores multiply queries that hold scale / softcap * log2(e), rounded.
  const factor = Math.fround(Math.fround(Math.fround(dense.scale) / Math.fround(dense.softcap ?? 1)) * Math.fround(Math.LOG2E));
  const scaled = Float64Array.from(dense.q, (x) => roundTo(dtype, Math.fround(x * factor)));
  const expected = denseAttention({ ...dense, q: scaled, scale: Math.LN2 * (dense.softcap ?? 1) });
  // Beside that a score has the error of float32, and a weight is rounded: to half a unit, and the sum of weights by no more.
  const scoreError = 2 ** -23 * ((c.headDim + 8) * maxAbs(scaled) * maxAbs(dense.k) * (dense.softcap ?? 1) + 64);
  const weightError = dtype === 'float16' ? 2 ** -11 : 2 ** -8;
  return (
    firstMismatch(
      headsFirst(actual.output.data as Float32Array),
      expected.output,
      2 * (scoreError + weightError) * maxAbs(dense.v) + 1e-30,
    ) ?? firstMismatch(actual.lse.data as Float32Array, expected.lse, 2 * (scoreError + weightError))
  );
}
