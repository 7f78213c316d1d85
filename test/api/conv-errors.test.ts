/** Bad input to conv: the last valid value and the first invalid one; a named error, never a crash. */
import { conv, type ErrorCode, SparseKernelsError } from 'sparse-kernels';
import { describe, expect, test } from 'vitest';

const features = new Float32Array(6);
const coords = Int32Array.of(0, 0, 0, 0, 1, 1, 0, 3, 4);
const make = (change: object) => conv.tensor({ coords, features, spatialShape: [4, 5], ...change });
const x = make({});
const map = conv.map(x, { kernelSize: 3 });
const weight = { data: new Float32Array(4 * 9 * 2), dims: [4, 3, 3, 2] };
const layer = conv.layer({ weight });
const mapOf = (change: object) => conv.map(x, { kernelSize: 3, ...change } as conv.MapOptions);
const layerOf = (change: object) => conv.layer({ weight, ...change } as conv.LayerOptions);
const raw = (change: object) => ({ ...x, ...change }) as conv.SparseTensor;

function detached<T extends Float32Array | Int32Array>(array: T): T {
  structuredClone(array.buffer, { transfer: [array.buffer as ArrayBuffer] });
  return array;
}

type ErrorClass = typeof TypeError | typeof RangeError | typeof SparseKernelsError;
type Row = [what: string, call: () => unknown, type: ErrorClass, code: ErrorCode, message: RegExp];

