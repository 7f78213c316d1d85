/** Bad input: a named error with a stable code, what was expected and what came; never a crash or a wrong answer. */
import { cpu, type Isa, nm, SparseKernelsError, setNumThreads } from 'sparse-kernels';
import { describe, expect, test } from 'vitest';
import { type ErrorRow, expectErrors } from '../support/errors.js';

const weight = { data: Float32Array.of(1, 0, 2, 0, 0, 3, 0, 4), dims: [2, 4] };
const plan = nm.plan({ weight, pattern: '2:4' });
const x = new Float32Array(8);
const tensor = (data: unknown, dims: unknown, type?: string) => ({ data, dims, type }) as never;

function detached(length: number): Float32Array {
  const array = new Float32Array(length);
  structuredClone(array.buffer, { transfer: [array.buffer] });
  return array;
}

function resizable(length: number): Float32Array {
  return new Float32Array(new ArrayBuffer(length * 4, { maxByteLength: length * 8 }));
}

const rows: ErrorRow[] = [
  // the tensor arguments
  [
    'x of the wrong inner size',
    () => plan.runSync(tensor(new Float32Array(6), [2, 3])),
    RangeError,
    'ERR_SK_SHAPE',
    /\[\.\.\., 4\].*\[2, 3\]/,
  ],
  ['bare x that is not a multiple', () => plan.runSync(new Float32Array(7)), RangeError, 'ERR_SK_SHAPE', /multiple of 4 .* 7/],
  ['one element too few', () => plan.runSync(tensor(new Float32Array(7), [2, 4])), RangeError, 'ERR_SK_SHAPE', /8 elements.*7/],
  ['one element too many', () => plan.runSync(tensor(new Float32Array(9), [2, 4])), RangeError, 'ERR_SK_SHAPE', /8 elements.*9/],
  ['x of rank 0', () => plan.runSync(tensor(new Float32Array(1), [])), RangeError, 'ERR_SK_SHAPE', /\[\.\.\., 4\]/],
  ['NaN in dims', () => plan.runSync(tensor(x, [Number.NaN, 4])), RangeError, 'ERR_SK_SHAPE', /NaN/],
  ['negative dim', () => plan.runSync(tensor(x, [-2, 4])), RangeError, 'ERR_SK_SHAPE', /-2/],
  ['fractional dim', () => plan.runSync(tensor(x, [0.5, 4])), RangeError, 'ERR_SK_SHAPE', /0\.5/],
  ['dims beyond 2^53', () => plan.runSync(tensor(x, [2 ** 40, 2 ** 40, 4])), RangeError, 'ERR_SK_SHAPE', /2\^53/],
  ['dims beyond 2^31 without the data', () => plan.runSync(tensor(x, [2 ** 31, 4])), RangeError, 'ERR_SK_SHAPE', /8589934592 elements.*8/],
  ['dims that are no array', () => plan.runSync(tensor(x, 8)), TypeError, 'ERR_SK_TYPE', /dims to be an array.*8/],
  ['x that is an Array', () => plan.runSync([1, 2, 3, 4] as never), TypeError, 'ERR_SK_TYPE', /Float32Array.*\[1, 2, 3, 4\]/],
  ['no x', () => plan.runSync(undefined as never), TypeError, 'ERR_SK_TYPE', /undefined/],
  ['x that is null', () => plan.runSync(null as never), TypeError, 'ERR_SK_TYPE', /null/],
  ['Float64Array', () => plan.runSync(tensor(new Float64Array(8), [2, 4])), TypeError, 'ERR_SK_DTYPE', /float64 in a Float64Array/],
  ['bare Float64Array', () => plan.runSync(new Float64Array(8) as never), TypeError, 'ERR_SK_TYPE', /Float32Array/],
  ['int8', () => plan.runSync(tensor(new Int8Array(8), [2, 4])), TypeError, 'ERR_SK_DTYPE', /int8 in a Int8Array/],
  ['type and class disagree', () => plan.runSync(tensor(x, [2, 4], 'int8')), TypeError, 'ERR_SK_DTYPE', /int8 in a Float32Array/],
  ['float32 in a Uint8Array', () => plan.runSync(tensor(new Uint8Array(8), [2, 4], 'float32')), TypeError, 'ERR_SK_DTYPE', /Uint8Array/],
  ['DataView', () => plan.runSync(tensor(new DataView(x.buffer), [2, 4])), TypeError, 'ERR_SK_TYPE', /DataView/],
  ['a tensor on the GPU', () => plan.runSync({ data: x, dims: [2, 4], location: 'gpu-buffer' }), TypeError, 'ERR_SK_TYPE', /gpu-buffer/],
  ['shared x', () => plan.runSync(new Float32Array(new SharedArrayBuffer(32)) as never), TypeError, 'ERR_SK_BUFFER', /SharedArrayBuffer/],
  ['detached x', () => plan.runSync(tensor(detached(8), [2, 4])), TypeError, 'ERR_SK_BUFFER', /detached/],
  ['bare detached x', () => plan.runSync(detached(8)), TypeError, 'ERR_SK_BUFFER', /detached/],
  ['resizable x', () => plan.runSync(resizable(8)), TypeError, 'ERR_SK_BUFFER', /resizable/],
  // out
  ['out too short', () => plan.runSync(x, { out: new Float32Array(3) }), RangeError, 'ERR_SK_SHAPE', /2 x 2 .* 3/],
  ['out too long', () => plan.runSync(x, { out: new Float32Array(5) }), RangeError, 'ERR_SK_SHAPE', /2 x 2 .* 5/],
  ['out of another class', () => plan.runSync(x, { out: new Float64Array(4) as never }), TypeError, 'ERR_SK_TYPE', /Float32Array/],
  ['detached out', () => plan.runSync(x, { out: detached(4) }), TypeError, 'ERR_SK_BUFFER', /detached/],
  ['shared out', () => plan.runSync(x, { out: new Float32Array(new SharedArrayBuffer(16)) }), TypeError, 'ERR_SK_BUFFER', /Shared/],
  ['out is x', () => plan.runSync(x, { out: x.subarray(0, 4) }), RangeError, 'ERR_SK_OVERLAP', /share memory/],
  [
    'out overlaps x by one element',
    () => plan.runSync(new Float32Array(x.buffer, 0, 4), { out: x.subarray(3, 5) }),
    RangeError,
    'ERR_SK_OVERLAP',
    /share/,
  ],
  ['residual one element short', () => plan.runSync(x, { residual: new Float32Array(3) }), RangeError, 'ERR_SK_SHAPE', /residual.*4.*3/],
  [
    'float16 residual of a float32 result',
    () => plan.runSync(x, { residual: { data: new Uint16Array(4), dims: [4] } }),
    TypeError,
    'ERR_SK_DTYPE',
    /residual.*float16/,
  ],
  [
    'residual that overlaps out by one element',
    () => {
      const both = new Float32Array(5);
      plan.runSync(x, { out: both.subarray(0, 4), residual: both.subarray(1) });
    },
    RangeError,
    'ERR_SK_OVERLAP',
    /residual.*out itself/,
  ],
  ['misspelt run option', () => plan.runSync(x, { output: x } as never), RangeError, 'ERR_SK_OPTION', /'output'/],
  // the plan
  ['weight of rank 1', () => nm.plan({ weight: { data: x, dims: [8] }, pattern: '2:4' }), RangeError, 'ERR_SK_SHAPE', /\[out, in\].*\[8\]/],
  ['weight of rank 3', () => nm.plan({ weight: { data: x, dims: [2, 2, 2] }, pattern: '2:4' }), RangeError, 'ERR_SK_SHAPE', /\[2, 2, 2\]/],
  [
    'empty weight',
    () => nm.plan({ weight: { data: new Float32Array(0), dims: [0, 4] }, pattern: '2:4' }),
    RangeError,
    'ERR_SK_SHAPE',
    /\[0, 4\]/,
  ],
  ['no weight', () => nm.plan({ pattern: '2:4' } as never), TypeError, 'ERR_SK_TYPE', /weight/],
  ['no options', () => nm.plan(undefined as never), TypeError, 'ERR_SK_TYPE', /options/],
  ['bare weight', () => nm.plan({ weight: x as never, pattern: '2:4' }), TypeError, 'ERR_SK_TYPE', /\{ data, dims \}/],
  ['bias too short', () => nm.plan({ weight, pattern: '2:4', bias: new Float32Array(1) }), RangeError, 'ERR_SK_SHAPE', /bias .*2.*1/],
  ['bias too long', () => nm.plan({ weight, pattern: '2:4', bias: new Float32Array(3) }), RangeError, 'ERR_SK_SHAPE', /bias/],
  ['bias null', () => nm.plan({ weight, pattern: '2:4', bias: null as never }), TypeError, 'ERR_SK_TYPE', /bias.*null/],
  [
    'unknown activation',
    () => nm.plan({ weight, pattern: '2:4', activation: 'rleu' as never }),
    RangeError,
    'ERR_SK_OPTION',
    /none, relu.*'rleu'/,
  ],
  [
    'gate of another shape',
    () => nm.plan({ weight, gate: { data: x, dims: [4, 2] }, pattern: '2:4' }),
    RangeError,
    'ERR_SK_SHAPE',
    /gate.*\[2, 4\].*\[4, 2\]/,
  ],
  ['gateBias without a gate', () => nm.plan({ weight, gateBias: x, pattern: '2:4' }), RangeError, 'ERR_SK_OPTION', /only with a gate/],
  [
    'a gate that breaks the pattern',
    () => nm.plan({ weight, gate: { data: new Float32Array(8).fill(1), dims: [2, 4] }, pattern: '2:4' }),
    SparseKernelsError,
    'ERR_SK_SPARSITY',
    /row 0 of the gate, group 0/,
  ],
  ['zero tokens expected', () => nm.plan({ weight, pattern: '2:4', tokens: 0 }), RangeError, 'ERR_SK_OPTION', /tokens.*0/],
  ['NaN threads', () => nm.plan({ weight, pattern: '2:4', threads: Number.NaN }), RangeError, 'ERR_SK_OPTION', /threads.*NaN/],
  ['threads as a string', () => nm.plan({ weight, pattern: '2:4', threads: '2' as never }), TypeError, 'ERR_SK_TYPE', /threads.*'2'/],
  ['too many threads', () => nm.plan({ weight, pattern: '2:4', threads: 1025 }), RangeError, 'ERR_SK_OPTION', /1024.*1025/],
  ['unknown isa', () => nm.plan({ weight, pattern: '2:4', isa: 'sse2' as never }), RangeError, 'ERR_SK_OPTION', /avx2.*'sse2'/],
  ['misspelt plan option', () => nm.plan({ weight, pattern: '2:4', patern: '2:4' } as never), RangeError, 'ERR_SK_OPTION', /'patern'/],
  ...['2:5', '0:4', '4:4', '5:4', '2:64', '32:32', '2-4', '', ' 2:4', '2:4 ', '1e0:4', '02:4'].map(
    (pattern): ErrorRow => [
      `pattern '${pattern}'`,
      () => nm.plan({ weight, pattern: pattern as never }),
      RangeError,
      'ERR_SK_PATTERN',
      /N:M/,
    ],
  ),
  ['rows with zeros anywhere', () => nm.plan({ weight, pattern: 'unstructured', rows: 4 }), RangeError, 'ERR_SK_OPTION', /rows.*N:M/],
  ['no rows', () => nm.plan({ weight, pattern: '2:4', rows: 0 }), RangeError, 'ERR_SK_OPTION', /rows.*0/],
  ['M of 257', () => nm.plan({ weight, pattern: '2:257', rows: 4 }), RangeError, 'ERR_SK_PATTERN', /256/],
  ['venom 5:8', () => nm.plan({ weight, pattern: '5:8', rows: 4, venom: true }), RangeError, 'ERR_SK_PATTERN', /N <= 4/],
  ['a block without its size', () => nm.plan({ weight, pattern: 'block' }), RangeError, 'ERR_SK_OPTION', /exactly if/],
  ['a size of blocks for 2:4', () => nm.plan({ weight, pattern: '2:4', block: [4, 1] }), RangeError, 'ERR_SK_OPTION', /exactly if/],
  ['a block of no rows', () => nm.plan({ weight, pattern: 'block', block: [0, 1] }), RangeError, 'ERR_SK_OPTION', /block\[0\]/],
  ['pattern of another type', () => nm.plan({ weight, pattern: 24 as never }), TypeError, 'ERR_SK_TYPE', /pattern.*24/],
  ['prune without a pattern', () => nm.prune(weight, {} as never), TypeError, 'ERR_SK_TYPE', /pattern.*undefined/],
  ['prune of rank 1', () => nm.prune({ data: x, dims: [8] }, { pattern: '2:4' }), RangeError, 'ERR_SK_SHAPE', /\[8\]/],
  // the machine
  ['no threads', () => setNumThreads(0), RangeError, 'ERR_SK_OPTION', /1 to 1024.*0/],
  ['half a thread', () => setNumThreads(1.5), RangeError, 'ERR_SK_OPTION', /1\.5/],
];

