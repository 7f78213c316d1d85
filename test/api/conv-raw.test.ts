/** The raw addon below conv: lengths and kinds are checked again, for whoever calls it past lib/. */
import { expect, test } from 'vitest';
import { native } from '../../lib/native.js';
import type { NativeMapmmOptions, NativeNormOptions } from '../../types/conv.js';
import type { NativeMapOptions } from '../../types/map.js';

const mapOptions: NativeMapOptions = {
  coords: Int32Array.of(0, 0, 0, 0, 1, 1),
  batch: 1,
  inShape: Int32Array.of(3, 3),
  outShape: Int32Array.of(3, 3),
  stride: Int32Array.of(1, 1),
  offsets: Int32Array.of(0, 0, 1, 1),
  outputs: 0,
  outCoords: undefined,
  transposed: false,
};
const makeMap = (change: object) => new native.KernelMap({ ...mapOptions, ...change });
const map = makeMap({});
const reached = makeMap({ outputs: 1 });

const planOptions: NativeMapmmOptions = {
  weight: new Float32Array(12),
  transposed: false,
  groups: 2,
  in: 3,
  out: 2,
  splits: 1,
  bias: undefined,
  activation: 0,
  isa: '',
  threads: 0,
};
const makePlan = (change: object) => new native.MapmmPlan({ ...planOptions, ...change });
const plan = makePlan({});
const [x, y] = [new Float32Array(6), new Float32Array(4)];
const reduce = (change: object, y = new Float32Array(4), from = new Float32Array(4)) =>
  native.mapReduce(map, from, { reduction: 0, channels: 2, privateX: false, ...change }, y, undefined);
const momentsGradient = { reduction: 5, slope: new Float32Array(4), centre: new Float32Array(4), at: new Float32Array(4) };
const outer = (change: object, dw = new Float32Array(12), dy = new Float32Array(4)) =>
  native.mapOuter(
    map,
    new Float32Array(6),
    dy,
    { in: 3, out: 2, splits: 1, isa: '', privateX: false, privateDy: false, ...change },
    dw,
    undefined,
  );
const normOptions: NativeNormOptions = {
  ...{ channels: 2, added: undefined, norm: 1, weight: undefined, bias: undefined, mean: undefined, variance: undefined },
  ...{ epsilon: 0, activation: 0, privateX: false, privateAdded: false },
};
const norm = (change: object, from = new Float32Array(4), to = new Float32Array(4)) => native.norm(from, { ...normOptions, ...change }, to);
const disposed = makeMap({});
disposed.dispose();

