/** Attention on a device: what its plans promise beside results, and what happens on bad input. */
import './simulated.js';

import { attention, type DeviceTensor, devices, type TensorLike, toDevice } from 'sparse-kernels';
import { describe, expect, test } from 'vitest';
import { firstMismatch } from '../reference/compare.js';
import { halfBits } from '../reference/round.js';
import { uniform } from '../support/random.js';
import { where } from './simulated.js';

const [heads, tokens, headDim] = [2, 40, 64];
const pattern = attention.patterns.dense({ queryLength: tokens, causal: true });
const options = { pattern, heads, kvHeads: 1, headDim, causal: true, dtype: 'float16', device: 'cuda' } as const;
const operand = (count: number, seed: number, type: 'float16' | 'bfloat16' = 'float16'): TensorLike => ({
  data: halfBits(type, uniform(count * tokens * headDim, seed)),
  dims: [1, count, tokens, headDim],
  type,
});
const [q, k, v] = [operand(heads, 1), operand(1, 2), operand(1, 3)];

/** A result of rows of which every third has no keys; those of `none` have none at all. */
async function stateOf(seed: number, dims: readonly number[], none = -1): Promise<attention.CudaAttentionResult> {
  const [rows, d] = [dims.slice(0, -1).reduce((a, b) => a * b, 1), dims.at(-1) as number];
  const keyless = (row: number) => row === none || row % 3 === seed % 3;
  const lse = uniform(rows, seed).map((x, row) => (keyless(row) ? Number.NEGATIVE_INFINITY : 40 * x));
  const output = uniform(rows * d, seed + 100).map((x, i) => (keyless(Math.floor(i / d)) ? Number.NaN : x)); // which must not matter
  const put = async (data: Float32Array, dims: readonly number[]) =>
    (await toDevice({ data, dims: [...dims] }, 'cuda')) as DeviceTensor<'float32'>;
  return { output: await put(output, dims), lse: await put(lse, dims.slice(0, -1)) };
}

