/** The raw addon trusts nobody either: what lib/ checks for meaning, native/napi checks again for memory safety. */
import { expect, test } from 'vitest';
import { native } from '../../lib/native.js';
import { allocateLines } from '../../lib/tensor.js';
import type { NativeSpmmOptions } from '../../types/native.js';

const options: NativeSpmmOptions = {
  weight: Float32Array.of(1, 0, 2, 0, 0, 3, 0, 4),
  type: 0,
  values: 0,
  scale: undefined,
  out: 2,
  in: 4,
  n: 2,
  m: 4,
  bias: undefined,
  activation: 0,
  isa: '',
  tokens: 1,
  threads: 0,
};
const sampled = { tokens: 1, out: 2, in: 4, isa: '', threads: 0 };
const make = (change: object) => new native.SpmmPlan({ ...options, ...change });
const plan = make({});
const detached = new Float32Array(4);
structuredClone(detached.buffer, { transfer: [detached.buffer] });

test.each<[string, () => unknown, string]>([
  ['weight one element short', () => make({ weight: new Float32Array(7) }), 'ERR_SK_SHAPE'],
  ['weight one element long', () => make({ weight: new Float32Array(9) }), 'ERR_SK_SHAPE'],
  ['weight size that overflows', () => make({ out: 2 ** 48, in: 2 ** 48 }), 'ERR_SK_SHAPE'],
  ['out 0', () => make({ out: 0 }), 'ERR_SK_OPTION'],
  ['fractional in', () => make({ in: 1.5 }), 'ERR_SK_OPTION'],
  ['NaN in', () => make({ in: Number.NaN }), 'ERR_SK_OPTION'],
  ['pattern 4:4', () => make({ n: 4 }), 'ERR_SK_PATTERN'],
  ['pattern 0:4', () => make({ n: 0 }), 'ERR_SK_PATTERN'],
  ['pattern 1:0', () => make({ n: 1, m: 0 }), 'ERR_SK_PATTERN'],
  ['gate one element short', () => make({ gate: new Float32Array(7) }), 'ERR_SK_SHAPE'],
  ['gate of another class', () => make({ gate: new Uint16Array(8) }), 'ERR_SK_TYPE'],
  ['bias of the gate too short', () => make({ gate: new Float32Array(8), gateBias: new Float32Array(1) }), 'ERR_SK_SHAPE'],
  ['a scale of the gate alone', () => make({ gate: new Float32Array(8), gateScale: new Float32Array(2) }), 'ERR_SK_VALUE'],
  [
    'residual one element short',
    () => plan.runSync(new Float32Array(4), 0, 1, new Float32Array(2), 0, new Float32Array(1)),
    'ERR_SK_SHAPE',
  ],
  ['residual of another type', () => plan.runSync(new Float32Array(4), 0, 1, new Float32Array(2), 0, new Uint16Array(2)), 'ERR_SK_TYPE'],
  [
    'asynchronous residual one element long',
    () => plan.run(new Float32Array(4), 0, 1, new Float32Array(2), 0, true, undefined, new Float32Array(3)),
    'ERR_SK_SHAPE',
  ],
  ['pattern 2:5', () => make({ m: 5 }), 'ERR_SK_PATTERN'],
  ['pattern 2:64', () => make({ m: 64 }), 'ERR_SK_PATTERN'],
  ['unknown activation', () => make({ activation: 5 }), 'ERR_SK_OPTION'],
  ['unknown isa', () => make({ isa: 'mmx' }), 'ERR_SK_ISA'],
  ['unknown type of weight', () => make({ type: 4 }), 'ERR_SK_OPTION'],
  ['unknown type of values', () => make({ values: -1 }), 'ERR_SK_OPTION'],
  ['float16 weight in a Float32Array', () => make({ type: 1 }), 'ERR_SK_TYPE'],
  ['int8 weight without a scale', () => make({ weight: new Int8Array(8), type: 3, values: 3 }), 'ERR_SK_VALUE'],
  ['int8 weight to be stored as float32', () => make({ weight: new Int8Array(8), type: 3, scale: new Float32Array(2) }), 'ERR_SK_VALUE'],
  ['a scale for a float32 weight', () => make({ scale: new Float32Array(2) }), 'ERR_SK_VALUE'],
  ['scale too short', () => make({ weight: new Int8Array(8), type: 3, values: 3, scale: new Float32Array(1) }), 'ERR_SK_SHAPE'],
  ['int8 x', () => plan.runSync(new Int8Array(4), 3, 1, new Float32Array(2), 0), 'ERR_SK_TYPE'],
  ['int8 out', () => plan.runSync(new Float32Array(4), 0, 1, new Int8Array(2), 3), 'ERR_SK_TYPE'],
  ['float16 x one element short', () => plan.runSync(new Uint16Array(3), 1, 1, new Float32Array(2), 0), 'ERR_SK_SHAPE'],
  ['bfloat16 out one element short', () => plan.runSync(new Float32Array(4), 0, 1, new Uint16Array(1), 2), 'ERR_SK_SHAPE'],
  ['bias too short', () => make({ bias: new Float32Array(1) }), 'ERR_SK_SHAPE'],
  ['shared weight', () => make({ weight: new Float32Array(new SharedArrayBuffer(32)) }), 'ERR_SK_BUFFER'],
  ['weight of another class', () => make({ weight: new Int32Array(8) }), 'ERR_SK_TYPE'],
  ['x one element short', () => plan.runSync(new Float32Array(3), 0, 1, new Float32Array(2), 0), 'ERR_SK_SHAPE'],
  ['x one element long', () => plan.runSync(new Float32Array(5), 0, 1, new Float32Array(2), 0), 'ERR_SK_SHAPE'],
  ['y one element short', () => plan.runSync(new Float32Array(4), 0, 1, new Float32Array(1), 0), 'ERR_SK_SHAPE'],
  ['y one element long', () => plan.runSync(new Float32Array(4), 0, 1, new Float32Array(3), 0), 'ERR_SK_SHAPE'],
  ['more tokens than x holds', () => plan.runSync(new Float32Array(4), 0, 2, new Float32Array(4), 0), 'ERR_SK_SHAPE'],
  ['tokens that overflow', () => plan.runSync(new Float32Array(4), 0, 2 ** 48, new Float32Array(4), 0), 'ERR_SK_SHAPE'],
  ['negative tokens', () => plan.runSync(new Float32Array(4), 0, -1, new Float32Array(2), 0), 'ERR_SK_OPTION'],
  ['detached x', () => plan.runSync(detached, 0, 1, new Float32Array(2), 0), 'ERR_SK_BUFFER'],
  ['asynchronous x too short', () => plan.run(new Float32Array(3), 0, 1, new Float32Array(2), 0, true, undefined), 'ERR_SK_SHAPE'],
  ['toDense into too little room', () => plan.toDense(new Float32Array(7)), 'ERR_SK_SHAPE'],
  ['scales of a plan that has none', () => plan.scales(new Float32Array(2)), 'ERR_SK_SHAPE'],
  [
    'a mask of sddmm one element short',
    () => native.sddmm(new Float32Array(2), new Float32Array(4), new Uint8Array(7), sampled, new Float32Array(8), undefined),
    'ERR_SK_SHAPE',
  ],
  [
    'fewer tokens of sddmm than it is told',
    () => native.sddmm(new Float32Array(2), new Float32Array(3), new Uint8Array(8), sampled, new Float32Array(8), undefined),
    'ERR_SK_SHAPE',
  ],
  ['threads 0', () => native.setNumThreads(0), 'ERR_SK_OPTION'],
  [
    'a cancel token of another class',
    () => plan.run(new Float32Array(4), 0, 1, new Float32Array(2), 0, true, plan as never),
    'ERR_SK_TYPE',
  ],
  ['no options', () => new native.SpmmPlan(undefined as never), 'ERR_SK_TYPE'],
])('%s', (_, call, code) => {
  expect(call).toThrow(expect.objectContaining({ code }));
});

