import { attention, type CudaKernelInfo, type TensorLike } from 'sparse-kernels';
import { attentionCases } from '../cases/attention.js';
import type { AttentionCase } from '../cases/attention-case.js';
import { attentionCudaCases } from '../cases/attention-cuda.js';
import { attendOperands } from '../kernels/attend-operands.js';
import type { Check } from '../kernels/check.js';
import { denseAttention } from '../reference/attention.js';
import { firstMismatch, type Mismatch, maxAbs } from '../reference/compare.js';
import { type HalfType, roundTo } from '../reference/round.js';
import { smallIntegers, uniform } from '../support/random.js';
import { toDeviceRows } from './companions.js';

/** The cases of the CPU, but those of kernels that the device lacks, and those made for the blocks of the device. */
export function* attendChecks(row: CudaKernelInfo): Iterable<Check> {
  for (const c of [...attentionCases.filter(({ keysFirst }) => !keysFirst), ...attentionCudaCases]) {
    yield { name: c.name, run: async () => (await compare(c, row, smallIntegers)) ?? compare(c, row, uniform) };
  }
}

async function compare(c: AttentionCase, row: CudaKernelInfo, fill: typeof uniform): Promise<Mismatch | null> {
  const dtype = row.dtype as HalfType;
  const { shape, q, k, v, run, dense, headsFirst } = attendOperands(c, dtype, fill);
  using plan = attention.plan({ ...shape, dtype, device: 'cuda' });
  if (plan.kernel !== row.name) throw new Error(`expected kernel ${row.name} but ${plan.kernel} was chosen`);
  const initial = c.initial ? randomState(c) : undefined;
  const paged = c.pageTokens ? inPages(c, dtype, k, v) : { k, v };
  const options = {
    ...run,
    rowMax: c.rowMax ?? false,
    ...(initial && { initial }),
    ...('pageTable' in paged && { pageTable: paged.pageTable }),
  };
  const actual = await plan.run(q, paged.k, paged.v, options);

  // The tensor cores multiply queries that hold scale / softcap * log2(e), rounded.
  const factor = Math.fround(Math.fround(Math.fround(dense.scale) / Math.fround(dense.softcap ?? 1)) * Math.fround(Math.LOG2E));
  const scaled = Float64Array.from(dense.q, (x) => roundTo(dtype, Math.fround(x * factor)));
  const state = initial && { output: initial.output.data as Float32Array, lse: initial.lse.data as Float32Array };
  const expected = denseAttention({ ...dense, q: scaled, scale: Math.LN2 * (dense.softcap ?? 1), initial: state });
  // Beside that a score has the error of float32, and a weight is rounded: to half a unit, and the sum of weights by no more.
  const scoreError = 2 ** -23 * ((c.headDim + 8) * maxAbs(scaled) * maxAbs(dense.k) * (dense.softcap ?? 1) + 64);
  const weightError = dtype === 'float16' ? 2 ** -11 : 2 ** -8;
  const wrong = (actual: attention.AttentionResult) =>
    firstMismatch(
      headsFirst(actual.output.data as Float32Array),
      expected.output,
      2 * (scoreError + weightError) * maxAbs(dense.v) + 1e-30,
    ) ??
    firstMismatch(actual.lse.data as Float32Array, expected.lse, 2 * (scoreError + weightError)) ??
    (actual.rowMax ? firstMismatch(actual.rowMax.data as Float32Array, expected.rowMax, 2 * scoreError) : null);
  if (fill === uniform) return wrong(actual);

  // The same lists, brought by the run.
  const lists: Record<string, attention.CudaRows> = {};
  for (const kind of ['tiles', 'fullTiles', 'columns'] as const) {
    const rows = c.pattern[kind];
    if (rows) lists[kind] = await toDeviceRows(rows);
  }
  const room = Object.fromEntries(Object.entries(lists).map(([kind, { capacity }]) => [kind, { capacity }]));
  using open = attention.plan({ ...shape, pattern: { ...c.pattern, ...room }, dtype, device: 'cuda' });
  const brought = await open.run(q, paged.k, paged.v, { ...options, ...lists });
  for (const rows of Object.values(lists)) rows.dispose();
  return wrong(actual) ?? wrong(brought);
}

/** A result over other keys; every third row has none. */
function randomState({ batch = 1, heads, headDim, pattern: { queryLength }, layout = 'BHSD' }: AttentionCase) {
  if (layout !== 'BHSD') throw new Error('no case has it');
  const states = [batch, heads, queryLength];
  const rows = batch * heads * queryLength;
  const lse = uniform(rows, 7).map((x, row) => (row % 3 === 2 ? Number.NEGATIVE_INFINITY : 3 * x));
  return {
    output: { type: 'float32', data: uniform(rows * headDim, 8), dims: [...states, headDim] },
    lse: { type: 'float32', data: lse, dims: states },
  } as const;
}

/** The tokens of each sequence in pages of one pool, in any order, all else NaN; pages that a sequence does not have are -1. */
function inPages(c: AttentionCase, dtype: HalfType, k: TensorLike, v: TensorLike) {
  const { batch = 1, heads, kvHeads = heads, headDim: d, pageTokens = 1, layout = 'BHSD' } = c;
  const { keyLength } = c.pattern;
  const perSequence = Math.ceil(keyLength / pageTokens);
  const pages = batch * perSequence + 3;
  const pageOf = (b: number, i: number) => ((b * perSequence + i + 1) * (pages - 1)) % pages; // a permutation
  const has = (b: number, i: number) => i * pageTokens < (c.keyLengths?.[b] ?? keyLength);
  const pageTable = Int32Array.from({ length: batch * perSequence }, (_, at) => {
    const [b, i] = [Math.floor(at / perSequence), at % perSequence];
    return has(b, i) ? pageOf(b, i) : -1;
  });
  const at = (b: number, h: number, token: number, tokens: number) =>
    (layout === 'BHSD' ? (b * kvHeads + h) * tokens + token : (b * tokens + token) * kvHeads + h) * d;
  const pool = ({ data }: TensorLike) => {
    const to = new Uint16Array(pages * pageTokens * kvHeads * d).fill(dtype === 'float16' ? 0x7e00 : 0x7fc0);
    for (let b = 0; b < batch; b++) {
      for (let token = 0; token < (c.keyLengths?.[b] ?? keyLength); token++) {
        for (let h = 0; h < kvHeads; h++) {
          const from = at(b, h, token, keyLength);
          const page = pageOf(b, Math.floor(token / pageTokens));
          to.set((data as Uint16Array).subarray(from, from + d), at(page, h, token % pageTokens, pageTokens));
        }
      }
    }
    const dims = layout === 'BHSD' ? [pages, kvHeads, pageTokens, d] : [pages, pageTokens, kvHeads, d];
    return { data: to, dims, type: dtype };
  };
  return { k: pool(k), v: pool(v), pageTable };
}