expectErrors(rows, 'errors.test.ts');

test('last valid values right beside the first invalid ones', () => {
  expect(nm.plan({ weight, pattern: '2:4', threads: 1024, tokens: 2 ** 31 }).runSync(x).dims).toEqual([2, 2]);
  expect(nm.plan({ weight, pattern: '3:4' }).kernel).toMatch(/Nx4/);
  expect(plan.runSync(new Float32Array(x.buffer, 0, 4), { out: new Float32Array(x.buffer, 16, 2) }).dims).toEqual([1, 2]);
});

describe('a weight that breaks the pattern', () => {
  test('names the first row, group and count, and what to do', () => {
    const data = new Float32Array(3 * 12);
    data.set([1, 2, 3], 1 * 12 + 8); // row 1, group 2
    data.set([1, 1, 1, 1], 2 * 12);
    const call = () => nm.plan({ weight: { data, dims: [3, 12] }, pattern: '2:4' });
    expect(call).toThrow(SparseKernelsError);
    expect(call).toThrow(
      expect.objectContaining({ code: 'ERR_SK_SPARSITY', message: expect.stringMatching(/row 1, group 2 .*has 3.*nm\.prune/) }),
    );
  });
  test('N non-zeros are fine, N + 1 are not', () => {
    expect(() => nm.plan({ weight: { data: Float32Array.of(1, 1, 0, 1), dims: [1, 4] }, pattern: '3:4' })).not.toThrow();
    expect(() => nm.plan({ weight: { data: Float32Array.of(1, 1, 0, 1), dims: [1, 4] }, pattern: '2:4' })).toThrow(/has 3/);
    expect(() => nm.plan({ weight: { data: Float32Array.of(Number.NaN, 1, 0, 1), dims: [1, 4] }, pattern: '2:4' })).toThrow(/has 3/);
  });
});

