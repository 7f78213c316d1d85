/** Methods for decoding against direct transcriptions of their formulas. */
import { attention, kernels } from 'sparse-kernels';
import { describe, expect, test } from 'vitest';
import { rounded } from '../reference/attention.js';
import type { Input } from '../reference/methods.js';
import { groupBlocks, heaviestChannels, questPages, tokensByChannels } from '../reference/methods-decoding.js';
import { uniform } from '../support/random.js';
import { expectPattern, input } from './method-input.js';

const { methods } = attention;
const [heads, kvHeads, keys, dim] = [4, 2, 333, 24];
const x = input(1, keys, heads, kvHeads, dim);

const lists = ({ tiles, columns }: attention.Pattern, sets: number) =>
  Array.from({ length: sets }, (_, row) => {
    const { start, count, index } = (tiles ?? columns) as attention.Rows;
    return Array.from(index.subarray(start[row], (start[row] as number) + (count[row] as number)));
  });

/** Appends the keys in uneven parts: the summaries must not depend on them. */
function feed(method: attention.methods.DecodeMethod, parts = [1, 15, 16, 100, 7, 194]) {
  let first = 0;
  for (const tokens of parts) {
    const part = new Float32Array(kvHeads * tokens * dim);
    for (let h = 0; h < kvHeads; h++)
      part.set(x.all.k.subarray((h * keys + first) * dim, (h * keys + first + tokens) * dim), h * tokens * dim);
    method.append({ data: part, dims: [1, kvHeads, tokens, dim] });
    first += tokens;
  }
  expect(method.length).toBe(keys);
  return method;
}

describe('quest', () => {
  test('chooses the pages with the greatest bounds', async () => {
    const method = feed(methods.quest({ budget: 96 }));
    const result = await method.decode(...x.tensors);
    expect(lists(result.pattern, heads)).toEqual(Array.from({ length: heads }, (_, h) => questPages(x.all, h, 16, 6)));
    await expectPattern(result, x);
  });

  test('with summaries in bfloat16 chooses by bounds rounded outward', async () => {
    const expected = Array.from({ length: heads }, (_, h) => questPages(x.all, h, 16, 6, true));
    for (const { isa, verb, dtype, supported } of kernels()) {
      if (verb !== 'score' || dtype !== 'float32' || !supported || isa === 'cuda') continue;
      const result = await feed(methods.quest({ budget: 96, summaries: 'bfloat16', isa })).decode(...x.tensors);
      expect(lists(result.pattern, heads)).toEqual(expected);
      await expectPattern(result, x);
    }
  });

  test('with summaries in bfloat16 takes keys that it cannot round outward', () => {
    for (const far of [3.4e38, -3.4e38, 1e-45, -1e-45, 0, -0]) {
      const method = methods.quest({ summaries: 'bfloat16' });
      method.append({ data: new Float32Array(64 * 8).fill(far), dims: [1, 1, 64, 8] });
      expect(method.pattern({ data: Float32Array.of(0, 1, -1, 0, 0, 0, 0, 0), dims: [1, 1, 1, 8] }).tiles?.count).toEqual(Int32Array.of(4));
    }
    const bits = new Uint32Array(64 * 8).fill(0x3f800000);
    // NaN in all of a page; the upper halves of two of these are infinities.
    for (let i = 0; i < 16 * 8; i++) bits[i] = [0x7f800001, 0xff800001, 0x7fffffff, 0xffffffff][i % 4] as number;
    const method = methods.quest({ summaries: 'bfloat16' });
    method.append({ data: new Float32Array(bits.buffer), dims: [1, 1, 64, 8] });
    const q = { data: new Float32Array(8).fill(1), dims: [1, 1, 1, 8] };
    expect(() => method.pattern(q)).toThrow(expect.objectContaining({ code: 'ERR_SK_NAN' }));
  });

  test('never fewer than three pages; per group one list', async () => {
    const pattern = feed(methods.quest({ budget: 1, perGroup: true })).pattern(x.tensors[0]);
    expect(pattern.heads).toBe('kv');
    expect([...(pattern.tiles?.count ?? [])]).toEqual([3, 3]);
    await expectPattern(await feed(methods.quest({ budget: 64, perGroup: true })).decode(...x.tensors), x);
  });

  test('refuses a query before keys, other keys, and k of another length', async () => {
    expect(() => methods.quest().pattern(x.tensors[0])).toThrow(expect.objectContaining({ code: 'ERR_SK_SHAPE' }));
    const method = feed(methods.quest());
    const wide = { data: new Float32Array(heads * 2 * dim), dims: [1, heads, 1, 2 * dim] };
    expect(() => method.pattern(wide)).toThrow(expect.objectContaining({ code: 'ERR_SK_SHAPE' }));
    expect(() => methods.quest({ summaries: 'float16' as never })).toThrow(expect.objectContaining({ code: 'ERR_SK_OPTION' }));
    expect(() => method.append({ data: new Float32Array(8), dims: [1, 1, 1, 8] })).toThrow(
      expect.objectContaining({ code: 'ERR_SK_SHAPE' }),
    );
    const short = { data: new Float32Array(kvHeads * 8 * dim), dims: [1, kvHeads, 8, dim] };
    await expect(method.decode(x.tensors[0], short, short)).rejects.toMatchObject({ code: 'ERR_SK_SHAPE' });
  });
});

test('blockTopK ranks blocks by the mean score of a group', async () => {
  const result = await feed(methods.blockTopK({ budget: 128, local: 40 })).decode(...x.tensors);
  expect(lists(result.pattern, kvHeads)).toEqual(Array.from({ length: kvHeads }, (_, g) => groupBlocks(x.all, g, 16, 8, 4, 40)));
  await expectPattern(result, x);
});

