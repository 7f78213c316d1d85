/** 4-bit weights: what the parity tests, which run every kernel, do not say. */
import { nm, type TensorLike } from 'sparse-kernels';
import { describe, expect, test } from 'vitest';
import { uniform } from '../support/random.js';

const [out, inputs] = [2, 32];
/** 2:4, and groups of 16 of which the second of row 0 is dropped. */
const weight = of(Float32Array.from({ length: out * inputs }, (_, i) => (i % 4 < 2 && (i < 16 || i >= inputs) ? (i % 7) - 3 : 0)));
const x = uniform(3 * inputs, 1);
const groups = { dtype: 'int4', pattern: 'block', block: [1, 16] } as const;

function of(data: Float32Array | Int8Array): TensorLike {
  return { data, dims: [out, inputs] };
}

describe('quantising', () => {
  test.each([16, 32, 64, 128] as const)('symmetric, groups of %i: half a step, of 7.5 to the largest magnitude', (groupSize) => {
    // a scale of float16 is off by 2^-11, 7.5 times
    const data = Float32Array.from({ length: inputs }, (_, i) => (i % 4 === 0 ? i - 14 : 0)); // -14 .. 14
    const { data: held } = nm.plan({ weight: { data, dims: [1, inputs] }, dtype: 'int4', groupSize, pattern: '2:4' }).toDense();
    const step = (first: number, end: number) => Math.max(...data.subarray(first, end).map(Math.abs)) / 7.5;
    for (let i = 0; i < inputs; i++) {
      const of = groupSize === 16 ? step(i < 16 ? 0 : 16, i < 16 ? 16 : 32) : step(0, 32);
      expect(Math.abs((held[i] as number) - (data[i] as number))).toBeLessThanOrEqual(of * 0.504);
    }
  });
  test('zero points: 16 steps from the least to the largest weight', () => {
    const data = Float32Array.from({ length: 16 }, (_, i) => i - 3); // -3 .. 12
    const plan = (zeroPoint: boolean) => nm.plan({ ...groups, weight: { data, dims: [1, 16] }, zeroPoint });
    expect(plan(true).toDense().data).toEqual(data);
    expect(plan(false).toDense().data).not.toEqual(data);
    expect(plan(true).runSync(new Float32Array(16).fill(1)).data).toEqual(Float32Array.of(72));
  });
  test('a scale that float16 rounds to 0 keeps weights near 0', () => {
    const tiny = of(Float32Array.from({ length: out * inputs }, () => 1e-9));
    expect(
      nm
        .plan({ ...groups, weight: tiny })
        .runSync(x)
        .data.every((y) => Math.abs(y) < 1e-6),
    ).toBe(true);
  });
  test('a group of zeros, and one of a weight alone', () => {
    const data = new Float32Array(out * inputs);
    data[20] = -5;
    const held = nm.plan({ weight: of(data), dtype: 'int4', groupSize: 16, pattern: '2:4' }).toDense().data;
    expect(held[20]).toBeCloseTo(-5, 0);
    expect(held.filter((w) => w !== 0)).toHaveLength(1);
    expect(nm.plan({ weight: of(data), dtype: 'int4', groupSize: 16, pattern: '1:2' }).toDense().data).toEqual(held);
  });
});

describe('given steps and scales', () => {
  const steps = Int8Array.from({ length: out * inputs }, (_, i) => (i % 4 < 2 ? (i % 16) - 8 : 0)); // -8 .. 5
  test('the weight is scale times step', () => {
    const scale = { data: Float32Array.of(0.5, 2, 0.25, 1), dims: [2, 2] };
    const plan = nm.plan({ weight: of(steps), dtype: 'int4', groupSize: 16, scale, pattern: '2:4' });
    expect(plan.toDense().data).toEqual(Float32Array.from(steps, (q, i) => q * (scale.data[Math.floor(i / 16)] as number)));
    expect(plan.kernel).toMatch(/_i4_2x4_/);
  });
  test('any 16 steps in succession with a zero point', () => {
    const scale = new Float32Array(4).fill(1);
    const shifted = Int8Array.from(steps, (q) => (q === 0 ? 0 : q + 8)); // 0 .. 15
    const plan = nm.plan({ ...groups, weight: of(shifted), scale, zeroPoint: true });
    expect(plan.toDense().data).toEqual(Float32Array.from(shifted));
    expect(() => nm.plan({ ...groups, weight: of(shifted), scale })).toThrow(
      expect.objectContaining({ code: 'ERR_SK_VALUE', message: expect.stringMatching(/-8 \.\. 7 .*row 0, input 0.* 0 \.\. 13/) }),
    );
    const wide = shifted.slice();
    wide[3] = -1;
    wide[4] = 15;
    expect(() => nm.plan({ ...groups, weight: of(wide), scale, zeroPoint: true })).toThrow(
      expect.objectContaining({ code: 'ERR_SK_VALUE', message: expect.stringMatching(/at most 15 steps.*-1 \.\. 15/) }),
    );
  });
  test('a gate has scales of its own', () => {
    const scale = new Float32Array(4).fill(1);
    const plan = nm.plan({ ...groups, weight: of(steps), scale, gate: of(steps), gateScale: scale.map((s) => 2 * s) });
    const dense = plan.toDense().data;
    expect(dense.subarray(out * inputs)).toEqual(dense.subarray(0, out * inputs).map((w) => 2 * w));
  });
});

