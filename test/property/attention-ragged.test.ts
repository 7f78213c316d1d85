/** Sequences of different lengths in one plan, against each by itself. */
import fc from 'fast-check';
import { attention } from 'sparse-kernels';
import { describe, expect, test } from 'vitest';
import { denseAttention } from '../reference/attention.js';
import { firstMismatch } from '../reference/compare.js';
import { uniform } from '../support/random.js';

const [heads, kvHeads, headDim] = [2, 1, 8];

interface Lengths {
  queries: readonly number[];
  keys: readonly number[];
}

/** From lengths to cumulative lengths. */
function starts(lengths: readonly number[]): Int32Array {
  const sums = [0];
  for (const length of lengths) sums.push((sums.at(-1) as number) + length);
  return Int32Array.from(sums);
}

/** Which sequence a token is of, and its place there. */
function places(lengths: readonly number[]): [sequence: number, place: number][] {
  return lengths.flatMap((length, s) => Array.from({ length }, (_, i) => [s, i] as [number, number]));
}

const tensorOf = (h: number, tokens: number, seed: number) => ({
  data: uniform(h * tokens * headDim, seed).map((x) => 2 * x),
  dims: [1, h, tokens, headDim],
});
const total = (lengths: readonly number[]) => lengths.reduce((a, b) => a + b, 0);

function operands({ queries, keys }: Lengths) {
  return [tensorOf(heads, total(queries), 1), tensorOf(kvHeads, total(keys), 2), tensorOf(kvHeads, total(keys), 3)] as const;
}

/** The oracle: a query sees keys of its own sequence, bottom-right aligned. */
function expected({ queries, keys }: Lengths, sees: (s: number, position: number, key: number) => boolean) {
  const [q, k, v] = operands({ queries, keys });
  const [from, to] = [places(queries), places(keys)];
  return denseAttention({
    ...{ batch: 1, heads, kvHeads, headDim, queries: from.length, keys: to.length, scale: 1 / Math.sqrt(headDim) },
    ...{ q: q.data, k: k.data, v: v.data },
    sees: (_, __, i, j) => {
      const [s, place] = from[i] as [number, number];
      const [other, key] = to[j] as [number, number];
      return s === other && sees(s, place + (keys[s] as number) - (queries[s] as number), key);
    },
  });
}

const lengths = fc
  .array(fc.tuple(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 0, max: 60 })), { minLength: 1, maxLength: 7 })
  .map((pairs): Lengths => ({ queries: pairs.map(([n]) => n), keys: pairs.map(([, t]) => t) }))
  .filter(({ queries }) => total(queries) > 0);
const blockSize = fc.tuple(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 40 }));

test('dense, causal and windowed attention of sequences of any lengths', () => {
  fc.assert(
    fc.property(lengths, blockSize, fc.boolean(), fc.option(fc.integer({ min: 1, max: 50 })), (of, blockSize, causal, window) => {
      const reach = causal ? window : null;
      const { plan, run } = attention.ragged({
        ...{ queryStarts: starts(of.queries), keyStarts: starts(of.keys), blockSize, causal },
        ...(reach !== null && { window: reach }),
      });
      using attend = attention.plan({ ...plan, heads, kvHeads, headDim });
      const result = attend.runSync(...operands(of), run);
      const want = expected(of, (_, position, key) => !causal || (key <= position && (reach === null || key > position - reach)));
      expect(firstMismatch(result.output.data, want.output, 1e-5)).toBeNull();
      expect(firstMismatch(result.lse.data, want.lse, 1e-5)).toBeNull();
    }),
  );
});

test('lists name no more than a tile at each end of what a block of queries sees', () => {
  fc.assert(
    fc.property(lengths, blockSize, fc.boolean(), (of, blockSize, causal) => {
      const { plan } = attention.ragged({ queryStarts: starts(of.queries), keyStarts: starts(of.keys), blockSize, causal });
      const { start, count, index } = plan.pattern.tiles as attention.Rows;
      const [from, to] = [places(of.queries), places(of.keys)];
      for (let r = 0; r < count.length; r++) {
        const block = from.slice(r * blockSize[0], (r + 1) * blockSize[0]);
        for (const tile of index.subarray(start[r], (start[r] as number) + (count[r] as number))) {
          const [s, key] = to[tile] as [number, number];
          const shift = (of.keys[s] as number) - (of.queries[s] as number);
          expect(block.some(([own, place]) => own === s && (!causal || key <= place + shift))).toBe(true);
        }
      }
    }),
  );
});

