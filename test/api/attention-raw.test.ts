/** What the raw addon refuses of plans and runs of attention: all that memory safety needs, with no TypeScript in between. */
import { expect, test } from 'vitest';
import { native } from '../../lib/native.js';

const lists = { start: Int32Array.of(0), count: Int32Array.of(1), index: Int32Array.of(0) };
const options = {
  ...{ batch: 1, heads: 1, kvHeads: 1, headDim: 8, queries: 1, keys: 2, tokensOutside: false, headSets: 0, listsBatch: 1 },
  ...{ blockQueries: 1, blockKeys: 1, tokenIds: false, tiles: lists, fullTiles: undefined, columns: undefined, validate: false },
  ...{ causal: false, window: 0, sinkTokens: 0, scale: 1, softcap: 0, pvSkip: 0, dtype: 'float32', isa: '', threads: 1 },
};
const raw = (changes: object) => new native.AttendPlan({ ...options, ...changes });
const operands = {
  ...{ firstUnit: 0, units: 1, q: new Float32Array(8), k: new Float32Array(16), v: new Float32Array(16) },
  ...{ queryPositions: undefined, keyPositions: undefined, keyLengths: undefined, keyBias: undefined, logWeight: 0, sink: undefined },
  ...{ initialOutput: undefined, initialLse: undefined, output: new Float32Array(8), lse: new Float32Array(1), rowMax: undefined },
  privateResults: false,
};
const run = (changes: object) => raw({}).runSync({ ...operands, ...changes });

test('what is valid runs', () => {
  expect(() => run({})).not.toThrow();
  expect(() =>
    run({ keyLengths: Int32Array.of(2), keyBias: new Float32Array(2), queryPositions: Int32Array.of(-(2 ** 31)) }),
  ).not.toThrow();
});
test.each<[string, () => unknown, string]>([
  ['an id out of range without validate', () => raw({ tiles: { ...lists, index: Int32Array.of(2) } }), 'ERR_SK_LISTS'],
  ['a negative id', () => raw({ tiles: { ...lists, index: Int32Array.of(-1) } }), 'ERR_SK_LISTS'],
  ['a count beyond the index', () => raw({ columns: { ...lists, count: Int32Array.of(2) } }), 'ERR_SK_LISTS'],
  ['a start beyond the index', () => raw({ fullTiles: { ...lists, start: Int32Array.of(1) } }), 'ERR_SK_LISTS'],
  ['two rows for one', () => raw({ tiles: { start: new Int32Array(2), count: new Int32Array(2), index: lists.index } }), 'ERR_SK_SHAPE'],
  ['headDim 12', () => raw({ headDim: 12 }), 'ERR_SK_SHAPE'],
  ['headDim 264', () => raw({ headDim: 264 }), 'ERR_SK_SHAPE'],
  ['kvHeads that do not divide', () => raw({ heads: 3, kvHeads: 2 }), 'ERR_SK_SHAPE'],
  ['an unknown dtype', () => raw({ dtype: 'float64' }), 'ERR_SK_ISA'],
  ['head sets that do not exist', () => raw({ headSets: 3 }), 'ERR_SK_OPTION'],
  ['sizes that overflow', () => raw({ batch: 2 ** 20, heads: 2 ** 20, queries: 2 ** 31 - 1 }), 'ERR_SK_SHAPE'],
  ['q one element short', () => run({ q: new Float32Array(7) }), 'ERR_SK_SHAPE'],
  ['k one element short', () => run({ k: new Float32Array(15) }), 'ERR_SK_SHAPE'],
  ['v one element long', () => run({ v: new Float32Array(17) }), 'ERR_SK_SHAPE'],
  ['output one element short', () => run({ output: new Float32Array(7) }), 'ERR_SK_SHAPE'],
  ['lse of no element', () => run({ lse: new Float32Array(0) }), 'ERR_SK_SHAPE'],
  ['rowMax of two', () => run({ rowMax: new Float32Array(2) }), 'ERR_SK_SHAPE'],
  ['a key length beyond the keys', () => run({ keyLengths: Int32Array.of(3) }), 'ERR_SK_SHAPE'],
  ['a negative key length', () => run({ keyLengths: Int32Array.of(-1) }), 'ERR_SK_SHAPE'],
  ['positions of two queries', () => run({ queryPositions: new Int32Array(2) }), 'ERR_SK_SHAPE'],
  ['a bias for one key', () => run({ keyBias: new Float32Array(1) }), 'ERR_SK_SHAPE'],
  ['an initial output without its lse', () => run({ initialOutput: new Float32Array(8) }), 'ERR_SK_TYPE'],
  ['units beyond the heads', () => run({ units: 2 }), 'ERR_SK_OPTION'],
  ['a first unit beyond the heads', () => run({ firstUnit: 1 }), 'ERR_SK_OPTION'],
  ['a plan as a cache', () => run({ caches: [raw({})] }), 'ERR_SK_TYPE'],
  ['no caches for a batch of one', () => run({ caches: [] }), 'ERR_SK_SHAPE'],
])('%s', (_, call, code) => {
  expect(call).toThrow(expect.objectContaining({ code }));
});