test('an ISA that this machine lacks is refused, not replaced', () => {
  const all: Isa[] = ['avx512vnni', 'avx512', 'avx2vnni', 'avx2'];
  for (const isa of all.filter((name) => !cpu().isa.includes(name))) {
    expect(() => nm.plan({ weight, pattern: '2:4', isa })).toThrow(
      expect.objectContaining({ code: 'ERR_SK_ISA', message: expect.stringMatching(new RegExp(isa)) }),
    );
  }
});

describe('after dispose()', () => {
  const disposed = nm.plan({ weight, pattern: '2:4' });
  disposed.dispose();
  disposed.dispose();
  const code = expect.objectContaining({ code: 'ERR_SK_DISPOSED' });
  test('every use throws', async () => {
    expect(() => disposed.runSync(x)).toThrow(code);
    expect(() => disposed.toDense()).toThrow(code);
    expect(() => disposed.kernel).toThrow(code);
    expect(() => disposed.bytes).toThrow(code);
    await expect(disposed.run(x)).rejects.toThrow(code);
  });
  test('using disposes', () => {
    let kept: nm.Plan;
    {
      using scoped = nm.plan({ weight, pattern: '2:4' });
      kept = scoped;
    }
    expect(() => kept.runSync(x)).toThrow(code);
  });
});

test('asynchronous misuse rejects; it never throws', async () => {
  await expect(plan.run(new Float32Array(7))).rejects.toMatchObject({ code: 'ERR_SK_SHAPE' });
  await expect(plan.run(x, { signal: {} as never })).rejects.toMatchObject({ code: 'ERR_SK_TYPE' });
  await expect(nm.matmul(x, weight, { pattern: '2:5' as never })).rejects.toMatchObject({ code: 'ERR_SK_PATTERN' });
});
