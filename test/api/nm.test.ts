/** What nm promises on good input. */
import * as ort from 'onnxruntime-node';
import { cpu, devices, getNumThreads, kernels, nm, prune, setNumThreads } from 'sparse-kernels';
import { describe, expect, test } from 'vitest';
import { dotTolerance, firstMismatch, maxAbs } from '../reference/compare.js';
import { denseLinear, pruneBySorting } from '../reference/nm.js';
import { smallIntegers, uniform } from '../support/random.js';

const [out, inputs] = [40, 72];
const weight = { data: pruneBySorting(uniform(out * inputs, 1), out, inputs, 2, 4), dims: [out, inputs] };

describe('plan', () => {
  test('chooses the first supported kernel of the pattern', () => {
    const best = kernels().find((k) => k.supported && ['2:4', 'N:4'].includes(k.pattern));
    expect(nm.plan({ weight, pattern: '2:4' }).kernel).toBe(best?.name);
  });

  test('isa forces a kernel', () => {
    const kernel = (o: nm.PlanOptions) => nm.plan(o).kernel;
    for (const isa of cpu().isa) {
      expect(kernel({ weight, pattern: '2:4', isa, dtype: 'int8', activations: 'int8' })).toMatch(new RegExp(`_${isa}$`));
      expect(kernel({ weight, pattern: '2:4', isa })).toMatch(new RegExp(`_${isa.replace('vnni', '')}$`));
    }
  });

  test('packs 2:4 to at most 53.5 % of dense', () => {
    const n = 1024;
    const large = { data: nm.prune({ data: uniform(n * n, 2), dims: [n, n] }, { pattern: '2:4' }).data, dims: [n, n] };
    const { bytes } = nm.plan({ weight: large, pattern: '2:4' });
    expect(bytes / (4 * n * n)).toBeLessThanOrEqual(0.535);
    expect(bytes / (4 * n * n)).toBeGreaterThanOrEqual(0.53125); // values and 2-bit indices cannot be less
  });

  test('copies the weight and gives it back', () => {
    const mine = { data: weight.data.slice(), dims: weight.dims };
    const plan = nm.plan({ weight: mine, pattern: '2:4' });
    mine.data.fill(7);
    expect(plan.toDense()).toEqual({ type: 'float32', data: weight.data, dims: [out, inputs] });
  });

  test('takes fewer than N non-zeros in a group', () => {
    const sparse = { data: new Float32Array(out * inputs), dims: [out, inputs] };
    sparse.data[5] = 3;
    expect(nm.plan({ weight: sparse, pattern: '2:4' }).toDense().data).toEqual(sparse.data);
  });
});

describe('rows that share their columns', () => {
  const dense = { data: uniform(32 * 60, 8), dims: [32, 60] };
  const plans = (o: object, pruned: Float32Array) => nm.plan({ weight: { data: pruned, dims: [32, 60] }, pattern: '2:4', ...o });

  test.each([
    ['nm', '2:4', 8, false, /_v(8|4)_/],
    ['nm', '1:2', 4, false, /_v4_/],
    ['nm', '3:10', 16, false, /_v(16|8|4)_/],
    ['venom', '2:8', 16, true, /_Nx8_|_2x8_/],
    ['venom', '2:10', 16, true, /_csr_/],
  ] as const)('takes what prune makes: %s %s of %i rows', (scope, pattern, rows, venom, kernel) => {
    const { weight: pruned } = prune.magnitude(dense, { scope, pattern, rows });
    const plan = plans({ pattern, rows, venom }, pruned.data);
    expect(plan.kernel).toMatch(kernel);
    expect(plan.toDense().data).toEqual(pruned.data);
    const x = uniform(5 * 60, 9);
    const expected = denseLinear({ x, weight: pruned.data, tokens: 5, inputs: 60, outputs: 32 });
    expect(firstMismatch(plan.runSync(x).data, expected, dotTolerance(60, 1, 1, 0))).toBeNull();
  });

  test.each([
    [[4, 1], /_v4_/],
    [[16, 3], /_v(16|8|4)_/],
    [[1, 16], /_csr_/],
    [[2, 2], /_csr_/],
  ] as const)('blocks of %j', (block, kernel) => {
    const data = dense.data.map((w, i) => ((Math.floor(i / 60 / block[0]) * 7 + Math.floor((i % 60) / block[1]) * 5) % 3 ? 0 : w));
    const plan = plans({ pattern: 'block', block }, data);
    expect(plan.kernel).toMatch(kernel);
    expect(plan.toDense().data).toEqual(data);
  });

  test('1:2 without shared columns is 2:4', () => {
    const data = dense.data.map((w, i) => (i % 2 ? 0 : w));
    expect(plans({ pattern: '1:2' }, data).kernel).toMatch(/_2x4_|_Nx4_/);
    data[1] = 1;
    expect(() => plans({ pattern: '1:2' }, data)).toThrow(/pattern 1:2.*group 0 of row 0 has 2/);
  });

  test('names the first band and group that break the pattern', () => {
    const data = new Float32Array(32 * 60);
    data[17 * 60 + 9] = data[18 * 60 + 10] = data[23 * 60 + 11] = 1;
    expect(() => plans({ rows: 8 }, data)).toThrow(/2 columns.*group 2 of row 16 has 3/);
    expect(plans({ rows: 4 }, data).kernel).toMatch(/_v4_/);
    data.fill(1, 0, 3);
    expect(() => plans({ pattern: '2:8', rows: 4, venom: true }, data)).toThrow(/2 non-zero weights of a row.*group 0 of row 0 has 3/);
  });
});