describe.skipIf(where.startsWith('nowhere'))('attention on a device', () => {
  test('host tensors give host tensors, device tensors device tensors, bit for bit the same', async () => {
    using plan = attention.plan(options);
    const host = await plan.run(q, k, v);
    expect(host.output.dims).toEqual([1, heads, tokens, headDim]);
    expect(host.lse.dims).toEqual([1, heads, tokens]);
    const [qs, ks, vs] = [await toDevice(q, 'cuda'), await toDevice(k, 'cuda'), await toDevice(v, 'cuda')];
    const { output, lse } = await plan.run(qs, ks, vs);
    expect((await output.to('cpu')).data).toEqual(host.output.data);
    expect((await lse.to('cpu')).data).toEqual(host.lse.data);
  });

  test('runs at once do not disturb each other, and a plan that is disposed of lets them end', async () => {
    const plan = attention.plan(options);
    const first = await plan.run(q, k, v);
    const running = [plan.run(q, k, v), plan.run(q, k, v), plan.run(q, k, v)];
    plan.dispose();
    for (const result of await Promise.all(running)) expect(result.output.data).toEqual(first.output.data);
    await expect(plan.run(q, k, v)).rejects.toMatchObject({ code: 'ERR_SK_DISPOSED' });
  });

  test('an aborted signal rejects with its reason', async () => {
    using plan = attention.plan(options);
    await expect(plan.run(q, k, v, { signal: AbortSignal.abort('enough') })).rejects.toBe('enough');
  });

  test.each([
    [1, [1, 2, 3, 8]],
    [2, [2, 3, 5, 72]],
    [3, [1, 1, 1, 1]],
    [16, [1, 4, 7, 256]],
    [2, [1, 2, 0, 64]],
  ])('%i results over disjoint keys are merged there, dims %j', async (count, dims) => {
    const results = await Promise.all(Array.from({ length: count }, (_, i) => stateOf(i, dims, 4)));
    const parts = await Promise.all(
      results.map(async ({ output, lse }) => ({ output: (await output.to('cpu')).data, lse: (await lse.to('cpu')).data })),
    );
    const before = devices()[1]?.cuda;
    const merged = await attention.merge(...(results as [attention.CudaAttentionResult]));
    expect(devices()[1]?.cuda).toEqual(before);
    const [lse, output] = [await merged.lse.to('cpu'), await merged.output.to('cpu')];
    expect([lse.dims, output.dims]).toEqual([dims.slice(0, -1), dims]);
    const d = dims.at(-1) as number;
    const total = Array.from(lse.data, (_, row) => parts.reduce((sum, part) => sum + Math.exp(part.lse[row] as number), 0));
    const expected = Array.from(output.data, (_, i) => {
      const row = Math.floor(i / d);
      const share = (part: { lse: Float32Array }) => (total[row] === 0 ? 0 : Math.exp(part.lse[row] as number) / (total[row] as number));
      return parts.reduce((sum, part) => (share(part) === 0 ? sum : sum + share(part) * (part.output[i] as number)), 0);
    });
    expect(firstMismatch(lse.data, total.map(Math.log), 2e-5)).toBeNull(); // a lse of 40 has units of 4e-6
    expect(firstMismatch(output.data, expected, 2e-5)).toBeNull();
  });

  const run = (...operands: unknown[]) => attention.plan(options).run(...(operands as [TensorLike, TensorLike, TensorLike]));
  const bad: [string, () => Promise<unknown> | unknown, string][] = [
    ['float32', () => attention.plan({ ...options, dtype: 'float32' } as never), 'ERR_SK_ISA'],
    ['an isa of the CPU', () => attention.plan({ ...options, isa: 'avx2' } as never), 'ERR_SK_OPTION'],
    ['an unknown device', () => attention.plan({ ...options, device: 'rocm' } as never), 'ERR_SK_OPTION'],
    ['an unknown option', () => run(q, k, v, { rowmax: true }), 'ERR_SK_OPTION'],
    ['an initial result of another shape', () => run(q, k, v, { initial: { output: k, lse: k } }), 'ERR_SK_DTYPE'],
    ['a page beyond the last', () => run(q, k, v, { pageTable: Int32Array.of(1) }), 'ERR_SK_OPTION'],
    ['a page table of another length', () => run(q, k, v, { pageTable: Int32Array.of(0, 0) }), 'ERR_SK_SHAPE'],
    ['a page table of another type', () => run(q, k, v, { pageTable: Float32Array.of(0) }), 'ERR_SK_TYPE'],
    ['q of another type', () => run(operand(heads, 1, 'bfloat16'), k, v), 'ERR_SK_DTYPE'],
    ['k of another shape', () => run(q, operand(heads, 2), v), 'ERR_SK_SHAPE'],
    ['k in host memory with q on the device', async () => run(await toDevice(q, 'cuda'), k, v), 'ERR_SK_DTYPE'],
    ['k on the device with q in host memory', async () => run(q, await toDevice(k, 'cuda'), v), 'ERR_SK_TYPE'],
    [
      'merging results of other shapes',
      async () => attention.merge(await stateOf(1, [1, 2, 3, 8]), await stateOf(2, [1, 2, 4, 8])),
      'ERR_SK_SHAPE',
    ],
    [
      'merging more results than there is room for',
      async () => attention.merge(...(new Array(17).fill(await stateOf(1, [1, 1, 1, 8])) as [attention.CudaAttentionResult])),
      'ERR_SK_SHAPE',
    ],
    [
      'merging a result of the host into one of the device',
      async () => attention.merge(await stateOf(1, [1, 1, 1, 1]), { output: operand(1, 1), lse: operand(1, 1) } as never),
      'ERR_SK_TYPE',
    ],
    [
      'merging a result of the device into one of the host',
      async () => {
        const lse = { type: 'float32', data: new Float32Array(1), dims: [1, 1, 1] } as const;
        return attention.merge({ output: { ...lse, dims: [1, 1, 1, 1] }, lse }, (await stateOf(1, [1, 1, 1, 1])) as never);
      },
      'ERR_SK_TYPE',
    ],
    [
      'merging a result after dispose()',
      async () => {
        const state = await stateOf(1, [1, 1, 1, 8]);
        state.lse.dispose();
        return attention.merge(state);
      },
      'ERR_SK_DISPOSED',
    ],
    ['keyLengths beyond the keys', () => run(q, k, v, { keyLengths: Int32Array.of(tokens + 1) }), 'ERR_SK_SHAPE'],
    [
      'a tensor after dispose()',
      async () => {
        const there: DeviceTensor = await toDevice(q, 'cuda');
        there.dispose();
        return run(there, await toDevice(k, 'cuda'), await toDevice(v, 'cuda'));
      },
      'ERR_SK_DISPOSED',
    ],
  ];
  test.each(bad)('%s is a named error', async (_, call, code) => {
    await expect((async () => call())()).rejects.toMatchObject({ code });
  });
});