const rows: Row[] = [
  // coordinates
  [
    'a negative coordinate',
    () => make({ coords: Int32Array.of(0, 0, -1, 0, 1, 1, 0, 3, 4) }),
    SparseKernelsError,
    'ERR_SK_COORDINATES',
    /1 x 4 x 5.*\[0, 0, -1\] in row 0/,
  ],
  [
    'a coordinate at the extent',
    () => make({ coords: Int32Array.of(0, 0, 0, 0, 1, 5, 0, 3, 4) }),
    SparseKernelsError,
    'ERR_SK_COORDINATES',
    /\[0, 1, 5\] in row 1/,
  ],
  [
    'a batch index at the batch size',
    () => make({ coords: Int32Array.of(0, 0, 0, 0, 1, 1, 1, 3, 4) }),
    SparseKernelsError,
    'ERR_SK_COORDINATES',
    /\[1, 3, 4\] in row 2/,
  ],
  [
    'a repeated site',
    () => make({ coords: Int32Array.of(0, 3, 4, 0, 1, 1, 0, 3, 4) }),
    SparseKernelsError,
    'ERR_SK_COORDINATES',
    /rows 0 and 2 are both \[0, 3, 4\]/,
  ],
  [
    'a repeated site, in order',
    () => make({ coords: Int32Array.of(0, 1, 1, 0, 1, 1, 0, 3, 4) }),
    SparseKernelsError,
    'ERR_SK_COORDINATES',
    /rows 0 and 1/,
  ],
  ['coordinates that are floats (NaN)', () => make({ coords: Float32Array.of(Number.NaN) }), TypeError, 'ERR_SK_TYPE', /Int32Array/],
  ['coordinates of the wrong width', () => make({ coords: new Int32Array(8) }), RangeError, 'ERR_SK_SHAPE', /\[n, 3\].*8 numbers/],
  [
    'coordinates with dims of the wrong width',
    () => make({ coords: { data: coords, dims: [9, 1] } }),
    RangeError,
    'ERR_SK_SHAPE',
    /\[n, 3\].*\[9, 1\]/,
  ],
  [
    'shared coordinates',
    () => make({ coords: new Int32Array(new SharedArrayBuffer(36)) }),
    TypeError,
    'ERR_SK_BUFFER',
    /SharedArrayBuffer/,
  ],
  ['detached coordinates', () => make({ coords: detached(new Int32Array(9)) }), TypeError, 'ERR_SK_BUFFER', /detached/],
  [
    'a grid of 2^63 sites',
    () => make({ spatialShape: [2 ** 30, 2 ** 30], batchSize: 8 }),
    SparseKernelsError,
    'ERR_SK_COORDINATES',
    /2\^63/,
  ],
  ['no axes', () => make({ spatialShape: [] }), RangeError, 'ERR_SK_SHAPE', /1 to 4 axes/],
  ['five axes', () => make({ spatialShape: [1, 1, 1, 1, 1] }), RangeError, 'ERR_SK_SHAPE', /1 to 4 axes/],
  ['an extent of 0', () => make({ spatialShape: [4, 0] }), RangeError, 'ERR_SK_OPTION', /from 1 to/],
  ['a fractional extent', () => make({ spatialShape: [4, 5.5] }), RangeError, 'ERR_SK_OPTION', /5\.5/],
  ['an extent of 2^31', () => make({ spatialShape: [4, 2 ** 31] }), RangeError, 'ERR_SK_OPTION', /2147483648/],
  ['a batch of 0', () => make({ batchSize: 0 }), RangeError, 'ERR_SK_OPTION', /batchSize/],
  // features
  ['features of another length', () => make({ features: new Float32Array(7) }), RangeError, 'ERR_SK_SHAPE', /3 x channels.*7/],
  ['no features', () => make({ features: new Float32Array(0) }), RangeError, 'ERR_SK_SHAPE', /3 x channels.*0/],
  [
    'features of no sites without dims',
    () => make({ coords: new Int32Array(0), features: new Float32Array(0) }),
    RangeError,
    'ERR_SK_SHAPE',
    /dims \[0, channels\]/,
  ],
  [
    'features of other rows',
    () => make({ features: { data: features, dims: [2, 3] } }),
    RangeError,
    'ERR_SK_SHAPE',
    /\[3, channels\].*\[2, 3\]/,
  ],
  ['float64 features', () => make({ features: new Float64Array(6) }), TypeError, 'ERR_SK_TYPE', /Float32Array/],
  ['a misspelt option', () => make({ batch: 2 }), RangeError, 'ERR_SK_OPTION', /'batch'/],
  // dense
  ['a dense tensor without spatial axes', () => conv.fromDense({ data: features, dims: [2, 3] }), RangeError, 'ERR_SK_SHAPE', /\[2, 3\]/],
  [
    'a dense tensor without channels',
    () => conv.fromDense({ data: new Float32Array(0), dims: [1, 0, 4] }),
    RangeError,
    'ERR_SK_SHAPE',
    /\[1, 0, 4\]/,
  ],
  [
    'a mask that does not divide',
    () => conv.fromDense({ data: features, dims: [1, 1, 6] }, { data: new Uint8Array(4), dims: [1, 4] }),
    RangeError,
    'ERR_SK_SHAPE',
    /divide 6/,
  ],
  [
    'a mask of another batch',
    () => conv.fromDense({ data: features, dims: [1, 1, 6] }, { data: new Uint8Array(6), dims: [2, 3] }),
    RangeError,
    'ERR_SK_SHAPE',
    /\[1, \.\.\.cells\]/,
  ],
  [
    'a mask of booleans in a list',
    () => conv.fromDense({ data: features, dims: [1, 1, 6] }, { data: [true], dims: [1, 1] }),
    TypeError,
    'ERR_SK_TYPE',
    /mask\.data/,
  ],
  // map
  ['an even submanifold kernel', () => mapOf({ kernelSize: [3, 2] }), RangeError, 'ERR_SK_OPTION', /odd.*\[3, 2\]/],
  ['a kernel of 0', () => mapOf({ kernelSize: 0 }), RangeError, 'ERR_SK_OPTION', /kernelSize/],
  ['a kernel of another rank', () => mapOf({ kernelSize: [3, 3, 3] }), RangeError, 'ERR_SK_SHAPE', /2 axes.*\[3, 3, 3\]/],
  ['a kernel of text', () => mapOf({ kernelSize: '3' }), TypeError, 'ERR_SK_TYPE', /kernelSize/],
  ['no kernel', () => mapOf({ kernelSize: undefined }), TypeError, 'ERR_SK_TYPE', /kernelSize or offsets/],
  ['a stride of 0', () => mapOf({ mode: 'sparse', stride: 0 }), RangeError, 'ERR_SK_OPTION', /stride/],
  ['a stride in submanifold mode', () => mapOf({ stride: 2 }), RangeError, 'ERR_SK_OPTION', /stride 1/],
  ['other padding in submanifold mode', () => mapOf({ padding: 0 }), RangeError, 'ERR_SK_OPTION', /padding \[1, 1\]/],
  ['a dilation of 0', () => mapOf({ dilation: 0 }), RangeError, 'ERR_SK_OPTION', /dilation/],
  ['negative padding', () => mapOf({ mode: 'sparse', padding: -1 }), RangeError, 'ERR_SK_OPTION', /padding/],
  ['a kernel larger than the grid', () => mapOf({ mode: 'sparse', kernelSize: 6 }), RangeError, 'ERR_SK_SHAPE', /fits the grid/],
  ['an unknown mode', () => mapOf({ mode: 'dense' }), RangeError, 'ERR_SK_OPTION', /submanifold, sparse/],
  ['outputPadding without transposed', () => mapOf({ mode: 'sparse', outputPadding: 1 }), RangeError, 'ERR_SK_OPTION', /transposed/],
  ['offsets and a kernel', () => mapOf({ offsets: [[0, 0]] }), RangeError, 'ERR_SK_OPTION', /not both/],
  ['no offsets', () => conv.map(x, { offsets: [] }), RangeError, 'ERR_SK_OPTION', /1 to 2\^20/],
  ['offsets of another rank', () => conv.map(x, { offsets: [[0]] }), RangeError, 'ERR_SK_SHAPE', /2 axes/],
  ['an output grid without offsets', () => mapOf({ mode: 'sparse', outputShape: [4, 5] }), RangeError, 'ERR_SK_OPTION', /offsets/],
  [
    'outputs of another batch',
    () => mapOf({ mode: 'sparse', outputs: make({ batchSize: 2 }) }),
    SparseKernelsError,
    'ERR_SK_COORDINATES',
    /batch size/,
  ],
  ['outputs in submanifold mode', () => mapOf({ outputs: x }), RangeError, 'ERR_SK_OPTION', /only in modes/],
  ['outputs of an unknown kind', () => mapOf({ mode: 'sparse', outputs: 'ceil' }), RangeError, 'ERR_SK_OPTION', /reached, floor/],
  ['inverse without a pair', () => conv.map(x, { mode: 'inverse' }), TypeError, 'ERR_SK_TYPE', /paired/],
  [
    'inverse with a kernel',
    () => conv.map(x, { mode: 'inverse', paired: map, kernelSize: 3 }),
    RangeError,
    'ERR_SK_OPTION',
    /no kernelSize/,
  ],
  [
    'inverse of another map',
    () => conv.map(x, { mode: 'inverse', paired: mapOf({ mode: 'sparse', stride: 2 }) }),
    SparseKernelsError,
    'ERR_SK_COORDINATES',
    /paired/,
  ],
  [
    'rows out of order, past conv.tensor',
    () => conv.map(raw({ coords: Int32Array.of(0, 1, 1, 0, 0, 0, 0, 3, 4) }), { kernelSize: 3 }),
    SparseKernelsError,
    'ERR_SK_COORDINATES',
    /ascending.*row 1/,
  ],
  [
    'rows outside the grid, past conv.tensor',
    () => conv.map(raw({ spatialShape: [4, 4] }), { kernelSize: 3 }),
    SparseKernelsError,
    'ERR_SK_COORDINATES',
    /row 2/,
  ],
  [
    'a kernel whose reach overflows',
    () => conv.map(raw({ batchSize: 2, spatialShape: [2 ** 31 - 1, 2 ** 31 - 1] }), { kernelSize: 3, dilation: 2 ** 29 - 1 }),
    SparseKernelsError,
    'ERR_SK_COORDINATES',
    /reach/,
  ],
  ['no tensor', () => conv.map({} as never, { kernelSize: 3 }), TypeError, 'ERR_SK_TYPE', /sparse tensor/],
  // layer
  [
    'a weight without kernel axes',
    () => layerOf({ weight: { data: new Float32Array(8), dims: [4, 2] } }),
    RangeError,
    'ERR_SK_SHAPE',
    /\[4, 2\]/,
  ],
  ['an empty weight', () => layerOf({ weight: { data: new Float32Array(0), dims: [4, 3, 0] } }), RangeError, 'ERR_SK_SHAPE', /\[4, 3, 0\]/],
  ['groups that do not divide', () => layerOf({ groups: 3 }), RangeError, 'ERR_SK_SHAPE', /multiple of 3/],
  ['groups of 0', () => layerOf({ groups: 0 }), RangeError, 'ERR_SK_OPTION', /groups/],
  ['a bias too short', () => layerOf({ bias: new Float32Array(3) }), RangeError, 'ERR_SK_SHAPE', /4 elements.*3/],
  ['an unknown activation', () => layerOf({ activation: 'tanh' }), RangeError, 'ERR_SK_OPTION', /none, relu/],
  ['0 threads', () => layerOf({ threads: 0 }), RangeError, 'ERR_SK_OPTION', /threads/],
  // run
  [
    'channels that do not match',
    () => layer.runSync(raw({ features: new Float32Array(9), channels: 3 }), map),
    RangeError,
    'ERR_SK_SHAPE',
    /2 channels.*3/,
  ],
  ['features that do not match the channels', () => layer.runSync(raw({ channels: 3 }), map), RangeError, 'ERR_SK_SHAPE', /3 x 3/],
  ['a map of another kernel', () => layer.runSync(x, mapOf({ kernelSize: 5 })), RangeError, 'ERR_SK_SHAPE', /\[3, 3\].*\[5, 5\]/],
  [
    'a map of the same volume but other extents',
    () => layer.runSync(x, mapOf({ kernelSize: [1, 9] })),
    RangeError,
    'ERR_SK_SHAPE',
    /\[1, 9\]/,
  ],
  [
    'the map of another tensor',
    () => layer.runSync(make({ coords: Int32Array.of(0, 0, 0, 0, 1, 1, 0, 3, 3) }), map),
    SparseKernelsError,
    'ERR_SK_COORDINATES',
    /other coordinates/,
  ],
  [
    'the map of another grid',
    () => layer.runSync(raw({ spatialShape: [5, 5] }), map),
    SparseKernelsError,
    'ERR_SK_COORDINATES',
    /4 x 5.*5 x 5/,
  ],
  ['no map', () => layer.runSync(x, {} as never), TypeError, 'ERR_SK_TYPE', /conv\.map/],
  ['out too short', () => layer.runSync(x, map, { out: new Float32Array(11) }), RangeError, 'ERR_SK_SHAPE', /12.*11/],
  ['out too long', () => layer.runSync(x, map, { out: new Float32Array(13) }), RangeError, 'ERR_SK_SHAPE', /12.*13/],
  [
    'out on the memory of x',
    () => layer.runSync(x, map, { out: new Float32Array(features.buffer, 0, 0) }),
    RangeError,
    'ERR_SK_SHAPE',
    /12.*0/,
  ],
  ['detached features', () => layer.runSync(raw({ features: detached(new Float32Array(6)) }), map), TypeError, 'ERR_SK_BUFFER', /detached/],
];

