/** The gradients of a sparse layer, checked numerically, and a small training whose loss falls. */
import { nm, prune, type Tensor } from 'sparse-kernels';
import { describe, expect, test } from 'vitest';
import { uniform } from '../support/random.js';

const [tokens, out, inputs] = [24, 16, 32];
const matrix = (rows: number, columns: number, seed: number): Tensor => ({
  type: 'float32',
  data: uniform(rows * columns, seed),
  dims: [rows, columns],
});
const x = matrix(tokens, inputs, 1);
const target = matrix(tokens, out, 2);

/** Half of the mean of the squared distances, and its gradient. */
function lossOf(y: Tensor): { loss: number; dy: Tensor } {
  const differences = y.data.map((v, i) => v - (target.data[i] as number));
  const loss = differences.reduce((sum, d) => sum + d * d, 0) / (2 * y.data.length);
  return { loss, dy: { ...y, data: differences.map((d) => d / y.data.length) } };
}

describe.each([
  ['nm', /csr/],
  ['transposable', /2x4|Nx4/],
] as const)('2:4 with scope %s', (scope, kernelOfTranspose) => {
  const { weight, mask } = prune.magnitude(matrix(out, inputs, 3), { scope, pattern: '2:4' });

  test('gradients agree with differences of the loss', async () => {
    const lossAt = (w: Tensor, input: Tensor) => lossOf(nm.plan({ weight: w, pattern: '2:4' }).runSync(input)).loss;
    const { dy } = lossOf(nm.plan({ weight, pattern: '2:4' }).runSync(x));
    const dw = await nm.valueGradient(dy, x, mask);
    const transposed = nm.planTransposed({ weight, pattern: '2:4' });
    expect(transposed.kernel).toMatch(kernelOfTranspose);
    const dx = transposed.runSync(dy);
    expect(dx.dims).toEqual([tokens, inputs]);
    const step = 1e-2; // the loss is quadratic: central differences are exact but for rounding
    const numeric = (of: Tensor, at: number, loss: (moved: Tensor) => number) => {
      const moved = (by: number) => ({ ...of, data: of.data.map((v, i) => (i === at ? v + by : v)) });
      return (loss(moved(step)) - loss(moved(-step))) / (2 * step);
    };
    for (let at = 0; at < weight.data.length; at += 7) {
      if (!mask.data[at]) expect(dw.data[at]).toBe(0);
      else
        expect(dw.data[at]).toBeCloseTo(
          numeric(weight, at, (w) => lossAt(w, x)),
          4,
        );
    }
    for (let at = 0; at < x.data.length; at += 11)
      expect(dx.data[at]).toBeCloseTo(
        numeric(x, at, (input) => lossAt(weight, input)),
        4,
      );
  });

  test('training the kept weights lowers the loss', async () => {
    const w = { ...weight, data: weight.data.slice() };
    const losses: number[] = [];
    for (let step = 0; step < 60; step++) {
      using layer = nm.plan({ weight: w, pattern: '2:4' });
      const { loss, dy } = lossOf(layer.runSync(x));
      losses.push(loss);
      const { data: dw } = await nm.valueGradient(dy, x, mask);
      for (let i = 0; i < dw.length; i++) w.data[i] = (w.data[i] as number) - 20 * (dw[i] as number);
    }
    expect(losses.at(-1)).toBeLessThan(0.35 * (losses[0] as number));
    expect(losses.slice(1).every((loss, i) => loss <= (losses[i] as number))).toBe(true);
    expect(w.data.every((v, i) => mask.data[i] || v === 0)).toBe(true);
  });
});

test.each([
  ['dy of another width', { data: new Float32Array(6), dims: [2, 3] }, x, 'ERR_SK_SHAPE', /dy to be \[\.\.\., 16\]/],
  ['fewer tokens', { data: new Float32Array(16), dims: [1, 16] }, x, 'ERR_SK_SHAPE', /as many tokens.*1 and 24/],
  ['float16 x', target, { data: new Uint16Array(inputs), dims: [1, inputs] }, 'ERR_SK_DTYPE', /x to be float32/],
] as const)('%s', async (_, dy, input, code, message) => {
  const mask = { data: new Uint8Array(out * inputs), dims: [out, inputs] };
  await expect(nm.valueGradient(dy, input, mask)).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
});