describe('run', () => {
  const x = { data: uniform(2 * 3 * inputs, 3), dims: [2, 3, inputs] };
  const expected = denseLinear({ x: x.data, weight: weight.data, tokens: 6, inputs, outputs: out });
  const tolerance = dotTolerance(inputs, 1, maxAbs(weight.data), 0);

  test('keeps the leading axes', async () => {
    const y = await nm.plan({ weight, pattern: '2:4' }).run(x);
    expect(y.dims).toEqual([2, 3, out]);
    expect(y.type).toBe('float32');
    expect(firstMismatch(y.data, expected, tolerance)).toBeNull();
  });

  test('run and runSync agree bit for bit', async () => {
    const plan = nm.plan({ weight, pattern: '2:4' });
    expect((await plan.run(x)).data).toEqual(plan.runSync(x).data);
  });

  test('a bare Float32Array is [tokens, in]', async () => {
    const y = await nm.plan({ weight, pattern: '2:4' }).run(x.data);
    expect(y.dims).toEqual([6, out]);
  });

  test.each(['run', 'runSync'] as const)('%s writes into out and returns it', async (method) => {
    const room = new Float32Array(6 * out + 2).fill(9);
    const target = room.subarray(1, -1);
    const y = await nm.plan({ weight, pattern: '2:4' })[method](x, { out: target });
    expect(y.data).toBe(target);
    expect(firstMismatch(target, expected, tolerance)).toBeNull();
    expect([room[0], room.at(-1)]).toEqual([9, 9]);
  });

  test('onnxruntime tensors fit as they are, and results fit onnxruntime', async () => {
    const plan = nm.plan({ weight: new ort.Tensor('float32', weight.data, weight.dims), pattern: '2:4' });
    const y = await plan.run(new ort.Tensor('float32', x.data, x.dims));
    expect(new ort.Tensor(y.type, y.data, y.dims).dims).toEqual([2, 3, out]);
    expect(firstMismatch(y.data, expected, tolerance)).toBeNull();
  });

  test('a residual: run and runSync agree, and it may be the output itself', async () => {
    const plan = nm.plan({ weight, pattern: '2:4', activation: 'gelu' });
    const residual = uniform(6 * out, 9);
    const y = await plan.run(x, { residual });
    expect(plan.runSync(x, { residual }).data).toEqual(y.data);
    const without = plan.runSync(x).data;
    expect(y.data).toEqual(without.map((v, i) => v + (residual[i] as number)));
    expect((await plan.run(x, { out: residual, residual })).data).toEqual(y.data);
  });

  test('a gated layer holds both weights', () => {
    const gate = { data: pruneBySorting(uniform(out * inputs, 5), out, inputs, 2, 4), dims: [out, inputs] };
    const plan = nm.plan({ weight, gate, pattern: '2:4', activation: 'silu' });
    expect(plan.toDense()).toEqual({ type: 'float32', data: Float32Array.of(...weight.data, ...gate.data), dims: [2 * out, inputs] });
    expect(nm.plan({ weight, pattern: '2:4' }).gated).toBe(false);
    expect(plan.gated).toBe(true);
  });

  test('bias and relu', async () => {
    const bias = uniform(out, 4);
    const y = await nm.plan({ weight, pattern: '2:4', bias: { data: bias, dims: [out] }, activation: 'relu' }).run(x);
    const want = denseLinear({ x: x.data, weight: weight.data, bias, tokens: 6, inputs, outputs: out, activation: 'relu' });
    expect(firstMismatch(y.data, want, dotTolerance(inputs, 1, maxAbs(weight.data), 1))).toBeNull();
    expect(Math.min(...y.data)).toBe(0);
  });

  test('NaN and infinity reach the outputs that read them, and no others', async () => {
    const picky = { data: new Float32Array(2 * 8), dims: [2, 8] };
    picky.data.set([1, 1, 0, 0, 1, 1, 0, 0], 0); // row 0 never keeps inputs 2 and 3
    picky.data.set([1, 0, 1, 0, 1, 1, 0, 0], 8);
    const y = nm.plan({ weight: picky, pattern: '2:4' }).runSync(Float32Array.of(1, 1, Number.NaN, Number.NaN, 1, 1, 1, 1));
    expect([...y.data]).toEqual([4, Number.NaN]);
    const relu = nm.plan({ weight: picky, pattern: '2:4', activation: 'relu' });
    expect([...relu.runSync(Float32Array.of(1, 1, Number.NaN, 1, 1, 1, 1, 1)).data]).toEqual([4, Number.NaN]);
  });

  test('no tokens give an empty result', async () => {
    const plan = nm.plan({ weight, pattern: '2:4' });
    expect(await plan.run({ data: new Float32Array(0), dims: [0, inputs] })).toEqual({
      type: 'float32',
      data: new Float32Array(0),
      dims: [0, out],
    });
    expect(plan.runSync(new Float32Array(0)).dims).toEqual([0, out]);
  });

  test('more tokens than one slice: sliced and whole runs agree', async () => {
    const [wide, tokens] = [2048, 2500]; // 20 MB of x: three slices
    const w = { data: nm.prune({ data: smallIntegers(16 * wide, 5), dims: [16, wide] }, { pattern: '1:8' }).data, dims: [16, wide] };
    const plan = nm.plan({ weight: w, pattern: '1:8' });
    const many = smallIntegers(tokens * wide, 6);
    const target = new Float32Array(tokens * 16);
    expect((await plan.run(many, { out: target })).data).toEqual(plan.runSync(many).data);
    expect((await plan.run(many)).data).toEqual(target);
  });
});