test.each(rows)('%s', (_, call, type, code, message) => {
  let error: unknown;
  try {
    call();
  } catch (e) {
    error = e;
  }
  expect(error).toBeInstanceOf(type);
  expect(error).toMatchObject({ code, message: expect.stringMatching(message) });
  expect((error as Error).stack).toContain('conv-errors.test.ts'); // the caller's stack
});

test('out that overlaps x', () => {
  const memory = new Float32Array(6 + 12);
  const own = raw({ features: memory.subarray(0, 6) });
  expect(layer.runSync(own, map, { out: memory.subarray(6) }).features.length).toBe(12);
  expect(() => layer.runSync(own, map, { out: memory.subarray(5, 17) })).toThrow(expect.objectContaining({ code: 'ERR_SK_OVERLAP' }));
});

test('last valid values right beside the first invalid ones', () => {
  expect(make({ spatialShape: [2 ** 30, 2 ** 30], batchSize: 7 }).batchSize).toBe(7);
  expect(make({ spatialShape: [2 ** 31 - 1, 2 ** 31 - 1], batchSize: 2 }).batchSize).toBe(2);
  expect(mapOf({ mode: 'sparse', kernelSize: 4 }).spatialShape).toEqual([1, 2]);
  expect(mapOf({ padding: 1, stride: 1 }).pairCount).toBe(map.pairCount);
  expect(layerOf({ groups: 4, weight: { data: new Float32Array(36), dims: [4, 3, 3, 1] } }).inChannels).toBe(4);
  expect(conv.map(raw({ spatialShape: [2 ** 31 - 1, 2 ** 31 - 1] }), { kernelSize: 3 }).pairCount).toBe(5);
});

describe('after dispose()', () => {
  const code = expect.objectContaining({ code: 'ERR_SK_DISPOSED' });
  test('every use of a layer throws', async () => {
    const disposed = layerOf({});
    disposed.dispose();
    disposed.dispose();
    expect(() => disposed.runSync(x, map)).toThrow(code);
    expect(() => disposed.kernel).toThrow(code);
    expect(() => disposed.bytes).toThrow(code);
    await expect(disposed.run(x, map)).rejects.toThrow(code);
  });
  test('every use of a map throws', async () => {
    const disposed = mapOf({});
    disposed.dispose();
    disposed.dispose();
    expect(() => layer.runSync(x, disposed)).toThrow(code);
    expect(() => disposed.pairs()).toThrow(code);
    expect(() => disposed.bytes).toThrow(code);
    await expect(layer.run(x, disposed)).rejects.toThrow(code);
  });
});

test('asynchronous misuse rejects; it never throws', async () => {
  await expect(layer.run(raw({ channels: 3 }), map)).rejects.toMatchObject({ code: 'ERR_SK_SHAPE' });
  await expect(layer.run(x, map, { signal: {} as never })).rejects.toMatchObject({ code: 'ERR_SK_TYPE' });
});
