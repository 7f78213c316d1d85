/** Lists of few queries each that name the same tiles: when keys come first, and that it is the same attention. */
import fc from 'fast-check';
import { attention } from 'sparse-kernels';
import { describe, expect, test } from 'vitest';
import { firstMismatch } from '../reference/compare.js';
import { uniform } from '../support/random.js';

const { patterns } = attention;

interface Own {
  queries: number;
  tiles: number;
  tileKeys: number;
  named: number;
  blockQueries: number;
  group: number;
  d: number;
  causal: boolean;
  seed: number;
}

/** Each block of queries lists so many tiles of its own, the last tile among them every time. */
function own({ queries, tiles, tileKeys, named, blockQueries, seed }: Own): attention.Pattern {
  const lists = Array.from({ length: Math.ceil(queries / blockQueries) }, (_, r) => {
    const at = Array.from(uniform(tiles - 1, seed + r), (x, id) => ({ x, id })).sort((a, b) => a.x - b.x);
    return [tiles - 1, ...at.slice(0, named - 1).map(({ id }) => id)];
  });
  return {
    ...{ queryLength: queries, keyLength: tiles * tileKeys, blockSize: [blockQueries, tileKeys] },
    ...{ unit: 'block', heads: 'shared', sets: 1, batch: 1, tiles: patterns.rows(lists) },
  };
}

const standard: Own = { queries: 64, tiles: 8, tileKeys: 16, named: 4, blockQueries: 1, group: 1, d: 16, causal: false, seed: 1 };
const planOf = (o: Own, pattern: attention.Pattern, rest: Partial<attention.PlanOptions> = {}) =>
  attention.plan({ pattern, heads: o.group, kvHeads: 1, headDim: o.d, causal: o.causal, ...rest } as attention.PlanOptions);
const operands = (o: Own) => {
  const tensor = (heads: number, tokens: number, seed: number) => ({
    data: uniform(heads * tokens * o.d, o.seed + seed).map((x) => 2 * x),
    dims: [1, heads, tokens, o.d],
  });
  const keys = o.tiles * o.tileKeys;
  return [tensor(o.group, o.queries, 1), tensor(1, keys, 2), tensor(1, keys, 3)] as const;
};
const loops = (plan: attention.Plan) => plan.kernel.split('_')[2];

describe('keys come first', () => {
  test.each<[string, Partial<Own>, string]>([
    ['where 16 rows share a tile', { queries: 32 }, 'keys'],
    ['not where fewer do', { queries: 31 }, 'any'],
    ['where a list is for 8 rows', { blockQueries: 4, group: 2 }, 'keys'],
    ['not where it is for 9', { blockQueries: 3, group: 3 }, 'any'],
    ['where tiles have 8 keys', { tileKeys: 8 }, 'keys'],
    ['not where they have 7', { tileKeys: 7 }, 'any'],
  ])('%s', (_, changes, expected) => {
    const o = { ...standard, ...changes };
    expect(loops(planOf(o, own(o)))).toBe(expected);
  });

  test('not beside columns, and not where a list names a tile twice: it counts twice', () => {
    const [q, k, v] = operands(standard);
    const pattern = own(standard);
    const columns = patterns.rows(Array.from({ length: standard.queries }, (_, r) => (r === 5 ? [0] : [])));
    expect(loops(planOf(standard, { ...pattern, columns }, { validate: false }))).toBe('any');
    const { start, count, index } = pattern.tiles as attention.Rows;
    const twice = { start, count, index: index.map((id, i) => (i === 1 ? (index[0] as number) : id)) };
    const plan = planOf(standard, { ...pattern, tiles: twice }, { validate: false });
    expect(loops(plan)).toBe('any');
    const [once, both] = [planOf(standard, pattern), plan].map((p) => p.runSync(q, k, v).lse.data);
    expect(firstMismatch(both?.subarray(1) as Float32Array, once?.subarray(1) as Float32Array, 1e-5)).toBeNull();
    expect(both?.[0]).not.toBe(once?.[0]);
  });

  test('as columns, key by key, it is the same attention, on any number of threads bit for bit', async () => {
    const sizes: fc.Arbitrary<Own> = fc.record({
      queries: fc.integer({ min: 40, max: 150 }),
      tiles: fc.integer({ min: 2, max: 6 }),
      tileKeys: fc.integer({ min: 8, max: 140 }),
      named: fc.constant(2),
      blockQueries: fc.integer({ min: 1, max: 2 }),
      group: fc.integer({ min: 1, max: 4 }),
      d: fc.constantFrom(8, 24, 64, 72),
      causal: fc.boolean(),
      seed: fc.integer({ min: 1, max: 1e6 }),
    });
    await fc.assert(
      fc.asyncProperty(sizes, async (o) => {
        const x = operands(o);
        const pattern = own(o);
        const { tiles, ...single } = patterns.expand(pattern, [o.blockQueries, 1]);
        const whole = planOf(o, { ...single, columns: tiles as attention.Rows }).runSync(...x);
        const results = await Promise.all([1, 64].map((threads) => planOf(o, pattern, { threads }).run(...x)));
        for (const { output, lse } of results) {
          expect(firstMismatch(output.data, whole.output.data, 1e-5)).toBeNull();
          expect(firstMismatch(lse.data, whole.lse.data, 1e-5)).toBeNull();
        }
        expect(results[0]).toEqual(results[1]);
      }),
      { numRuns: 40 },
    );
  });

  test('continues from a result over other keys, in pages of a cache', async () => {
    const o = { ...standard, group: 2, queries: 48 };
    const [q, k, v] = operands(o);
    const [a, b] = [own({ ...o, tiles: 4 }), own({ ...o, tiles: 4, seed: 9 })].map(({ tiles }, half) => ({
      ...own(o),
      tiles: { ...(tiles as attention.Rows), index: (tiles as attention.Rows).index.map((id) => id + 4 * half) },
    })) as [attention.Pattern, attention.Pattern];
    const whole = planOf(o, patterns.union(a, b)).runSync(q, k, v);
    using cache = attention.cache({ kvHeads: 1, headDim: o.d, capacity: o.tiles * o.tileKeys, pageSize: 12 });
    cache.append(k, v);
    const first = planOf(o, a).runSync(q, k, v);
    expect(loops(planOf(o, b))).toBe('keys');
    const both = await attention.decode(q, cache, { plan: planOf(o, b), initial: first });
    expect(firstMismatch(both.output.data, whole.output.data, 1e-5)).toBeNull();
    expect(firstMismatch(both.lse.data, whole.lse.data, 1e-5)).toBeNull();
  });
});