test('use after dispose', () => {
  const disposed = make({});
  disposed.dispose();
  disposed.dispose();
  const code = expect.objectContaining({ code: 'ERR_SK_DISPOSED' });
  expect(() => disposed.runSync(new Float32Array(4), 0, 1, new Float32Array(2), 0)).toThrow(code);
  expect(() => disposed.run(new Float32Array(4), 0, 1, new Float32Array(2), 0, true, undefined)).toThrow(code);
  expect(() => disposed.toDense(new Float32Array(8))).toThrow(code);
  expect(() => disposed.kernel).toThrow(code);
  expect(() => disposed.bytes).toThrow(code);
});

test('methods refuse a foreign receiver', () => {
  const { runSync } = native.SpmmPlan.prototype;
  for (const receiver of [{}, new native.CancelToken(), undefined, native]) {
    expect(() => runSync.call(receiver as never, new Float32Array(4), 0, 1, new Float32Array(2), 0)).toThrow(TypeError);
  }
});

test('the constructor needs new', () => {
  expect(() => (native.SpmmPlan as unknown as (o: object) => void)(options)).toThrow();
});

test('arrays say where in a cache line they begin, and rows of summaries begin with one', () => {
  const array = new Float32Array(64);
  const offset = native.lineOffset(array);
  expect(offset % 4).toBe(0);
  for (const i of [1, 7, 16]) expect(native.lineOffset(array.subarray(i))).toBe((offset + 4 * i) % 64);
  for (const length of [1, 100, 3_000_000]) {
    const lines = allocateLines('float32', length, 'the numbers');
    expect([lines.length, native.lineOffset(lines)]).toEqual([length, 0]);
  }
});
