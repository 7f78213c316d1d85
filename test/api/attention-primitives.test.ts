/** permute, orders, cluster, levels and candidates against plain definitions. */
import { attention } from 'sparse-kernels';
import { describe, expect, test } from 'vitest';
import { firstMismatch } from '../reference/compare.js';
import { ranking } from '../reference/select.js';
import { uniform } from '../support/random.js';

const { orders, patterns } = attention;
const range = (n: number) => Array.from({ length: n }, (_, i) => i);
const code = (name: string) => expect.objectContaining({ code: name });

describe('permute', () => {
  const x = { data: uniform(2 * 3 * 5 * 4, 1), dims: [2, 3, 5, 4] };

  test('takes rows in any order, one for all heads or one for each', () => {
    const shared = attention.permute(x, Int32Array.of(4, 0, 0));
    expect(shared.dims).toEqual([2, 3, 3, 4]);
    const row = (s: number, t: number) => [...x.data.subarray((s * 5 + t) * 4, (s * 5 + t + 1) * 4)];
    expect([...shared.data]).toEqual(range(6).flatMap((s) => [4, 0, 0].flatMap((t) => row(s, t))));
    const order = { type: 'int32', data: Int32Array.from({ length: 12 }, (_, i) => i % 5), dims: [2, 3, 2] };
    const own = attention.permute(x, order);
    expect([...own.data]).toEqual(range(12).flatMap((i) => row(i >> 1, i % 5)));
  });

  test('its inverse undoes it', () => {
    const order = Int32Array.of(3, 1, 4, 0, 2);
    expect(attention.permute(attention.permute(x, order), attention.inverseOrder(order)).data).toEqual(x.data);
  });

  test('refuses rows and orders that do not exist', () => {
    expect(() => attention.permute(x, Int32Array.of(5))).toThrow(code('ERR_SK_OPTION'));
    expect(() => attention.permute(x, Int32Array.of(-1))).toThrow(code('ERR_SK_OPTION'));
    expect(() => attention.permute(x, { type: 'int32', data: new Int32Array(4), dims: [2, 2] })).toThrow(code('ERR_SK_SHAPE'));
    expect(() => attention.inverseOrder(Int32Array.of(0, 0))).toThrow(code('ERR_SK_OPTION'));
  });
});

describe('orders', () => {
  test('segments sorts each segment by score, ties in order', () => {
    expect([...orders.segments(Float32Array.of(1, 3, 3, 5, 0, 9), 4)]).toEqual([3, 1, 2, 0, 5, 4]);
  });

  test.each([
    [4, 4],
    [3, 5],
    [1, 7],
  ] as const)('morton of %d x %d: every token once, aligned squares together', (height, width) => {
    const order = orders.morton([height, width]);
    expect([...order].sort((a, b) => a - b)).toEqual(range(height * width));
    const square = (t: number) => (Math.floor(t / width) >> 1) * 64 + ((t % width) >> 1);
    const runs = [...order].filter((t, i) => i === 0 || square(t) !== square(order[i - 1] as number)).map(square);
    expect(new Set(runs).size).toBe(runs.length);
  });

  test('morton of a volume', () => {
    expect([...orders.morton([2, 2, 2])]).toEqual(range(8));
  });

  test.each([
    [4, 4],
    [6, 4],
    [5, 8],
    [10, 3],
    [1, 5],
  ] as const)('gilbert of %d x %d: every token once, neighbours in the plane', (height, width) => {
    const order = orders.gilbert([height, width]);
    expect([...order].sort((a, b) => a - b)).toEqual(range(height * width));
    const steps = range(order.length - 1).map((i) => {
      const [a, b] = [order[i] as number, order[i + 1] as number];
      return [Math.abs((a % width) - (b % width)), Math.abs(Math.floor(a / width) - Math.floor(b / width))] as const;
    });
    expect(steps.every(([dx, dy]) => dx <= 1 && dy <= 1)).toBe(true);
    expect(steps.filter(([dx, dy]) => dx + dy === 2).length).toBeLessThanOrEqual(1); // one diagonal step where it cannot be avoided
  });

  test('refuses grids of one axis and sides of 0', () => {
    expect(() => orders.morton([4] as never)).toThrow(code('ERR_SK_OPTION'));
    expect(() => orders.gilbert([0, 4])).toThrow(code('ERR_SK_OPTION'));
  });
});