test.each<[string, () => unknown, string]>([
  ['half a site', () => makeMap({ coords: new Int32Array(5) }), 'ERR_SK_SHAPE'],
  ['float coordinates', () => makeMap({ coords: new Float32Array(6) }), 'ERR_SK_TYPE'],
  ['a site outside', () => makeMap({ coords: Int32Array.of(0, 0, 0, 0, 1, 3) }), 'ERR_SK_COORDINATES'],
  ['a batch index outside', () => makeMap({ coords: Int32Array.of(0, 0, 0, 1, 1, 1) }), 'ERR_SK_COORDINATES'],
  ['descending sites', () => makeMap({ coords: Int32Array.of(0, 1, 1, 0, 0, 0) }), 'ERR_SK_COORDINATES'],
  ['descending sites of a strided map', () => makeMap({ coords: Int32Array.of(0, 1, 1, 0, 0, 0), outputs: 1 }), 'ERR_SK_COORDINATES'],
  ['given outputs that descend', () => makeMap({ outputs: 2, outCoords: Int32Array.of(0, 1, 1, 0, 0, 0) }), 'ERR_SK_COORDINATES'],
  ['given outputs that are not there', () => makeMap({ outputs: 2 }), 'ERR_SK_TYPE'],
  ['no extents', () => makeMap({ inShape: new Int32Array(0) }), 'ERR_SK_SHAPE'],
  ['five extents', () => makeMap({ inShape: new Int32Array(5).fill(1) }), 'ERR_SK_SHAPE'],
  ['an extent of 0', () => makeMap({ inShape: Int32Array.of(3, 0), outShape: Int32Array.of(3, 0) }), 'ERR_SK_SHAPE'],
  ['a negative output extent', () => makeMap({ outShape: Int32Array.of(3, -3), outputs: 1 }), 'ERR_SK_SHAPE'],
  ['other axes of the output', () => makeMap({ outShape: Int32Array.of(3), outputs: 1 }), 'ERR_SK_SHAPE'],
  ['a grid that overflows', () => makeMap({ inShape: new Int32Array(2).fill(2 ** 31 - 1), batch: 9, outputs: 1 }), 'ERR_SK_COORDINATES'],
  ['a stride of 0', () => makeMap({ stride: Int32Array.of(1, 0), outputs: 1 }), 'ERR_SK_SHAPE'],
  ['a stride of another rank', () => makeMap({ stride: Int32Array.of(1) }), 'ERR_SK_SHAPE'],
  ['a stride where outputs are inputs', () => makeMap({ stride: Int32Array.of(1, 2) }), 'ERR_SK_SHAPE'],
  ['another grid where outputs are inputs', () => makeMap({ outShape: Int32Array.of(3, 4) }), 'ERR_SK_SHAPE'],
  ['transposed where outputs are inputs', () => makeMap({ transposed: true }), 'ERR_SK_SHAPE'],
  ['no offsets', () => makeMap({ offsets: new Int32Array(0) }), 'ERR_SK_SHAPE'],
  ['half an offset', () => makeMap({ offsets: new Int32Array(3) }), 'ERR_SK_SHAPE'],
  ['unknown kind of outputs', () => makeMap({ outputs: 3 }), 'ERR_SK_OPTION'],
  ['swapped from something else', () => new native.KernelMap({ swapped: plan as never }), 'ERR_SK_TYPE'],
  ['coordinates of a map that found none', () => map.readOutCoords(new Int32Array(6)), 'ERR_SK_SHAPE'],
  ['coordinates into too little room', () => reached.readOutCoords(new Int32Array(5)), 'ERR_SK_SHAPE'],
  ['pairs into too little room', () => map.readPairs(new Int32Array(3), new Int32Array(2), new Int32Array(3)), 'ERR_SK_SHAPE'],
  ['starts into too little room', () => map.readPairs(new Int32Array(2), new Int32Array(3), new Int32Array(3)), 'ERR_SK_SHAPE'],
  ['an order too short', () => native.sortSites(mapOptions.coords, 1, mapOptions.inShape, new Int32Array(1)), 'ERR_SK_SHAPE'],
  ['weight one element short', () => makePlan({ weight: new Float32Array(11) }), 'ERR_SK_SHAPE'],
  ['weight one element long', () => makePlan({ weight: new Float32Array(13) }), 'ERR_SK_SHAPE'],
  ['bias one element short', () => makePlan({ bias: new Float32Array(1) }), 'ERR_SK_SHAPE'],
  ['channels that overflow', () => makePlan({ in: 2 ** 21 }), 'ERR_SK_OPTION'],
  ['0 groups', () => makePlan({ groups: 0 }), 'ERR_SK_OPTION'],
  ['unknown activation', () => makePlan({ activation: 2 }), 'ERR_SK_OPTION'],
  ['unknown isa', () => makePlan({ isa: 'mmx' }), 'ERR_SK_ISA'],
  ['x one element short', () => plan.runSync(map, new Float32Array(5), y), 'ERR_SK_SHAPE'],
  ['y one element short', () => plan.runSync(map, x, new Float32Array(3)), 'ERR_SK_SHAPE'],
  ['y one element long', () => plan.runSync(map, x, new Float32Array(5)), 'ERR_SK_SHAPE'],
  ['a map of other groups', () => makePlan({ groups: 1, weight: new Float32Array(6) }).runSync(map, x, y), 'ERR_SK_SHAPE'],
  ['a map of another class', () => plan.runSync(plan as never, x, y), 'ERR_SK_TYPE'],
  ['no map', () => plan.runSync(undefined as never, x, y), 'ERR_SK_TYPE'],
  ['a disposed map', () => plan.runSync(disposed, x, y), 'ERR_SK_DISPOSED'],
  ['counts into too little room', () => map.countInputs(new Int32Array(1)), 'ERR_SK_SHAPE'],
  ['a reduction of x one element short', () => reduce({}, undefined, new Float32Array(3)), 'ERR_SK_SHAPE'],
  ['a reduction into y one element short', () => reduce({}, new Float32Array(3)), 'ERR_SK_SHAPE'],
  ['an unknown reduction', () => reduce({ reduction: 6 }), 'ERR_SK_OPTION'],
  ['a reduction of 0 channels', () => reduce({ channels: 0 }), 'ERR_SK_OPTION'],
  ['a maximum without least', () => reduce({ reduction: 2 }), 'ERR_SK_TYPE'],
  ['a maximum with too few of them', () => reduce({ reduction: 2, row: new Float32Array(1) }), 'ERR_SK_SHAPE'],
  ['a maximum with none of them', () => reduce({ reduction: 2, row: new Float32Array(0) }), 'ERR_SK_SHAPE'],
  ['winners one short', () => reduce({ reduction: 2, row: new Float32Array(2), winner: new Int32Array(3) }), 'ERR_SK_SHAPE'],
  ['a gradient without winners', () => reduce({ reduction: 4 }), 'ERR_SK_TYPE'],
  ['winners of a gradient one short', () => reduce({ reduction: 4, winner: new Int32Array(3) }), 'ERR_SK_SHAPE'],
  ['moments without room for variances', () => reduce({ reduction: 3 }), 'ERR_SK_TYPE'],
  ['variances of moments one short', () => reduce({ reduction: 3, variance: new Float32Array(3) }), 'ERR_SK_SHAPE'],
  ['slopes one short', () => reduce({ ...momentsGradient, slope: new Float32Array(3) }), 'ERR_SK_SHAPE'],
  ['centres one long', () => reduce({ ...momentsGradient, centre: new Float32Array(5) }), 'ERR_SK_SHAPE'],
  ['points one short', () => reduce({ ...momentsGradient, at: new Float32Array(3) }), 'ERR_SK_SHAPE'],
  ['no points', () => reduce({ ...momentsGradient, at: undefined }), 'ERR_SK_TYPE'],
  ['weights one short', () => reduce({ row: new Float32Array(1) }), 'ERR_SK_SHAPE'],
  ['a weight gradient one element short', () => outer({}, new Float32Array(11)), 'ERR_SK_SHAPE'],
  ['dy one element short', () => outer({}, undefined, new Float32Array(3)), 'ERR_SK_SHAPE'],
  ['other channels than x has', () => outer({ in: 4 }), 'ERR_SK_SHAPE'],
  ['0 splits', () => outer({ splits: 0 }), 'ERR_SK_OPTION'],
  ['a norm of half a row', () => norm({}, new Float32Array(5)), 'ERR_SK_SHAPE'],
  ['a norm into y one element short', () => norm({}, undefined, new Float32Array(3)), 'ERR_SK_SHAPE'],
  ['a norm of 0 channels', () => norm({ channels: 0 }), 'ERR_SK_OPTION'],
  ['an unknown norm', () => norm({ norm: 3 }), 'ERR_SK_OPTION'],
  ['an unknown activation of a norm', () => norm({ activation: 4 }), 'ERR_SK_OPTION'],
  ['added one element short', () => norm({ added: new Float32Array(3) }), 'ERR_SK_SHAPE'],
  ['weights of a norm one short', () => norm({ weight: new Float32Array(1) }), 'ERR_SK_SHAPE'],
  ['bias of a norm one long', () => norm({ bias: new Float32Array(3) }), 'ERR_SK_SHAPE'],
  ['a mean without variance', () => norm({ mean: new Float32Array(2) }), 'ERR_SK_TYPE'],
  ['variances one short', () => norm({ mean: new Float32Array(2), variance: new Float32Array(1) }), 'ERR_SK_SHAPE'],
  ['moments of half a row', () => native.rowMoments(new Float32Array(3), new Float32Array(2), new Float32Array(2)), 'ERR_SK_SHAPE'],
  ['variances shorter than means', () => native.rowMoments(x, new Float32Array(2), new Float32Array(1)), 'ERR_SK_SHAPE'],
  ['moments of no channels', () => native.rowMoments(x, new Float32Array(0), new Float32Array(0)), 'ERR_SK_TYPE'],
  ['asynchronous x too short', () => plan.run(map, new Float32Array(5), y, false, true, undefined), 'ERR_SK_SHAPE'],
])('%s', (_, call, code) => {
  expect(call).toThrow(expect.objectContaining({ code }));
});

