/** Device tensors and plans on a device: what they promise. */
import './simulated.js';

import { devices, nm, type TensorLike, toDevice } from 'sparse-kernels';
import { describe, expect, test } from 'vitest';
import { firstMismatch } from '../reference/compare.js';
import { denseLinear } from '../reference/nm.js';
import { smallIntegers } from '../support/random.js';
import { where } from './simulated.js';

const [outputs, inputs, tokens] = [24, 64, 5];
const weight = nm.prune({ data: smallIntegers(outputs * inputs, 1), dims: [outputs, inputs] }, { pattern: '2:4' });
const x: TensorLike = { data: smallIntegers(tokens * inputs, 2), dims: [tokens, inputs] };
const options = { weight, dtype: 'float16', pattern: '2:4', device: 'cuda' } as const;
const expected = denseLinear({ x: x.data as Float32Array, weight: weight.data, tokens, inputs, outputs, bias: undefined });

test('devices() tells what there is', () => {
  const cuda = devices().find(({ type }) => type === 'cuda');
  if (where.startsWith('nowhere')) expect(cuda).toMatchObject({ available: false, reason: expect.stringMatching(/CUDA|driver|device/) });
  else expect(cuda).toMatchObject({ available: true, cuda: { multiprocessors: expect.any(Number) } });
});

test.runIf(where.startsWith('nowhere'))('without a device there is a named error', async () => {
  expect(() => nm.plan(options)).toThrow(expect.objectContaining({ code: 'ERR_SK_DEVICE' }));
  await expect(toDevice(x, 'cuda')).rejects.toMatchObject({ code: 'ERR_SK_DEVICE' });
});