describe('cluster', () => {
  const [batch, heads, tokens, dim, count] = [2, 2, 30, 8, 4];
  const x = { data: uniform(batch * heads * tokens * dim, 3), dims: [batch, heads, tokens, dim] };
  const centroids = { data: uniform(heads * count * dim, 4), dims: [heads, count, dim] };
  const like = (s: number, t: number, c: number) =>
    range(dim).reduce(
      (sum, i) => sum + (x.data[(s * tokens + t) * dim + i] as number) * (centroids.data[((s % heads) * count + c) * dim + i] as number),
      0,
    );

  test('nearest centroids, balanced members', async () => {
    const { nearest, members } = await attention.cluster(x, centroids, { members: 7 });
    const sets = range(batch * heads);
    expect([...nearest.data]).toEqual(sets.flatMap((s) => range(tokens).map((t) => ranking((c) => like(s, t, c), count)[0])));
    const lists = sets.flatMap((s) =>
      range(count).map((c) =>
        ranking((t) => like(s, t, c), tokens)
          .slice(0, 7)
          .sort((a, b) => a - b),
      ),
    );
    expect([...(members?.index ?? [])]).toEqual(lists.flat());
  });

  test('centroids move to the mean of their tokens', async () => {
    const { nearest } = await attention.cluster(x, centroids);
    const moved = attention.moveCentroids(centroids, x, nearest, 0.25);
    const expected = range(heads * count).flatMap((at) => {
      const [h, c] = [Math.floor(at / count), at % count];
      const own = range(batch * tokens)
        .map((n) => (Math.floor(n / tokens) * heads + h) * tokens + (n % tokens))
        .filter((row) => nearest.data[row] === c);
      return range(dim).map((i) => {
        const old = centroids.data[at * dim + i] as number;
        return own.length === 0
          ? old
          : 0.25 * old + 0.75 * (own.reduce((sum, row) => sum + (x.data[row * dim + i] as number), 0) / own.length);
      });
    });
    expect(firstMismatch(moved.data, expected, 1e-6)).toBeNull();
  });

  test('refuses centroids of another width, more members than tokens, and ids that no centroid has', async () => {
    await expect(attention.cluster(x, { data: new Float32Array(8), dims: [2, 1, 4] })).rejects.toMatchObject({ code: 'ERR_SK_SHAPE' });
    await expect(attention.cluster(x, centroids, { members: tokens + 1 })).rejects.toMatchObject({ code: 'ERR_SK_OPTION' });
    const wrong = { type: 'int32', data: new Int32Array(batch * heads * tokens).fill(count), dims: [batch, heads, tokens] };
    expect(() => attention.moveCentroids(centroids, x, wrong)).toThrow(code('ERR_SK_OPTION'));
  });
});

