/** Methods that rank keys for every query do so for some queries after the others: where one batch of queries ends cannot be seen. */
import { attention, type Tensor } from 'sparse-kernels';
import { expect, test } from 'vitest';
import { listedPairs } from '../reference/attention.js';
import { uniform } from '../support/random.js';

const { methods } = attention;
const dim = 8;
const [heads, kvHeads] = [2, 1];
const random = (count: number, tokens: number, seed: number) => uniform(count * tokens * dim, seed).map((x) => 3 * x);

/** Tokens [begin, end) of every head. */
function cut(x: Float32Array, count: number, tokens: number, begin: number, end: number) {
  const parts = Array.from({ length: count }, (_, h) => [...x.subarray((h * tokens + begin) * dim, (h * tokens + end) * dim)]);
  return { type: 'float32' as const, data: Float32Array.from(parts.flat()), dims: [1, count, end - begin, dim] };
}

const compress = { data: uniform(32 * dim * dim, 4), dims: [1, 32 * dim, dim] };
const nsa = methods.nsa({ compressKeys: compress, compressValues: compress, blocks: 4, local: 1, span: 8 });
const nosa = methods.nosa({ delta: { data: uniform(dim, 6), dims: [1, dim] }, a: Float32Array.of(1), blocks: 4, queryBlocks: 2, local: 1 });

// 2^24 scores at a time: sparkAttention has 2 x 5000 a query, the others as many as there are windows, 1249.
test.each<[string, number, number, (q: Tensor, k: Tensor) => Promise<attention.Pattern>]>([
  ['sparkAttention', 5000, 1677, (q, k) => methods.sparkAttention({ predictor: 8, keys: 20 }).pattern(q, k)],
  [
    'sparkAttention, tokens before heads',
    5000,
    1677,
    (q, k) => {
      const outside = (x: Tensor) => ({ ...x, data: swapped(x), dims: [1, x.dims[2] as number, x.dims[1] as number, dim] });
      return methods.sparkAttention({ predictor: 8, keys: 20, layout: 'BSHD' }).pattern(outside(q), outside(k));
    },
  ],
  ['infllmV2', 20_000, 13_432, (q, k) => methods.infllmV2({ blocks: 4, local: 1, denseLength: 0 }).pattern(q, k)],
  ['nosa', 20_000, 13_432, async (q, k) => (await nosa.prefill(q, k, k)).pattern],
  [
    'nsa',
    20_000,
    13_432,
    async (q, k) =>
      (await nsa.prefill(q, k, k, { data: new Float32Array((q.dims[2] as number) * 3), dims: [1, q.dims[2] as number, 3] })).pattern,
  ],
])('%s', async (_, tokens, boundary, choose) => {
  const [q, k] = [random(heads, tokens, 1), random(kvHeads, tokens, 2)];
  const whole = await choose(cut(q, heads, tokens, 0, tokens), cut(k, kvHeads, tokens, 0, tokens));
  const [begin, end] = [boundary - 20, boundary + 20];
  const part = await choose(cut(q, heads, tokens, begin, end), cut(k, kvHeads, tokens, 0, end));
  const lists = whole.tiles ?? whole.columns;
  const wanted = part.tiles ?? part.columns;
  for (let set = 0; set < whole.sets; set++) {
    for (let i = begin; i < end; i++) {
      const at = (rows: attention.Rows | undefined, r: number) =>
        rows?.index.subarray(rows.start[r] as number, (rows.start[r] as number) + (rows.count[r] as number));
      expect(at(lists, set * tokens + i)).toEqual(at(wanted, set * (end - begin) + i - begin));
    }
  }
  expect(listedPairs(part).some((n) => n > 0)).toBe(true);
});

/** [1, heads, tokens, dim] as [1, tokens, heads, dim]. */
function swapped({ data, dims }: Tensor): Float32Array {
  const [, count, tokens] = dims as [number, number, number];
  const out = new Float32Array(data.length);
  for (let h = 0; h < count; h++) {
    for (let t = 0; t < tokens; t++)
      out.set((data as Float32Array).subarray((h * tokens + t) * dim, (h * tokens + t + 1) * dim), (t * count + h) * dim);
  }
  return out;
}
