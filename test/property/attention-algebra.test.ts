/** Patterns of any sizes against the pairs that they stand for, written down one by one. */
import fc from 'fast-check';
import { attention } from 'sparse-kernels';
import { expect, test } from 'vitest';
import { listedPairs } from '../reference/attention.js';

const { patterns } = attention;

const sizes = fc
  .record({ n: fc.integer({ min: 1, max: 60 }), t: fc.nat(90), bq: fc.integer({ min: 1, max: 20 }), bk: fc.integer({ min: 1, max: 20 }) })
  .map(({ n, t, bq, bk }) => ({ queryLength: n, keyLength: t, blockSize: [bq, bk] as const }));
type Size = typeof sizes extends fc.Arbitrary<infer S> ? S : never;

const blocks = ({ queryLength, keyLength, blockSize }: Size) =>
  [Math.ceil(queryLength / blockSize[0]), Math.ceil(keyLength / blockSize[1])] as const;

const maskOf = (size: Size, bits: readonly boolean[]) => {
  const [rows, columns] = blocks(size);
  return Uint8Array.from({ length: rows * columns }, (_, i) => Number(bits[i % bits.length]));
};
const bits = fc.array(fc.boolean(), { minLength: 7, maxLength: 31 });
const listed = (pattern: attention.Pattern) => Array.from(listedPairs(pattern), (n) => n !== 0);

/** The pairs (i, j) of a size, in order. */
const pairs = ({ queryLength, keyLength }: Size, sees: (i: number, j: number) => boolean) =>
  Array.from({ length: queryLength * keyLength }, (_, at) => sees(Math.floor(at / keyLength), at % keyLength));

test('band and dense: whole tiles that a block of queries reaches', () =>
  fc.assert(
    fc.property(sizes, fc.nat(60), fc.nat(60), fc.nat(40), (size, before, after, sink) => {
      const { queryLength, keyLength, blockSize } = size;
      const reached = (least: number, most: number, first: number) =>
        pairs(size, (i, j) => {
          const begin = Math.floor(i / blockSize[0]) * blockSize[0] + keyLength - queryLength;
          const end = Math.min(begin + blockSize[0], keyLength) - 1;
          const tile = Math.floor(j / blockSize[1]) * blockSize[1];
          if (tile > end + most) return false;
          return tile < first || Math.min(tile + blockSize[1], keyLength) > begin - least;
        });
      expect(listed(patterns.band({ ...size, before, after, sink }))).toEqual(reached(before, after, sink));
      expect(listed(patterns.dense({ ...size, causal: true }))).toEqual(reached(1000, 0, 0));
    }),
    { numRuns: 200 },
  ));

test('transpose turns pairs around, and twice gives the pattern back; perHead keeps each head its own', () =>
  fc.assert(
    fc.property(sizes, bits, bits, (size, a, b) => {
      fc.pre(size.keyLength > 0);
      const [first, second] = [a, b].map((choice) => patterns.fromMask(maskOf(size, choice), size)) as [
        attention.Pattern,
        attention.Pattern,
      ];
      const turned = patterns.transpose(first);
      const other = listed(turned);
      expect(listed(first)).toEqual(pairs(size, (i, j) => other[j * size.queryLength + i] === true));
      expect(patterns.toMask(patterns.transpose(turned))).toEqual(maskOf(size, a));
      const keys = patterns.columns(patterns.rows(Array.from({ length: blocks(size)[0] }, () => [size.keyLength - 1])), size);
      const slashes = patterns.slashes({ ...size, slashes: [3] });
      const parts = [first, keys, slashes, second] as const;
      expect(listed(patterns.perHead(parts, 'q'))).toEqual(parts.flatMap(listed));
    }),
    { numRuns: 200 },
  ));
