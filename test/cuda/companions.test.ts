/** What chooses keys on a device: chains that never leave it, rules of selections, what lists of a run may hold. */
import './simulated.js';

import { attention, devices, type TensorLike, toDevice } from 'sparse-kernels';
import { describe, expect, test } from 'vitest';
import { firstMismatch } from '../reference/compare.js';
import { smallIntegers, uniform } from '../support/random.js';
import { toDeviceRows } from './companions.js';
import { floats, headDim, heads, kvHeads, page, random, shape, size, there, tokens } from './companions-input.js';
import { where } from './simulated.js';

const copies = () => {
  const { uploads, downloads } = devices().find(({ type }) => type === 'cuda')?.cuda ?? {};
  return { uploads, downloads };
};
describe.skipIf(where.startsWith('nowhere'))('companions of attention on a device', () => {
  test.each(['none', 'max'] as const)('Quest: pages are chosen and attended to without a copy, group %s', async (group) => {
    const [q, k, v] = [
      await there([1, heads, 1, headDim], 1),
      await there([1, kvHeads, tokens, headDim], 2),
      await there([1, kvHeads, tokens, headDim], 3),
    ];
    const lists = group === 'none' ? ({ heads: 'q', sets: heads } as const) : ({ heads: 'kv', sets: kvHeads } as const);
    using plan = attention.plan({ ...shape, pattern: { ...size, ...lists, tiles: { capacity: 5 } } });
    const before = copies();
    const { pooled } = await attention.pool(k, { kind: 'minmax', block: page });
    const scores = await attention.score(q, pooled, { kind: 'minmax', scale: 1, group });
    using tiles = await attention.select(scores, { topK: 5, force: { local: 1 } });
    const { output, lse } = await plan.run(q, k, v, { tiles });
    expect(copies()).toEqual(before);

    const chosen = await tiles.to('cpu');
    const onHost = attention.selectSync(await scores.to('cpu'), { topK: 5, force: { local: 1 } });
    expect(chosen).toEqual(onHost);
    using fixed = attention.plan({ ...shape, pattern: { ...size, ...lists, tiles: chosen } });
    const expected = await fixed.run(q, k, v);
    expect((await output.to('cpu')).data).toEqual((await expected.output.to('cpu')).data);
    expect((await lse.to('cpu')).data).toEqual((await expected.lse.to('cpu')).data);
  });

  test('vertical and slash lines become lists, the same as on the host, without a copy', async () => {
    const [n, t, d] = [150, 170, 32];
    const q = await there([2, heads, n, d], 4);
    const k = await there([2, kvHeads, t, d], 5);
    const sizes = { queryLength: n, keyLength: t, blockSize: [32, 16], batch: 2, sets: heads } as const;
    const before = copies();
    const { vertical, slash } = await attention.lines(q, k, { lastQueries: 20 });
    const verticals = await attention.select(vertical, { topK: 12, force: { sink: 2 } });
    const slashes = await attention.select(slash, { topK: 9, force: { sink: 3 } });
    const { pattern, tiles, columns } = await attention.verticalSlash(verticals, slashes, sizes);
    using plan = attention.plan({ ...shape, pattern, batch: 2, headDim: d, causal: true });
    const uploads = copies().uploads; // of the plan: its tasks
    const { output } = await plan.run(q, k, k, { tiles, columns });
    expect(copies()).toEqual({ uploads, downloads: before.downloads });

    const [v, s] = [await verticals.to('cpu'), await slashes.to('cpu')];
    const ids = ({ start, count, index }: attention.Rows, row: number) =>
      index.subarray(start[row], (start[row] as number) + (count[row] as number));
    const each = Array.from({ length: 2 * heads }, (_, row) =>
      attention.patterns.verticalSlash({ queryLength: n, keyLength: t, blockSize: [32, 16], verticals: ids(v, row), slashes: ids(s, row) }),
    );
    const host = { ...attention.patterns.perHead(each, 'q'), batch: 2, sets: heads };
    for (const [there, here] of [
      [await tiles.to('cpu'), host.tiles],
      [await columns.to('cpu'), host.columns],
    ] as const) {
      expect(here?.count).toEqual(there.count);
      for (let row = 0; row < there.count.length; row++) expect(ids(there, row)).toEqual(ids(here as attention.Rows, row));
    }
    using fixed = attention.plan({ ...shape, pattern: host, batch: 2, headDim: d, causal: true });
    const expected = await (await fixed.run(q, k, k)).output.to('cpu');
    expect(firstMismatch((await output.to('cpu')).data, expected.data, 2e-3)).toBeNull();
  });

  test('a selection keeps the rules of the CPU', async () => {
    const [slices, rows, columns] = [2, 7, 300];
    const scores = { data: smallIntegers(slices * rows * columns, 6), dims: [slices, rows, columns] };
    const limit = Int32Array.from({ length: rows }, (_, i) => (i * 50 - 20) % 310);
    for (const o of [
      { topK: 9, limit },
      { topK: 40, firstColumn: 5, force: { sink: 3, local: 2 } },
      { topK: 2, force: { sink: 3, local: 4 }, limit },
      { topK: 50, capacity: 20, force: { sink: 3, local: 4 } },
      { topK: 5, force: { lastRows: 2 }, limit },
      { topK: 300 },
      { topK: 0 },
    ]) {
      using device = await attention.select(await toDevice(scores, 'cuda'), o);
      const [there, here] = [await device.to('cpu'), attention.selectSync(scores, o)];
      expect(there.count).toEqual(here.count);
      for (let row = 0; row < slices * rows; row++) {
        const n = there.count[row] as number;
        const of = ({ start, index }: attention.Rows) => index.subarray(start[row], (start[row] as number) + n);
        expect(of(there)).toEqual(of(here));
      }
    }
  });

  test('NaN among scores: the lists say so, and attention gives NaN for their row and no other', async () => {
    const data = uniform(heads * 19, 7);
    data[2 * 19 + 4] = Number.NaN;
    using tiles = await attention.select(await floats(data, [heads, 19]), { topK: 3 });
    await expect(tiles.to('cpu')).rejects.toMatchObject({ code: 'ERR_SK_NAN', message: expect.stringContaining('row 2') });
    using plan = attention.plan({ ...shape, pattern: { ...size, heads: 'q', sets: heads, tiles: { capacity: 3 } } });
    const { output, lse } = await plan.run(
      random([1, heads, 1, headDim], 1),
      random([1, kvHeads, tokens, headDim], 2),
      random([1, kvHeads, tokens, headDim], 3),
      { tiles },
    );
    expect([...lse.data].map(Number.isNaN)).toEqual([false, false, true, false]);
    expect([...output.data].filter(Number.isNaN).length).toBe(headDim);
    expect(output.data[2 * headDim]).toBeNaN();
  });

  test('ids of keys that do not exist are passed over, counts are cut to the capacity', async () => {
    const run = async (index: number[], count: number) => {
      const int32 = (data: number[], dims: number[]) => toDevice({ data: Int32Array.from(data), dims, type: 'int32' }, 'cuda');
      using tiles = new attention.CudaRows(await int32([count], [1]), await int32(index, [1, index.length]));
      using plan = attention.plan({ ...shape, pattern: { ...size, heads: 'shared', sets: 1, tiles: { capacity: index.length } } });
      const operands = [
        random([1, heads, 1, headDim], 1),
        random([1, kvHeads, tokens, headDim], 2),
        random([1, kvHeads, tokens, headDim], 3),
      ];
      return (await plan.run(...(operands as [TensorLike, TensorLike, TensorLike]), { tiles })).lse.data;
    };
    const expected = await run([3, 18], 2);
    // 2^28 tiles of 16 keys on, a 32-bit product would come round to tile 3.
    const strange = await run([2 ** 31 - 1, 3, -1, 19, 2 ** 28 + 3, -(2 ** 31), 18, 1000], 100);
    expect(firstMismatch(strange, expected, 1e-3)).toBeNull(); // one more key would be 0.03
    expect(await run([3, 18, 4], -5)).toEqual(new Float32Array(heads).fill(Number.NaN));
    expect(await run([3, 18], 0)).toEqual(new Float32Array(heads).fill(Number.NEGATIVE_INFINITY));
  });

  test('lists of a run are split as far as they could reach, and empty parts do no harm', async () => {
    const keyLength = 8192;
    const long = { ...size, keyLength, heads: 'shared', sets: 1 } as const;
    const operands = [
      await there([1, heads, 1, headDim], 1),
      await there([1, kvHeads, keyLength, headDim], 2),
      await there([1, kvHeads, keyLength, headDim], 3),
    ] as const;
    const chosen = attention.patterns.rows([[500, 7, 8, 300]]);
    using tiles = await toDeviceRows(chosen, 400);
    using open = attention.plan({ ...shape, pattern: { ...long, tiles: { capacity: tiles.capacity } } });
    using fixed = attention.plan({ ...shape, pattern: { ...long, tiles: chosen } });
    const [a, b] = [await open.run(...operands, { tiles }), await fixed.run(...operands)];
    expect(firstMismatch((await a.output.to('cpu')).data, (await b.output.to('cpu')).data, 1e-3)).toBeNull();
  });
});
