/** Attention on a device: what its plans promise beside results, and what happens on bad input. */
import './simulated.js';

import { attention, type DeviceTensor, type TensorLike, toDevice } from 'sparse-kernels';
import { describe, expect, test } from 'vitest';
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
