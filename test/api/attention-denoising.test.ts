/** Methods for diffusion models: what they choose at some steps and do at the others. */
import { attention } from 'sparse-kernels';
import { describe, expect, test } from 'vitest';
import { firstMismatch } from '../reference/compare.js';
import { logits } from '../reference/methods-published.js';
import { softmax, tiles } from '../reference/score.js';
import { ranking } from '../reference/select.js';
import { expectAttention, expectPattern, input } from './method-input.js';

const { methods, patterns } = attention;
const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);
const massMap = (x: ReturnType<typeof input>, h: number, block: number) => tiles(logits(x.all, h, false).map(softmax), [block, block], sum);
const dense = () => true;

describe('adaSpa', () => {
  const x = input(200, 230, 2, 1);

  test('uses the tiles of most mass of the last search', async () => {
    const layer = methods.adaSpa({ sparsity: [0.5, 0.75], searchSteps: [0, 2], block: 16, textTokens: 20 });
    expectAttention(await layer.attend(0, ...x.tensors), x, dense);
    const result = await layer.attend(1, ...x.tensors);
    const columns = Math.ceil(230 / 16);
    const chosen = [0.5, 0.25].map((keep, h) =>
      massMap(x, h, 16).map((row) => {
        const blocks = new Set([columns - 2, columns - 1]);
        for (const j of ranking((n) => row[n] as number, columns)) if (blocks.size < Math.ceil(keep * columns)) blocks.add(j);
        return blocks;
      }),
    );
    expectAttention(result, x, (h, i, j) => chosen[h]?.[i >> 4]?.has(j >> 4) === true);
    await expectPatternOf(result, x);
    expectAttention(await layer.attend(2, ...x.tensors), x, dense);
  });

  test('refuses other shapes than it chose for, and no first search', async () => {
    const layer = methods.adaSpa({ searchSteps: [0] });
    await expect(layer.attend(1, ...x.tensors)).rejects.toMatchObject({ code: 'ERR_SK_OPTION' });
    await layer.attend(0, ...x.tensors);
    await expect(layer.attend(1, ...input(64, 64, 2, 1).tensors)).rejects.toMatchObject({ code: 'ERR_SK_SHAPE' });
    expect(() => methods.adaSpa({ searchSteps: [1] })).toThrow(expect.objectContaining({ code: 'ERR_SK_OPTION' }));
  });
});

/** The report of a method that is not causal compares with attention to all keys. */
const expectPatternOf = (result: attention.methods.MethodResult, x: ReturnType<typeof input>) => expectPattern(result, x, false);

test('sparseD chooses prompt and generated keys separately', async () => {
  const x = input(192, 192, 2, 2);
  const layer = methods.sparseD({ steps: 10, promptLength: 64, keep: 0.5, block: 16 });
  for (const step of [0, 1, 2]) expectAttention(await layer.attend(step, ...x.tensors), x, dense);
  const result = await layer.attend(3, ...x.tensors);
  const chosen = [0, 1].map((h) =>
    massMap(x, h, 16).map((row) => {
      const best = (first: number, end: number) =>
        ranking((n) => row[first + n] as number, end - first)
          .slice(0, Math.ceil(0.5 * (end - first)))
          .map((n) => first + n);
      return new Set([...best(0, 4), ...best(4, 12)]);
    }),
  );
  expectAttention(result, x, (h, i, j) => chosen[h]?.[i >> 4]?.has(j >> 4) === true);
  await expect(methods.sparseD({ steps: 10, promptLength: 0 }).attend(5, ...x.tensors)).rejects.toMatchObject({ code: 'ERR_SK_OPTION' });
});

describe('reTtention', () => {
  const x = input(96, 96, 2, 1);
  const pattern = patterns.band({ queryLength: 96, before: 16, after: 16, blockSize: [16, 16] });

  test('a sparse step on the same input gives the full output back', async () => {
    const layer = methods.reTtention({ pattern, fullSteps: [0] });
    const full = await layer.attend(0, ...x.tensors);
    expectAttention(full, x, dense);
    const sparse = await layer.attend(1, ...x.tensors);
    expect(firstMismatch(sparse.output.data, full.output.data, 1e-5)).toBeNull();
  });

  test('on another input rho O + lambda R', async () => {
    const layer = methods.reTtention({ pattern, fullSteps: [0], lambda: (step) => 0.5 ** step });
    const full = await layer.attend(0, ...x.tensors);
    using plan = attention.plan({ pattern, heads: 2, kvHeads: 1, headDim: 16 });
    const before = await plan.run(...x.tensors);
    const y = input(96, 96, 2, 1, 16, 40);
    const after = await plan.run(...y.tensors);
    const expected = Array.from(after.output.data, (o, i) => {
      const row = Math.floor(i / 16);
      const rho = Math.exp((before.lse.data[row] as number) - (full.lse.data[row] as number));
      const residual = (full.output.data[i] as number) - rho * (before.output.data[i] as number);
      return rho * o + 0.25 * residual;
    });
    expect(firstMismatch((await layer.attend(2, ...y.tensors)).output.data, expected, 1e-5)).toBeNull();
  });
});