describe('selectLevels', () => {
  const scores = { data: uniform(6 * 40, 5).map(Math.abs), dims: [6, 40] };
  const lists = (rows: attention.Rows, r: number) => [
    ...rows.index.subarray(rows.start[r], (rows.start[r] as number) + (rows.count[r] as number)),
  ];
  const ranked = (r: number) => ranking((j) => scores.data[r * 40 + j] as number, 40);

  test('quotas cut the ranking', async () => {
    const levels = await attention.selectLevels(scores, { quotas: [0.1, 0.1, 0.5] });
    for (const r of range(6)) {
      const cuts = [0, 4, 4, 20];
      for (const [n, rows] of levels.entries()) {
        const expected = ranked(r).slice(cuts[n], cuts[n + 1]);
        expect(lists(rows, r)).toEqual(expected.sort((a, b) => a - b));
      }
    }
  });

  test('energies: each level ends with the column that exceeds its share', async () => {
    const [first, second] = await attention.selectLevels(scores, { energies: [0.3, 0.8] });
    for (const r of range(6)) {
      const values = ranked(r).map((j) => scores.data[r * 40 + j] as number);
      const total = values.reduce((a, b) => a + b, 0);
      const count = (share: number) =>
        1 + values.filter((_, n) => values.slice(0, n + 1).reduce((a, b) => a + b, 0) / total <= share + 1e-6).length;
      expect(lists(first as attention.Rows, r)).toHaveLength(count(0.3));
      expect(lists(second as attention.Rows, r)).toHaveLength(count(0.8) - count(0.3));
    }
  });

  test.each([[{}], [{ quotas: [0.5, 0.2] }], [{ quotas: [1.1] }], [{ quotas: [0.1], energies: [0.1] }]])('refuses %j', async (o) => {
    await expect(attention.selectLevels(scores, o)).rejects.toMatchObject({ code: 'ERR_SK_OPTION' });
  });
});

describe('scoreCandidates', () => {
  const [heads, kvHeads, queries, keys, dim] = [4, 2, 5, 9, 4];
  const q = { data: uniform(heads * queries * dim, 6), dims: [1, heads, queries, dim] };
  const k = { data: uniform(kvHeads * keys * dim, 7), dims: [1, kvHeads, keys, dim] };

  test('scores what is listed, in its order', async () => {
    const candidates = patterns.rows(range(heads * 3).map((r) => range(r % 4).map((c) => (r + 2 * c) % keys)));
    const scores = await attention.scoreCandidates(q, k, candidates, { queries: 2, scale: 2 });
    expect(scores.dims).toEqual([1, heads, queries, 3]);
    const expected = range(heads * queries).flatMap((row) => {
      const [h, i] = [Math.floor(row / queries), row % queries];
      const r = h * 3 + (i >> 1);
      return range(3).map((c) => {
        if (c >= r % 4) return Number.NEGATIVE_INFINITY;
        const key = (h >> 1) * keys + ((r + 2 * c) % keys);
        return 2 * range(dim).reduce((sum, n) => sum + (q.data[row * dim + n] as number) * (k.data[key * dim + n] as number), 0);
      });
    });
    expect(firstMismatch(scores.data, expected, 1e-5)).toBeNull();
  });

  test('refuses other rows, and keys that do not exist', async () => {
    await expect(attention.scoreCandidates(q, k, patterns.rows([[0]]))).rejects.toMatchObject({ code: 'ERR_SK_SHAPE' });
    const beyond = patterns.rows(range(heads * queries).map(() => [keys]));
    await expect(attention.scoreCandidates(q, k, beyond)).rejects.toMatchObject({ code: 'ERR_SK_LISTS' });
  });
});

test('score of some channels is score of packed ones', async () => {
  const channels = Int32Array.of(5, 0, 3);
  for (const layout of ['BHSD', 'BSHD'] as const) {
    const dims = layout === 'BHSD' ? [2, 4, 3, 8] : [2, 3, 4, 8];
    const q = { data: uniform(2 * 4 * 3 * 8, 8), dims };
    const pick = { data: q.data.filter((_, i) => [0, 3, 5].includes(i % 8)), dims: [...dims.slice(0, 3), 3] };
    const scores = await attention.score(q, q, { channels, layout });
    expect(firstMismatch(scores.data, (await attention.score(pick, pick, { layout })).data, 1e-5)).toBeNull();
    await expect(attention.score(q, q, { channels: Int32Array.of(8), layout })).rejects.toMatchObject({ code: 'ERR_SK_OPTION' });
  }
});