describe.skipIf(where.startsWith('nowhere'))('with a device', () => {
  test.each([
    ['float32', new Float32Array([1, -2, 3.5])],
    ['float16', Uint16Array.of(1, 2, 3)],
    ['bfloat16', Uint16Array.of(4, 5, 6)],
    ['int8', Int8Array.of(-1, 2, 3)],
    ['int32', Int32Array.of(7, -8, 9)],
  ])('%s goes there and comes back', async (type, data) => {
    using there = await toDevice({ data, dims: [3], type }, 'cuda');
    expect(there).toMatchObject({ location: 'cuda', type, dims: [3] });
    expect(await there.to('cpu')).toEqual({ type, data, dims: [3] });
  });

  test('an empty tensor is legal', async () => {
    using there = await toDevice({ data: new Float32Array(0), dims: [0, 64] }, 'cuda');
    expect((await there.to('cpu')).data.length).toBe(0);
    using plan = nm.plan(options);
    using y = await plan.run(there);
    expect(y.dims).toEqual([0, outputs]);
  });

  test('host tensors give host tensors, device tensors device tensors', async () => {
    using plan = nm.plan(options);
    const host = await plan.run(x);
    expect(firstMismatch(host.data, expected, 0)).toBeNull();
    using there = await toDevice(x, 'cuda');
    using y = await plan.run(there);
    expect(firstMismatch((await y.to('cpu')).data as Float32Array, expected, 0)).toBeNull();
    using out = await toDevice({ data: new Float32Array(tokens * outputs), dims: [tokens, outputs] }, 'cuda');
    expect(await plan.run(there, { out })).toBe(out);
    expect(firstMismatch((await out.to('cpu')).data as Float32Array, expected, 0)).toBeNull();
  });

  test('a residual is added where it lies, also to itself', async () => {
    using plan = nm.plan(options);
    const sum = (added: ArrayLike<number>) => expected.map((y, i) => y + (added[i] as number));
    const residual = { data: smallIntegers(tokens * outputs, 3), dims: [tokens, outputs] };
    expect(firstMismatch((await plan.run(x, { residual })).data, sum(residual.data), 0)).toBeNull();
    using there = await toDevice(x, 'cuda');
    using out = await toDevice(residual, 'cuda');
    await plan.run(there, { residual: out, out });
    expect(firstMismatch((await out.to('cpu')).data as Float32Array, sum(residual.data), 0)).toBeNull();
  });

  test('int8 activations: a token with NaN or infinity gives NaN, and no other', async () => {
    using plan = nm.plan({ ...options, dtype: 'int8', activations: 'int8' });
    const data = (x.data as Float32Array).slice();
    data[inputs + 3] = Number.NaN;
    data[3 * inputs + 5] = Number.NEGATIVE_INFINITY;
    const y = await plan.run({ data, dims: x.dims });
    const nan = Array.from({ length: tokens }, (_, t) => [...y.data.subarray(t * outputs, (t + 1) * outputs)].filter(Number.isNaN).length);
    expect(nan).toEqual([0, outputs, 0, outputs, 0]);
  });

  test('int8 weights: x of any size does not overflow float16; what is not finite stays so', async () => {
    const scale = new Float32Array(outputs).fill(1);
    const int8 = { data: Int8Array.from(weight.data as Float32Array), dims: weight.dims };
    using plan = nm.plan({ ...options, weight: int8, scale, dtype: 'int8' });
    const powers = [100, -100, 0, -126, 20].slice(0, tokens);
    const data = (x.data as Float32Array).map((v, i) => v * 2 ** (powers[Math.floor(i / inputs)] as number));
    const unscaled = await plan.run(x);
    const { data: y } = await plan.run({ data, dims: x.dims });
    const scaled = (unscaled.data as Float32Array).map((v, i) => Math.fround(v * 2 ** (powers[Math.floor(i / outputs)] as number)));
    expect(firstMismatch(y as Float32Array, scaled, 0)).toBeNull();
    data[3] = Number.POSITIVE_INFINITY;
    data[inputs + 2] = Number.NaN;
    const broken = (await plan.run({ data, dims: x.dims })).data as Float32Array;
    for (let o = 0; o < outputs; o++) {
      if (weight.data[o * inputs + 3] !== 0) expect(Number.isFinite(broken[o])).toBe(false);
      if (weight.data[o * inputs + 2] !== 0) expect(broken[outputs + o]).toBeNaN();
    }
    expect(firstMismatch(broken.subarray(2 * outputs), scaled.slice(2 * outputs), 0)).toBeNull();
  });

  test.each([false, true])('int4 weights are those of the CPU, zeroPoint %s', async (zeroPoint) => {
    const int4 = { weight, dtype: 'int4', groupSize: 32, zeroPoint, pattern: '2:4' } as const;
    using plan = nm.plan({ ...int4, device: 'cuda' });
    using onCpu = nm.plan(int4);
    expect(plan.kernel).toBe('spmm_i4_2x4_cuda');
    expect(plan.toDense()).toEqual(onCpu.toDense());
  });

  test('int4: products with float16 scales stay finite, up to the largest that do', async () => {
    const int4 = { data: Int8Array.from({ length: 128 }, (_, i) => (i % 64 ? 0 : -8)), dims: [2, 64] };
    const layer = (scale: number, zeroPoint = false) =>
      nm.plan({ weight: int4, scale: new Float32Array(4).fill(scale), dtype: 'int4', zeroPoint, pattern: '2:4', device: 'cuda' });
    expect((await layer(8188).run(new Float32Array(64).fill(1))).data).toEqual(Float32Array.of(-65504, -65504));
    expect((await layer(-4364, true).run(new Float32Array(64).fill(1))).data).toEqual(Float32Array.of(34912, 34912));
    const tooLarge = (most: number, scale: number) =>
      expect.objectContaining({
        code: 'ERR_SK_VALUE',
        message: expect.stringMatching(`at most ${most} .* that of row 0, input 0 is ${scale}`),
      });
    expect(() => layer(8192)).toThrow(tooLarge(8188, 8192));
    expect(() => layer(-4368, true)).toThrow(tooLarge(4364, -4368));
  });

  test('tf32 is used where it is allowed and the weight keeps one of two', () => {
    const kernelOf = (pattern: nm.Pattern, data: ArrayLike<number>, allowTf32: boolean) => {
      using plan = nm.plan({ weight: { data: Float32Array.from(data), dims: [1, 4] }, pattern, device: 'cuda', allowTf32 });
      return plan.kernel;
    };
    expect(kernelOf('1:2', [1, 0, 0, 2], true)).toBe('spmm_tf32_1x2_cuda');
    expect(kernelOf('2:4', [1, 0, 0, 2], true)).toBe('spmm_tf32_1x2_cuda');
    expect(kernelOf('2:4', [1, 2, 0, 0], true)).toBe('spmm_f32_csr_cuda');
    expect(kernelOf('1:2', [1, 0, 0, 2], false)).toBe('spmm_f32_csr_cuda');
  });

  test('copies are counted, and a run on the device makes none', async () => {
    const count = () => devices().find(({ type }) => type === 'cuda')?.cuda;
    using plan = nm.plan(options);
    using there = await toDevice(x, 'cuda');
    const before = count();
    using y = await plan.run(there);
    expect(count()).toEqual(before);
    await y.to('cpu');
    expect(count()?.downloadedBytes).toBe((before?.downloadedBytes ?? 0) + tokens * outputs * 4);
  });

  test('runs of several plans at once do not disturb each other', async () => {
    const plans = Array.from({ length: 4 }, () => nm.plan(options));
    const results = await Promise.all(plans.flatMap((plan) => [plan.run(x), plan.run(x)]));
    for (const y of results) expect(firstMismatch(y.data, expected, 0)).toBeNull();
    for (const plan of plans) plan.dispose();
  });

  test('a plan that is disposed of during a run lets it end', async () => {
    const plan = nm.plan(options);
    const running = plan.run(x);
    plan.dispose();
    expect(firstMismatch((await running).data, expected, 0)).toBeNull();
    await expect(plan.run(x)).rejects.toMatchObject({ code: 'ERR_SK_DISPOSED' });
  });

  test('an aborted signal rejects with its reason', async () => {
    using plan = nm.plan(options);
    await expect(plan.run(x, { signal: AbortSignal.abort('enough') })).rejects.toBe('enough');
  });
});
