/** Bad input to device tensors and plans of nm on a device. */
import './simulated.js';

import { type DeviceTensor, nm, type TensorLike, toDevice } from 'sparse-kernels';
import { describe, expect, test } from 'vitest';
import { smallIntegers } from '../support/random.js';
import { where } from './simulated.js';

const [outputs, inputs, tokens] = [24, 64, 5];
const weight = nm.prune({ data: smallIntegers(outputs * inputs, 1), dims: [outputs, inputs] }, { pattern: '2:4' });
const x: TensorLike = { data: smallIntegers(tokens * inputs, 2), dims: [tokens, inputs] };
const options = { weight, dtype: 'float16', pattern: '2:4', device: 'cuda' } as const;

describe.skipIf(where.startsWith('nowhere'))('with a device', () => {
  const bad: [string, () => Promise<unknown> | unknown, string][] = [
    ['x of another inner size', async () => nm.plan(options).run({ data: new Float32Array(10), dims: [1, 10] }), 'ERR_SK_SHAPE'],
    [
      'a device x of another inner size',
      async () => nm.plan(options).run(await toDevice({ data: new Float32Array(10), dims: [1, 10] }, 'cuda')),
      'ERR_SK_SHAPE',
    ],
    [
      'a device x of integers',
      async () => nm.plan(options).run(await toDevice({ data: new Int32Array(64), dims: [1, 64] }, 'cuda')),
      'ERR_SK_DTYPE',
    ],
    [
      'out of too few tokens',
      async () => {
        const out = await toDevice({ data: new Float32Array(outputs), dims: [1, outputs] }, 'cuda');
        return nm.plan(options).run(await toDevice(x, 'cuda'), { out });
      },
      'ERR_SK_SHAPE',
    ],
    [
      'out in host memory',
      async () => nm.plan(options).run(await toDevice(x, 'cuda'), { out: x as unknown as DeviceTensor }),
      'ERR_SK_TYPE',
    ],
    ['out with an x in host memory', async () => nm.plan(options).run(x, { out: await toDevice(x, 'cuda') }), 'ERR_SK_TYPE'],
    ['a residual of too few elements', async () => nm.plan(options).run(x, { residual: new Float32Array(3) }), 'ERR_SK_SHAPE'],
    [
      'a residual of another type',
      async () => {
        const residual = await toDevice({ data: new Uint16Array(tokens * outputs), dims: [tokens, outputs], type: 'float16' }, 'cuda');
        return nm.plan(options).run(await toDevice(x, 'cuda'), { residual });
      },
      'ERR_SK_DTYPE',
    ],
    [
      'a residual of too few tokens on the device',
      async () => {
        const residual = await toDevice({ data: new Float32Array(outputs), dims: [1, outputs] }, 'cuda');
        return nm.plan(options).run(await toDevice(x, 'cuda'), { residual });
      },
      'ERR_SK_SHAPE',
    ],
    [
      'a residual in host memory with an x on the device',
      async () => nm.plan(options).run(await toDevice(x, 'cuda'), { residual: new Float32Array(tokens * outputs) }),
      'ERR_SK_TYPE',
    ],
    [
      'a device tensor where a CPU plan wants a host one',
      async () => {
        const there = (await toDevice(x, 'cuda')) as unknown as TensorLike;
        return nm.plan({ weight, pattern: '2:4' }).run(there);
      },
      'ERR_SK_TYPE',
    ],
    [
      'a tensor after dispose()',
      async () => {
        const there = await toDevice(x, 'cuda');
        there.dispose();
        return nm.plan(options).run(there);
      },
      'ERR_SK_DISPOSED',
    ],
    ['allowTf32 of 16-bit weights', () => nm.plan({ ...options, allowTf32: true }), 'ERR_SK_OPTION'],
    ['allowTf32 that is no boolean', () => nm.plan({ ...options, dtype: 'float32', allowTf32: 1 as never }), 'ERR_SK_TYPE'],
    ['allowTf32 on the CPU', () => nm.plan({ weight, pattern: '2:4', allowTf32: true } as never), 'ERR_SK_OPTION'],
    ['int8 activations with float weights', () => nm.plan({ ...options, activations: 'int8' }), 'ERR_SK_OPTION'],
    [
      'sums that int32 may not hold',
      () => {
        const long = { data: new Float32Array(2 ** 18 + 1), dims: [1, 2 ** 18 + 1] };
        return nm.plan({ ...options, weight: long, dtype: 'int8', activations: 'int8' });
      },
      'ERR_SK_SHAPE',
    ],
    [
      'weights that break the pattern',
      () => nm.plan({ ...options, weight: { data: new Float32Array(4).fill(1), dims: [1, 4] } }),
      'ERR_SK_SPARSITY',
    ],
    ['an isa of the CPU', () => nm.plan({ ...options, isa: 'avx2' } as never), 'ERR_SK_OPTION'],
    ['an unknown device', () => nm.plan({ ...options, device: 'rocm' } as never), 'ERR_SK_OPTION'],
    ['an unknown device to copy to', () => toDevice(x, 'rocm' as never), 'ERR_SK_OPTION'],
    ['more than the device has', () => toDevice({ data: new Float32Array(1), dims: [2 ** 45] }, 'cuda'), 'ERR_SK_SHAPE'],
  ];
  test.each(bad)('%s is a named error', async (_, run, code) => {
    await expect((async () => run())()).rejects.toMatchObject({ code });
  });
});