describe('doubleSparsity', () => {
  test('ranks tokens by the heavy channels', async () => {
    const sample = input(5, 40, heads, kvHeads, dim, 7);
    const channels = methods.heavyChannels(sample.tensors[0], sample.tensors[1], { channels: 6 });
    const expected = Array.from({ length: kvHeads }, (_, g) => heaviestChannels(sample.all, g, 6));
    expect([...channels]).toEqual(expected.flat());
    const result = await feed(methods.doubleSparsity({ channels, budget: 21 })).decode(...x.tensors);
    expect(lists(result.pattern, heads)).toEqual(
      Array.from({ length: heads }, (_, h) => tokensByChannels(x.all, h, expected[h >> 1] as number[], 21)),
    );
    await expectPattern(result, x);
  });

  test('labels in bfloat16 rank as those rounded to nearest do, ties to even', async () => {
    const channels = Int32Array.from({ length: kvHeads * 6 }, (_, i) => i % 6);
    const nearest = { data: Float32Array.from(rounded(x.all.k, 'bfloat16').values), dims: x.tensors[1].dims };
    let differ = false; // from labels in float32, somewhere
    for (let budget = 30; budget <= 300; budget += 30) {
      const wide = methods.doubleSparsity({ channels, budget });
      wide.append(nearest);
      const result = await feed(methods.doubleSparsity({ channels, budget, labels: 'bfloat16' })).decode(...x.tensors);
      expect(lists(result.pattern, heads)).toEqual(lists(wide.pattern(x.tensors[0]), heads));
      const exact = feed(methods.doubleSparsity({ channels, budget })).pattern(x.tensors[0]);
      differ ||= `${lists(exact, heads)}` !== `${lists(result.pattern, heads)}`;
      await expectPattern(result, x);
    }
    expect(differ).toBe(true);
  });

  test('labels in bfloat16 of the largest numbers stay finite; a NaN key is an error', () => {
    const q = { data: Float32Array.of(0, 1), dims: [1, 1, 1, 2] };
    const append = (data: Float32Array) => {
      const method = methods.doubleSparsity({ channels: Int32Array.of(0, 1), budget: 1, labels: 'bfloat16' });
      method.append({ data, dims: [1, 1, data.length / 2, 2] });
      return method;
    };
    expect([...(append(Float32Array.of(3.4028234e38, 1, -3.4028234e38, 2)).pattern(q).columns?.index ?? [])]).toEqual([1]);
    const nan = new Float32Array(Uint32Array.of(0x7f800001, 0, 0, 0).buffer); // of which the upper half alone is an infinity
    expect(() => append(nan).pattern(q)).toThrow(expect.objectContaining({ code: 'ERR_SK_NAN' }));
  });

  test('all channels and all tokens are dense attention', async () => {
    const channels = Int32Array.from({ length: kvHeads * dim }, (_, i) => i % dim);
    const result = await feed(methods.doubleSparsity({ channels, budget: keys })).decode(...x.tensors);
    expect((await result.report()).leastCoveredMass).toBeCloseTo(1, 5);
  });

  test('refuses channels that k lacks, and queries of other dims than the keys', () => {
    const some = feed(methods.doubleSparsity({ channels: Int32Array.of(0, 1), budget: 1 }));
    const short = { data: new Float32Array(heads), dims: [1, heads, 1, 1] };
    expect(() => some.pattern(short)).toThrow(expect.objectContaining({ code: 'ERR_SK_SHAPE' }));
    const method = methods.doubleSparsity({ channels: Int32Array.of(0, dim), budget: 1 });
    expect(() => method.append(x.tensors[1])).toThrow(expect.objectContaining({ code: 'ERR_SK_SHAPE' }));
    const labels = { channels: Int32Array.of(0), budget: 1, labels: 'float16' as never };
    expect(() => methods.doubleSparsity(labels)).toThrow(expect.objectContaining({ code: 'ERR_SK_OPTION' }));
  });
});

describe('tidalDecode', () => {
  test('later layers attend to the tokens of the selection layer', async () => {
    const tidal = methods.tidalDecode({ tokens: 20, selectionLayers: [2, 4] });
    const dense = await tidal.decode(0, ...x.tensors);
    expect((await dense.report()).coveredMass).toBeCloseTo(1, 5);
    await tidal.decode(2, ...x.tensors);
    const other = { data: uniform(heads * dim, 33), dims: [1, heads, 1, dim] };
    const result = await tidal.decode(3, other, x.tensors[1], x.tensors[2]);
    const all = Array.from({ length: dim }, (_, c) => c);
    const newest = (h: number) => {
      const best = tokensByChannels({ ...x.all, keys } satisfies Input, h, all, 20);
      return best.includes(keys - 1) ? best : [...tokensByChannels(x.all, h, all, 19), keys - 1];
    };
    expect(lists(result.pattern, heads)).toEqual(Array.from({ length: heads }, (_, h) => newest(h)));
  });

  test('refuses a layer before any selection, and other keys than it saw', async () => {
    const tidal = methods.tidalDecode({ tokens: 20 });
    await expect(tidal.decode(3, ...x.tensors)).rejects.toMatchObject({ code: 'ERR_SK_OPTION' });
    await tidal.decode(2, ...x.tensors);
    const more = { data: new Float32Array(kvHeads * 8 * dim), dims: [1, kvHeads, 8, dim] };
    await expect(tidal.decode(3, x.tensors[0], more, more)).rejects.toMatchObject({ code: 'ERR_SK_SHAPE' });
  });
});