test('bytes', () => {
  const dense = { data: uniform(1024 * 1024, 2), dims: [1024, 1024] };
  const pruned = nm.prune(dense, { pattern: '2:4' });
  const all = 1024 * 1024 + 1024 * 64; // bytes of two weights each, and a little
  expect(nm.plan({ weight: pruned, pattern: '2:4', dtype: 'int4' }).bytes).toBeLessThan(all * (3.5 / 8));
  const half = dense.data.map((w, i) => ((i >> 4) % 2 ? w : 0));
  expect(nm.plan({ ...groups, weight: { ...dense, data: half } }).bytes).toBeLessThan(all * (3 / 8));
});

test('NaN and infinity of x stay with their token; a dropped group meets none', () => {
  const bad = x.slice();
  bad[20] = Number.NaN; // row 0 has no weights there
  bad[inputs + 1] = Number.POSITIVE_INFINITY;
  const [plain, with2] = [nm.plan({ ...groups, weight }).runSync(x).data, nm.plan({ ...groups, weight }).runSync(bad).data];
  expect(with2[0]).toBe(plain[0]);
  expect(with2[1]).toBeNaN();
  expect(with2.subarray(4)).toEqual(plain.subarray(4));
});

describe('int8 activations', () => {
  const one = { weight: { data: Float32Array.from({ length: 34 }, (_, i) => Number(i % 4 < 2)), dims: [1, 34] }, dtype: 'int4' } as const;
  const ofOnes = { scale: new Float32Array(3).fill(1), weight: { ...one.weight, data: Int8Array.from(one.weight.data) } };
  const twoOfFour = nm.plan({ ...one, ...ofOnes, groupSize: 16, pattern: '2:4', activations: 'int8' });
  const rows = nm.plan({ ...one, ...ofOnes, pattern: 'block', block: [1, 16], activations: 'int8' });
  test.each([twoOfFour, rows])('x in steps of 1/127 of the largest of its group', (layer) => {
    const given = new Float32Array(34).fill(0.5);
    given[0] = 127; // 0.5 is 0 steps here, to even
    given[16] = -63.5; // and 1 of 0.5 here
    expect(layer.runSync(given).data).toEqual(Float32Array.of(127 + (-63.5 + 7 * 0.5) + 2 * 0.5));
    expect(layer.kernel).toMatch(layer === rows ? /_w4a8_groups_/ : /_w4a8_2x4_/);
    expect(layer.runSync(new Float32Array(34)).data).toEqual(Float32Array.of(0));
  });
  test('NaN and infinity stay with their token; a dropped group meets none', () => {
    const layer = nm.plan({ ...groups, weight, activations: 'int8' });
    const bad = x.slice();
    bad[20] = Number.NaN; // row 0 has no weights there
    bad[inputs + 1] = Number.NEGATIVE_INFINITY;
    const [plain, with2] = [layer.runSync(x).data, layer.runSync(bad).data];
    expect(with2[0]).toBe(plain[0]);
    expect([...with2.subarray(1, 4)]).toEqual([Number.NaN, Number.NaN, Number.NaN]);
    expect(with2.subarray(4)).toEqual(plain.subarray(4));
    expect(nm.plan({ weight, dtype: 'int4', pattern: '2:4', activations: 'int8' }).runSync(bad).data.filter(Number.isNaN)).toHaveLength(4);
  });
  test('a token alone and among others: the same bits', () => {
    for (const layer of [
      nm.plan({ ...groups, weight, activations: 'int8' }),
      nm.plan({ weight, dtype: 'int4', pattern: '2:4', activations: 'int8' }),
    ])
      for (let t = 0; t < 3; t++) {
        const alone = layer.runSync(x.subarray(t * inputs, (t + 1) * inputs)).data;
        expect(layer.runSync(x).data.subarray(t * out, (t + 1) * out)).toEqual(alone);
      }
  });
  test('more inputs than a block of the kernel has', () => {
    const long = 4096 + 100;
    const data = Int8Array.from({ length: 9 * long }, (_, i) => ((i % long) % 4 < 2 ? (i % 15) - 7 : 0));
    const given = Float32Array.from({ length: 5 * long }, (_, i) => ((i % long) % 32 ? (i % 11) - 5 : 127));
    const scale = new Float32Array(9 * Math.ceil(long / 32)).fill(1);
    const layer = nm.plan({ weight: { data, dims: [9, long] }, scale, dtype: 'int4', pattern: '2:4', activations: 'int8' });
    const sum = (t: number, o: number) =>
      data.subarray(o * long, (o + 1) * long).reduce((s, w, i) => s + w * (given[t * long + i] as number), 0);
    expect(layer.runSync(given).data).toEqual(Float32Array.from({ length: 45 }, (_, i) => sum(Math.floor(i / 9), i % 9)));
  });
  test('run() gives what runSync() gives, and a plan in bytes keeps them', async () => {
    const y = twoOfFour.runSync(uniform(34 * 9, 3));
    expect(await twoOfFour.run(uniform(34 * 9, 3))).toEqual(y);
    const again = nm.deserialize(twoOfFour.serialize());
    expect([again.kernel, again.runSync(uniform(34 * 9, 3))]).toEqual([twoOfFour.kernel, y]);
  });
});

