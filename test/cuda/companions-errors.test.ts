/** Bad input to what chooses keys on a device. */
import './simulated.js';

import { attention, nm, toDevice } from 'sparse-kernels';
import { describe, expect, test } from 'vitest';
import { toDeviceRows } from './companions.js';
import { floats, headDim, heads, kvHeads, random, shape, size, there, tokens } from './companions-input.js';
import { where } from './simulated.js';

describe.skipIf(where.startsWith('nowhere'))('companions of attention on a device', () => {
  const x = () => there([1, 2, 8, 16], 1);
  const scores = () => floats(new Float32Array(12), [3, 4]);
  const planOf = (pattern: object) =>
    attention.plan({ ...shape, pattern: { ...size, heads: 'shared', sets: 1, ...pattern } } as attention.CudaPlanOptions);
  const listed = async (rows: number, capacity: number) =>
    toDeviceRows(attention.patterns.rows(Array.from({ length: rows }, () => [])), capacity);
  const run = async (pattern: object, lists: object) =>
    planOf(pattern).run(
      random([1, heads, 1, headDim], 1),
      random([1, kvHeads, tokens, headDim], 2),
      random([1, kvHeads, tokens, headDim], 3),
      lists,
    );
  const bad: [string, () => Promise<unknown>, string][] = [
    [
      'pooling of integers',
      async () => attention.pool(await toDevice({ data: new Int32Array(4), dims: [1, 1, 2, 2] }, 'cuda'), { kind: 'max', block: 2 }),
      'ERR_SK_DTYPE',
    ],
    [
      'pooling of three axes',
      async () => attention.pool(await floats(new Float32Array(4), [1, 2, 2]), { kind: 'max', block: 2 }),
      'ERR_SK_SHAPE',
    ],
    ['pooling with an isa', async () => attention.pool(await x(), { kind: 'max', block: 2, isa: 'avx2' } as never), 'ERR_SK_OPTION'],
    [
      'weights of too few tokens',
      async () => attention.pool(await x(), { kind: 'weighted', block: 2, logits: await scores() }),
      'ERR_SK_SHAPE',
    ],
    [
      'weights in host memory',
      async () => attention.pool(await x(), { kind: 'weighted', block: 2, logits: new Float32Array(16) as never }),
      'ERR_SK_TYPE',
    ],
    ['scores of k in host memory', async () => attention.score(await x(), random([1, 2, 8, 16], 1) as never), 'ERR_SK_TYPE'],
    ['scores of another dim', async () => attention.score(await x(), await there([1, 2, 8, 8], 1)), 'ERR_SK_SHAPE'],
    ['limits of too few queries', async () => attention.score(await x(), await x(), { limit: new Int32Array(3) }), 'ERR_SK_SHAPE'],
    ['lines of more queries than keys', async () => attention.lines(await x(), await there([1, 2, 7, 16], 1)), 'ERR_SK_SHAPE'],
    ['a selection by another rule', async () => attention.select(await scores(), { topP: 0.5 } as never), 'ERR_SK_OPTION'],
    [
      'no room for what is forced',
      async () => attention.select(await scores(), { topK: 1, capacity: 1, force: { sink: 2 } }),
      'ERR_SK_SHAPE',
    ],
    [
      'a selection from integers',
      async () => attention.select(await toDevice({ data: new Int32Array(4), dims: [1, 4] }, 'cuda'), { topK: 1 }),
      'ERR_SK_DTYPE',
    ],
    ['one k too few', async () => attention.select(await scores(), { topK: new Int32Array(2) }), 'ERR_SK_SHAPE'],
    ['lists of floats', async () => new attention.CudaRows(await scores(), await scores()), 'ERR_SK_DTYPE'],
    [
      'lists that the pattern has no room for',
      async () => run({ tiles: attention.patterns.rows([[0]]) }, { tiles: await listed(1, 4) }),
      'ERR_SK_OPTION',
    ],
    ['no lists where there is room', async () => run({ tiles: { capacity: 4 } }, {}), 'ERR_SK_OPTION'],
    ['lists of another capacity', async () => run({ tiles: { capacity: 4 } }, { tiles: await listed(1, 5) }), 'ERR_SK_SHAPE'],
    ['lists of other rows', async () => run({ tiles: { capacity: 4 } }, { tiles: await listed(2, 4) }), 'ERR_SK_SHAPE'],
    ['lists of the host', async () => run({ tiles: { capacity: 1 } }, { tiles: attention.patterns.rows([[0]]) }), 'ERR_SK_TYPE'],
    ['room for too many keys', async () => planOf({ tiles: { capacity: 2 ** 29 } }), 'ERR_SK_SHAPE'],
    [
      'room on the CPU',
      async () => attention.plan({ heads: 1, headDim: 8, pattern: { ...size, heads: 'shared', sets: 1, tiles: { capacity: 4 } } } as never),
      'ERR_SK_OPTION',
    ],
    [
      'lists after dispose()',
      async () => {
        const tiles = await listed(1, 4);
        tiles.dispose();
        return run({ tiles: { capacity: 4 } }, { tiles });
      },
      'ERR_SK_DISPOSED',
    ],
    [
      'lines of too few sequences',
      async () => attention.verticalSlash(await listed(2, 4), await listed(2, 4), { queryLength: 8, sets: 3 }),
      'ERR_SK_SHAPE',
    ],
    ['pruning of half precision', async () => nm.prune(await there([4, 8], 1), { pattern: '2:4' }), 'ERR_SK_DTYPE'],
    ['pruning of a vector', async () => nm.prune(await floats(new Float32Array(8), [8]), { pattern: '2:4' }), 'ERR_SK_SHAPE'],
  ];
  test.each(bad)('%s is a named error', async (_, call, code) => {
    await expect((async () => call())()).rejects.toMatchObject({ code });
  });
});
