/** attention.decode and decodeSync: agreement with plans over the same keys, and what they refuse. */
import { attention, kernels } from 'sparse-kernels';
import { describe, expect, test } from 'vitest';
import { firstMismatch } from '../reference/compare.js';
import { generator } from '../support/random.js';
import { batched, filled, group, headDim, kvHeads, query, tokens } from './cache-input.js';

const { rows } = attention.patterns;

function expectSame(actual: attention.AttentionResult, expected: attention.AttentionResult, tolerance: number): void {
  expect(firstMismatch(actual.output.data, expected.output.data, tolerance)).toBeNull();
  expect(firstMismatch(actual.lse.data, expected.lse.data, tolerance)).toBeNull();
}

describe('decode', () => {
  test('over all keys is dense attention', async () => {
    for (const [length, pageSize] of [
      [1, 16],
      [130, 16],
      [4500, 7],
    ] as const) {
      const { cache, k, v } = filled(length, 3, pageSize);
      const plan = attention.plan({
        pattern: attention.patterns.dense({ queryLength: 1, keyLength: length }),
        heads: kvHeads * group,
        kvHeads,
        headDim,
      });
      expectSame(await attention.decode(query(), cache), plan.runSync(query(), batched(k), batched(v)), 1e-6);
    }
  });

  test('over pages and tokens of each key-value head is a plan over the same keys', async () => {
    const { cache, k, v } = filled(150);
    const next = generator(3);
    const pages = rows(Array.from({ length: kvHeads }, () => Array.from({ length: 10 }, (_, id) => id).filter(() => next() < 0.4)));
    const tokenLists = rows(
      Array.from({ length: kvHeads }, (_, h) => {
        const listed = new Set(pages.index.subarray(pages.start[h], (pages.start[h] as number) + (pages.count[h] as number)));
        return Array.from({ length: 150 }, (_, t) => t).filter((t) => !listed.has(Math.floor(t / 16)) && next() < 0.1);
      }),
    );
    const size = { queryLength: 2, keyLength: 150, blockSize: [2, 16] as const };
    const pattern = { ...size, unit: 'block' as const, heads: 'kv' as const, sets: kvHeads, batch: 1, tiles: pages, columns: tokenLists };
    const plan = attention.plan({ pattern, heads: kvHeads * group, kvHeads, headDim, causal: true });
    const wanted = plan.runSync(query(2), batched(k), batched(v));
    expectSame(await attention.decode(query(2), cache, { pages, tokens: tokenLists, heads: 'kv', causal: true }), wanted, 0);
    expectSame(await attention.decode(query(2), cache, { plan }), wanted, 0);
    expectSame(attention.decodeSync(query(2), cache, { pages, tokens: tokenLists, heads: 'kv', causal: true }), wanted, 0);
    expectSame(attention.decodeSync(query(2), cache, { plan }), wanted, 0);
  });

  test('on every instruction set, with any number of threads', async () => {
    const { cache } = filled(3000);
    const wanted = attention.decodeSync(query(), cache);
    for (const { verb, dtype, isa, supported } of kernels()) {
      if (verb !== 'attend' || dtype !== 'float32' || !supported || isa === 'cuda') continue;
      const one = await attention.decode(query(), cache, { isa, threads: 1 });
      expectSame(one, wanted, 1e-5);
      expectSame(attention.decodeSync(query(), cache, { isa, threads: 2 }), one, 0);
    }
  });

  test('of several sequences of different lengths', async () => {
    const sequences = [filled(3, 1), filled(90, 3), filled(64, 5)];
    const q = query(1, 3);
    const all = await attention.decode(
      q,
      sequences.map((s) => s.cache),
    );
    for (const [b, { cache }] of sequences.entries()) {
      const size = kvHeads * group * headDim;
      const own = await attention.decode(
        { data: q.data.subarray(b * size, (b + 1) * size), dims: [1, kvHeads * group, 1, headDim] },
        cache,
      );
      expect(firstMismatch(all.output.data.subarray(b * size, (b + 1) * size), own.output.data, 1e-6)).toBeNull();
    }
  });

  test('keeps what the cache held when it began', async () => {
    const { cache } = filled(3000);
    const wanted = await attention.decode(query(), cache);
    const run = attention.decode(query(), cache);
    cache.truncate(0);
    cache.append(tokens(3000, 50), tokens(3000, 51));
    cache.dispose();
    expectSame(await run, wanted, 0);
  });

  test.each<[string, (c: attention.Cache) => Promise<unknown>, string]>([
    ['no cache', () => attention.decode(query(), [] as never), 'ERR_SK_TYPE'],
    ['something else', () => attention.decode(query(), {} as never), 'ERR_SK_TYPE'],
    ['heads that do not divide', (c) => attention.decode({ data: new Float32Array(48), dims: [1, 3, 1, 16] }, c), 'ERR_SK_SHAPE'],
    ['a page beyond the end', (c) => attention.decode(query(), c, { pages: rows([[3]]) }), 'ERR_SK_LISTS'],
    ['a token beyond the end', (c) => attention.decode(query(), c, { tokens: rows([[40]]) }), 'ERR_SK_LISTS'],
    ['a token of a listed page', (c) => attention.decode(query(), c, { pages: rows([[0]]), tokens: rows([[15]]) }), 'ERR_SK_LISTS'],
    ['rows for other heads', (c) => attention.decode(query(), c, { pages: rows([[0]]), heads: 'kv' }), 'ERR_SK_SHAPE'],
    ['pages of null', (c) => attention.decode(query(), c, { pages: null as never }), 'ERR_SK_TYPE'],
    ['pages of 0', (c) => attention.decode(query(), c, { pages: 0 as never }), 'ERR_SK_TYPE'],
    ['tokens of an empty string', (c) => attention.decode(query(), c, { tokens: '' as never }), 'ERR_SK_TYPE'],
    ['tokens of false', (c) => attention.decode(query(), c, { tokens: false as never }), 'ERR_SK_TYPE'],
    ['heads of a name it lacks', (c) => attention.decode(query(), c, { pages: rows([[0]]), heads: 'toString' as never }), 'ERR_SK_OPTION'],
    ['dims that are no numbers', (c) => attention.decode({ ...query(), dims: [1, '6', 1, 16] as never }, c), 'ERR_SK_SHAPE'],
    ['no query', (c) => attention.decode(undefined as never, c), 'ERR_SK_TYPE'],
    ['key lengths', (c) => attention.decode(query(), c, { keyLengths: Int32Array.of(1) } as never), 'ERR_SK_OPTION'],
    ['caches of different pages', (c) => attention.decode(query(1, 2), [c, filled(5, 1, 8).cache]), 'ERR_SK_SHAPE'],
    [
      'pages beside a plan',
      (c) =>
        attention.decode(query(), c, {
          plan: attention.plan({ pattern: attention.patterns.dense({ queryLength: 1, keyLength: 40 }), heads: 6, kvHeads, headDim }),
          pages: rows([[0]]),
        }),
      'ERR_SK_OPTION',
    ],
    [
      'a plan for fewer keys',
      (c) =>
        attention.decode(query(), c, {
          plan: attention.plan({ pattern: attention.patterns.dense({ queryLength: 1, keyLength: 39 }), heads: 6, kvHeads, headDim }),
        }),
      'ERR_SK_SHAPE',
    ],
    ['an instruction set that does not exist', (c) => attention.decode(query(), c, { isa: 'mmx' as never }), 'ERR_SK_OPTION'],
    [
      'threads beside a plan',
      (c) =>
        attention.decode(query(), c, {
          plan: attention.plan({ pattern: attention.patterns.dense({ queryLength: 1, keyLength: 40 }), heads: 6, kvHeads, headDim }),
          threads: 1,
        }),
      'ERR_SK_OPTION',
    ],
    [
      'a signal where nothing waits',
      async (c) => attention.decodeSync(query(), c, { signal: AbortSignal.abort() } as never),
      'ERR_SK_OPTION',
    ],
    ['heads that do not divide, at once', async (c) => attention.decodeSync(query(1, 2), [c]), 'ERR_SK_SHAPE'],
  ])('refuses %s', async (_, call, code) => {
    await expect(call(filled(40).cache)).rejects.toMatchObject({ code });
  });

  test('a run at once sees what the cache holds, and the cache may change after it', () => {
    const { cache } = filled(200);
    const first = attention.decodeSync(query(), cache);
    cache.append(tokens(1, 70), tokens(1, 71));
    const second = attention.decodeSync(query(), cache);
    expect(firstMismatch(second.output.data, first.output.data, 1e-6)).not.toBeNull();
    cache.truncate(200);
    expectSame(attention.decodeSync(query(), cache), first, 0);
  });

  test('the last page and the last token are valid', async () => {
    const { cache } = filled(40);
    await attention.decode(query(), cache, { pages: rows([[2]]) });
    await attention.decode(query(), cache, { tokens: rows([[39]]) });
  });
});