test('a map of other groups, asynchronously', async () => {
  const other = makePlan({ groups: 1, weight: new Float32Array(6) });
  await expect(other.run(map, x, y, false, true, undefined)).rejects.toMatchObject({ code: 'ERR_SK_SHAPE' });
});

test('the valid ones run', async () => {
  expect([map.inRows, map.outRows, map.pairs]).toEqual([2, 2, 3]);
  plan.runSync(map, x, y);
  await reduce({});
  norm({});
  await native.normRun(new Float32Array(4), { ...normOptions, added: new Float32Array(4) }, new Float32Array(4), undefined);
  await reduce({ reduction: 1 });
  await reduce({ reduction: 2, row: new Float32Array(2), winner: new Int32Array(4) });
  await reduce({ reduction: 3, variance: new Float32Array(4) });
  await reduce({ reduction: 4, winner: new Int32Array(4) });
  await reduce(momentsGradient);
  await map.countInputs(new Int32Array(2));
  await native.rowMomentsRun(new Float32Array(4), new Float32Array(2), new Float32Array(2), false, undefined);
  native.adviseHugePages(new Float32Array(2));
  await outer({});
  await expect(outer({ isa: 'mmx' })).rejects.toMatchObject({ code: 'ERR_SK_ISA' });
  expect(native.sortSites(Int32Array.of(0, 1, 1, 0, 0, 2), 1, mapOptions.inShape, new Int32Array(2))).toBe(false);
});
