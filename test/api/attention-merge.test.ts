/** attention.merge: layouts, and what is refused. */
import { attention } from 'sparse-kernels';
import { describe, expect, test } from 'vitest';
import { firstMismatch } from '../reference/compare.js';
import { uniform } from '../support/random.js';

const { patterns } = attention;
const base = { pattern: patterns.dense({ queryLength: 4, keyLength: 6, blockSize: [2, 2] }), heads: 4, kvHeads: 2, headDim: 8, batch: 2 };
const plan = attention.plan(base);
const tensor = (heads: number, tokens: number, d = 8) => ({ data: uniform(2 * heads * tokens * d, heads), dims: [2, heads, tokens, d] });
const [q, k, v] = [tensor(4, 4), tensor(2, 6), tensor(2, 6)];

// As many queries as heads, and more: the axes cannot be told from their lengths.
test.each([4, 5])('results with tokens before heads, %d queries of 4 heads', async (queries) => {
  const size = { queryLength: queries, keyLength: 6, blockSize: [queries, 3] as const };
  const shape = { heads: 4, kvHeads: 2, headDim: 8, batch: 2, layout: 'BSHD' as const };
  const over = (mask: number[]) => attention.plan({ ...shape, pattern: patterns.fromMask(Uint8Array.from(mask), size) });
  const x = { data: uniform(2 * queries * 4 * 8, 1), dims: [2, queries, 4, 8] };
  const y = { data: uniform(2 * 6 * 2 * 8, 2), dims: [2, 6, 2, 8] };
  const [whole, first, second] = [
    [1, 1],
    [1, 0],
    [0, 1],
  ].map((mask) => over(mask).runSync(x, y, y));
  const merged = await attention.merge(first as attention.AttentionResult, second as attention.AttentionResult);
  expect(firstMismatch(merged.output.data, [...(whole?.output.data ?? [])], 1e-6)).toBeNull();
  expect(firstMismatch(merged.lse.data, [...(whole?.lse.data ?? [])], 1e-6)).toBeNull();
  expect(merged.layout).toBe('BSHD');
  expect(merged.output.dims).toEqual(x.dims);
  const continued = over([0, 1]).runSync(x, y, y, { initial: first as attention.AttentionResult });
  expect(firstMismatch(continued.output.data, [...(whole?.output.data ?? [])], 1e-6)).toBeNull();
});

describe('merge refuses', () => {
  const result = plan.runSync(q, k, v);
  test.each<[string, attention.AttentionResult[], string]>([
    ['nothing', [], 'ERR_SK_SHAPE'],
    [
      'results of other shapes',
      [result, attention.plan({ ...base, headDim: 16 }).runSync(tensor(4, 4, 16), tensor(2, 6, 16), tensor(2, 6, 16))],
      'ERR_SK_SHAPE',
    ],
    ['an lse that does not fit', [{ ...result, lse: result.output }], 'ERR_SK_SHAPE'],
    ['no result at all', [undefined as never], 'ERR_SK_TYPE'],
    ['results of two layouts', [result, { ...result, layout: 'BSHD' }], 'ERR_SK_SHAPE'],
    [
      'tokens before heads with an lse that does not fit',
      [{ ...result, layout: 'BSHD', lse: { ...result.lse, dims: [2, 2, 8] } }],
      'ERR_SK_SHAPE',
    ],
  ])('%s', async (_, results, code) => {
    await expect(attention.merge(...(results as [attention.AttentionResult]))).rejects.toMatchObject({ code });
  });
});

test('a run refuses to continue from a result of another layout', () => {
  const initial = { ...plan.runSync(q, k, v), layout: 'BSHD' as const };
  expect(() => plan.runSync(q, k, v, { initial })).toThrow(expect.objectContaining({ code: 'ERR_SK_SHAPE' }));
});
