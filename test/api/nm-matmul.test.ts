/** nm.matmul: a plan that is used once. */
import { nm } from 'sparse-kernels';
import { expect, test } from 'vitest';
import { uniform } from '../support/random.js';

const [out, inputs] = [40, 72];
const x = { data: uniform(2 * 3 * inputs, 3), dims: [2, 3, inputs] };
/** The first two of every four inputs: of all the patterns below. */
const halves = uniform(out * inputs, 1).map((value, i) => ((i % inputs) % 4 < 2 ? value : 0));
const weight = { data: halves, dims: [out, inputs] };

test('is plan and run', async () => {
  const y = await nm.matmul(x, weight, { pattern: '2:4', activation: 'relu' });
  expect(y).toEqual(nm.plan({ weight, pattern: '2:4', activation: 'relu' }).runSync(x));
});

test.each([
  { pattern: '2:4', dtype: 'float16' },
  { pattern: '2:4', dtype: 'int8', activations: 'int8' },
  { pattern: '2:4', dtype: 'int4', groupSize: 16, zeroPoint: true },
  { pattern: '2:4', rows: 4, dtype: 'bfloat16' },
  { pattern: 'block', block: [4, 2] },
] satisfies nm.MatmulOptions[])('takes what a plan takes: %o', async (layer) => {
  expect(await nm.matmul(x, weight, layer)).toEqual(nm.plan({ weight, ...layer }).runSync(x));
});

test.each(['out', 'residual', 'signal'])('%s is checked, though it be null', async (option) => {
  await expect(nm.matmul(x, weight, { pattern: '2:4', [option]: null } as never)).rejects.toMatchObject({ code: 'ERR_SK_TYPE' });
});

test('refuses what it decides itself', async () => {
  await expect(nm.matmul(x, weight, { pattern: '2:4', tokens: 3 } as never)).rejects.toMatchObject({ code: 'ERR_SK_OPTION' });
});