const plan = (o: object) => () => nm.plan({ weight, pattern: '2:4', dtype: 'int4', ...o });
const with20 = (value: number) => of(Float32Array.from({ length: out * inputs }, (_, i) => (i === 36 ? value : 0)));
const int8 = of(new Int8Array(out * inputs));
test.each<[string, () => unknown, string, RegExp]>([
  ['a group size between', plan({ groupSize: 48 }), 'ERR_SK_OPTION', /groupSize to be 16, 32, 64 or 128 but received 48/],
  ['a group size that is no number', plan({ groupSize: '32' }), 'ERR_SK_OPTION', /received '32'/],
  ['a zero point that is no boolean', plan({ zeroPoint: 8 }), 'ERR_SK_TYPE', /zeroPoint to be a boolean/],
  ['a group size of float32', plan({ dtype: 'float32', groupSize: 32 }), 'ERR_SK_OPTION', /only with dtype int4/],
  ['zero points of int8', plan({ dtype: 'int8', zeroPoint: true }), 'ERR_SK_OPTION', /only with dtype int4/],
  ['another pattern', plan({ pattern: '4:8' }), 'ERR_SK_OPTION', /'2:4' or '1:2' without rows.*received '4:8'/],
  ['unstructured', plan({ pattern: 'unstructured' }), 'ERR_SK_OPTION', /received 'unstructured'/],
  ['rows', plan({ rows: 4 }), 'ERR_SK_OPTION', /without rows/],
  ['blocks of rows', plan({ pattern: 'block', block: [4, 32] }), 'ERR_SK_OPTION', /of \[1, 32\].*received a block of \[4, 32\]/],
  ['blocks that are no groups', plan({ pattern: 'block', block: [1, 16], groupSize: 32 }), 'ERR_SK_OPTION', /a block of \[1, 16\]/],
  ['blocks of 8', plan({ pattern: 'block', block: [1, 8] }), 'ERR_SK_OPTION', /groupSize to be .* received 8/],
  ['unknown activations', plan({ activations: 'int4' }), 'ERR_SK_OPTION', /activations to be one of float, int8/],
  ['int8 activations, rows', plan({ activations: 'int8', rows: 4 }), 'ERR_SK_OPTION', /without rows/],
  ['groups of 16 on a device', plan({ device: 'cuda', groupSize: 16 }), 'ERR_SK_OPTION', /groupSize 32, 64 or 128 .* received 16/],
  ['blocks on a device', plan({ pattern: 'block', block: [1, 32], device: 'cuda' }), 'ERR_SK_OPTION', /'2:4' or '1:2' .* received 'block'/],
  ['int8 activations on a device', plan({ device: 'cuda', activations: 'int8' }), 'ERR_SK_OPTION', /activations 'float' .*'cuda'/],
  ['a scale for each output alone', plan({ weight: int8, groupSize: 16, scale: new Float32Array(2) }), 'ERR_SK_SHAPE', /hold 4 elements/],
  ['a scale of float weights', plan({ scale: new Float32Array(2) }), 'ERR_SK_OPTION', /only with an int8 weight/],
  ['a scale beyond float16', plan({ weight: int8, scale: Float32Array.of(1, 1e6) }), 'ERR_SK_VALUE', /scales that float16 can hold.*row 1/],
  ['a scale of NaN', plan({ weight: int8, scale: Float32Array.of(Number.NaN, 1) }), 'ERR_SK_VALUE', /row 0, input 0/],
  ['weights beyond float16 scales', plan({ weight: with20(6e5) }), 'ERR_SK_VALUE', /row 1, input 0/],
  ['NaN', plan({ weight: with20(Number.NaN) }), 'ERR_SK_VALUE', /row 1, input 4 is NaN or infinite/],
  ['infinity', plan({ ...groups, weight: with20(Number.NEGATIVE_INFINITY) }), 'ERR_SK_VALUE', /row 1, input 4/],
  ['a weight that is not 2:4', plan({ weight: of(new Float32Array(out * inputs).fill(1)) }), 'ERR_SK_SPARSITY', /row 0, group 0/],
])('%s', (_, call, code, message) => {
  expect(call).toThrow(expect.objectContaining({ code, message: expect.stringMatching(message) }));
});