describe('reproducible', () => {
  const wide = { data: nm.prune({ data: uniform(300 * 520, 7), dims: [300, 520] }, { pattern: '2:4' }).data, dims: [300, 520] };
  const x = uniform(150 * 520, 8);

  test.each([...cpu().isa, 'scalar16' as const])('%s: a row does not depend on the others, their number or the threads', (isa) => {
    const whole = nm.plan({ weight: wide, pattern: '2:4', isa }).runSync(x).data;
    for (const threads of [1, 2, 3]) {
      expect(nm.plan({ weight: wide, pattern: '2:4', isa, threads, tokens: threads * 50 }).runSync(x).data).toEqual(whole);
    }
    const plan = nm.plan({ weight: wide, pattern: '2:4', isa });
    for (const [first, tokens] of [
      [0, 1],
      [3, 2],
      [10, 3],
      [20, 4],
      [33, 7],
      [50, 9],
      [60, 31],
      [81, 64],
    ] as const) {
      const rows = plan.runSync(x.subarray(first * 520, (first + tokens) * 520)).data;
      expect(rows).toEqual(whole.subarray(first * 300, (first + tokens) * 300));
    }
  });
});

describe('machine', () => {
  test('cpu', () => {
    const info = cpu();
    expect(info.isa.at(-1)).toBe('scalar');
    expect(info.physicalCores).toBeGreaterThanOrEqual(1);
    expect(info.model.length).toBeGreaterThan(0);
  });

  test('devices says what CUDA device there is, or why there is none', () => {
    const [cpuDevice, cuda, ...others] = devices();
    expect([cpuDevice, others]).toEqual([{ type: 'cpu', available: true }, []]);
    const expected = cuda?.available ? { cuda: { name: expect.any(String) } } : { reason: expect.stringContaining('CUDA') };
    expect(cuda).toMatchObject({ type: 'cuda', ...expected });
  });

  test('setNumThreads', () => {
    const before = getNumThreads();
    setNumThreads(3);
    expect(getNumThreads()).toBe(3);
    setNumThreads(before);
  });
});