/** Lengths that are multiples of the block's queries, so that each sequence can have lists of its own. */
const sparse = fc
  .record({
    bq: fc.integer({ min: 1, max: 8 }),
    bk: fc.integer({ min: 1, max: 20 }),
    blocks: fc.array(fc.tuple(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 60 })), { minLength: 1, maxLength: 5 }),
    seed: fc.nat(1e6),
    causal: fc.boolean(),
  })
  .map(({ blocks, bq, ...rest }) => ({ ...rest, bq, queries: blocks.map(([n]) => n * bq), keys: blocks.map(([, t]) => t) }));

test('each sequence by a pattern of its own, for each head', () => {
  fc.assert(
    fc.property(sparse, ({ bq, bk, seed, causal, ...of }) => {
      const bits = of.queries.map((queries, s) => {
        const blocks = heads * Math.ceil(queries / bq) * Math.ceil((of.keys[s] as number) / bk);
        return Uint8Array.from(uniform(blocks, seed + s), (x) => (x > 0 ? 1 : 0));
      });
      const patterns = of.queries.map((queryLength, s) =>
        attention.patterns.fromMask(bits[s] as Uint8Array, {
          ...{ queryLength, keyLength: of.keys[s] as number, blockSize: [bq, bk] as const, heads: 'q' as const, sets: heads },
        }),
      );
      const { plan, run } = attention.ragged({ queryStarts: starts(of.queries), keyStarts: starts(of.keys), patterns, causal });
      using attend = attention.plan({ ...plan, heads, kvHeads, headDim });
      const result = attend.runSync(...operands(of), run);
      const [q, k, v] = operands(of);
      const part = (x: { data: Float32Array; dims: readonly number[] }, from: number, tokens: number) => {
        const [, h, all] = x.dims as [number, number, number];
        const data = Array.from({ length: h }, (_, i) => x.data.slice((i * all + from) * headDim, (i * all + from + tokens) * headDim));
        return { data: Float32Array.from(data.flatMap((row) => [...row])), dims: [1, h, tokens, headDim] };
      };
      const [queryStarts, keyStarts] = [starts(of.queries), starts(of.keys)];
      for (const [s, pattern] of patterns.entries()) {
        using alone = attention.plan({ pattern, causal, heads, kvHeads, headDim });
        const keys = [keyStarts[s] as number, of.keys[s] as number] as const;
        const own = [queryStarts[s] as number, of.queries[s] as number] as const;
        const want = alone.runSync(part(q, ...own), part(k, ...keys), part(v, ...keys));
        expect(firstMismatch(part(result.output, ...own).data, want.output.data, 1e-5)).toBeNull();
      }
    }),
  );
});

describe('refusals', () => {
  const at = (...numbers: number[]) => Int32Array.from(numbers);
  const pattern = attention.patterns.dense({ queryLength: 4, blockSize: [4, 4] });
  test.each<[string, attention.RaggedOptions, string]>([
    ['one number', { queryStarts: at(0) }, 'ERR_SK_SHAPE'],
    ['a start above 0', { queryStarts: at(1, 2) }, 'ERR_SK_SHAPE'],
    ['a descent', { queryStarts: at(0, 3, 2) }, 'ERR_SK_SHAPE'],
    ['no queries', { queryStarts: at(0, 0) }, 'ERR_SK_OPTION'],
    ['other sequences of keys', { queryStarts: at(0, 4), keyStarts: at(0, 2, 4) }, 'ERR_SK_SHAPE'],
    ['a window without causality', { queryStarts: at(0, 4), window: 3 }, 'ERR_SK_OPTION'],
    ['plain numbers', { queryStarts: [0, 4] as unknown as Int32Array }, 'ERR_SK_TYPE'],
    ['a pattern too few', { queryStarts: at(0, 4, 8), patterns: [pattern] }, 'ERR_SK_SHAPE'],
    ['a pattern of another length', { queryStarts: at(0, 5), patterns: [pattern] }, 'ERR_SK_SHAPE'],
    ['a begin within a block', { queryStarts: at(0, 3, 7), keyStarts: at(0, 4, 8), patterns: [pattern, pattern] }, 'ERR_SK_SHAPE'],
    ['two block sizes', { queryStarts: at(0, 4), patterns: [pattern], blockSize: [4, 4] }, 'ERR_SK_OPTION'],
  ])('%s', (_, options, code) => {
    expect(() => attention.ragged(options)).toThrow(expect.objectContaining({ code }));
  });
});
