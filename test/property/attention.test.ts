/** Laws of attention over random patterns, and agreement with the attention operators of onnxruntime. */
import fc from 'fast-check';
import { attention } from 'sparse-kernels';
import { describe, expect, test } from 'vitest';
import { listedPairs } from '../reference/attention.js';
import { firstMismatch } from '../reference/compare.js';
import { uniform } from '../support/random.js';

const { patterns } = attention;
const tolerance = 1e-5;

interface Sizes {
  n: number;
  t: number;
  bq: number;
  bk: number;
  kvHeads: number;
  group: number;
  d: number;
  causal: boolean;
  seed: number;
}

const sizes: fc.Arbitrary<Sizes> = fc.record({
  n: fc.integer({ min: 1, max: 70 }),
  t: fc.integer({ min: 1, max: 150 }),
  bq: fc.integer({ min: 1, max: 70 }),
  bk: fc.integer({ min: 1, max: 70 }),
  kvHeads: fc.integer({ min: 1, max: 2 }),
  group: fc.integer({ min: 1, max: 5 }),
  d: fc.constantFrom(8, 16, 24, 64),
  causal: fc.boolean(),
  seed: fc.integer({ min: 1, max: 1e6 }),
});

/** For each block of a mask, which of `parts` parts it belongs to, or none. */
function randomParts({ n, t, bq, bk, kvHeads, seed }: Sizes, parts: number): attention.Pattern[] {
  const size = { queryLength: n, keyLength: t, blockSize: [bq, bk] as const, heads: 'kv' as const, sets: kvHeads };
  const blocks = kvHeads * Math.ceil(n / bq) * Math.ceil(t / bk);
  const part = uniform(blocks, seed).map((x) => Math.floor(((x + 1) / 2) * (parts + 1)));
  return Array.from({ length: parts }, (_, p) =>
    patterns.fromMask(
      Uint8Array.from(part, (x) => (x === p ? 1 : 0)),
      size,
    ),
  );
}

function operands({ n, t, kvHeads, group, d, seed }: Sizes) {
  const tensor = (heads: number, tokens: number, s: number) => ({
    data: uniform(heads * tokens * d, seed + s).map((x) => 2 * x),
    dims: [1, heads, tokens, d],
  });
  return [tensor(kvHeads * group, n, 1), tensor(kvHeads, t, 2), tensor(kvHeads, t, 3)] as const;
}

const planOf = (s: Sizes, pattern: attention.Pattern, rules: attention.AttentionRules = {}) =>
  attention.plan({ pattern, heads: s.kvHeads * s.group, kvHeads: s.kvHeads, headDim: s.d, causal: s.causal, ...rules });

function expectClose(actual: attention.AttentionResult, expected: attention.AttentionResult): void {
  expect(firstMismatch(actual.output.data, expected.output.data, tolerance)).toBeNull();
  expect(firstMismatch(actual.lse.data, expected.lse.data, tolerance)).toBeNull();
}

const check = (property: fc.IAsyncProperty<[Sizes]>) => fc.assert(property, { numRuns: 40 });

describe('laws', () => {
  test('the merge of disjoint parts is attention over their union, and so is a run that starts from a part', () =>
    check(
      fc.asyncProperty(sizes, async (s) => {
        const [a, b] = randomParts(s, 2) as [attention.Pattern, attention.Pattern];
        const x = operands(s);
        const whole = planOf(s, patterns.union(a, b)).runSync(...x);
        const [ofA, ofB] = [planOf(s, a).runSync(...x), planOf(s, b).runSync(...x)];
        expectClose(await attention.merge(ofA, ofB), whole);
        expectClose(planOf(s, b).runSync(...x, { initial: ofA }), whole);
      }),
    ));

  test('all tiles are dense attention, in any blocks', () =>
    check(
      fc.asyncProperty(sizes, async (s) => {
        const x = operands(s);
        const size = { queryLength: s.n, keyLength: s.t };
        const whole = planOf(s, patterns.dense(size)).runSync(...x);
        expectClose(planOf(s, patterns.dense({ ...size, blockSize: [s.bq, s.bk], causal: s.causal })).runSync(...x), whole);
        const single = patterns.rows([Array.from({ length: s.t }, (_, j) => s.t - 1 - j)]);
        expectClose(planOf(s, patterns.columns(single, { ...size, blockSize: [s.n, 1] })).runSync(...x), whole);
      }),
    ));

  test('keys, values, positions and lists permuted together change nothing', () =>
    check(
      fc.asyncProperty(sizes, async (s) => {
        const [q, k, v] = operands(s);
        const shift = s.seed % s.t;
        const from = Int32Array.from({ length: s.t }, (_, j) => (j + shift) % s.t); // new key j is old key from[j]
        const move = (x: { data: Float32Array; dims: number[] }) => ({
          ...x,
          data: x.data.map((_, i) => {
            const row = Math.floor(i / s.d);
            return x.data[(row - (row % s.t) + (from[row % s.t] as number)) * s.d + (i % s.d)] as number;
          }),
        });
        const size = { queryLength: s.n, keyLength: s.t, blockSize: [s.n, 1] as const };
        const old = Array.from({ length: s.t }, (_, j) => j).filter((j) => (j * 7 + s.seed) % 3 > 0);
        const moved = old.map((j) => (j - shift + s.t) % s.t);
        const whole = planOf(s, patterns.columns(patterns.rows([old]), size)).runSync(q, k, v);
        expectClose(planOf(s, patterns.columns(patterns.rows([moved]), size)).runSync(q, move(k), move(v), { keyPositions: from }), whole);
      }),
    ));

  test('a key of bias -Infinity is no key; a log weight of ln c is c keys', () =>
    check(
      fc.asyncProperty(sizes, async (s) => {
        const x = operands(s);
        const size = { queryLength: s.n, keyLength: s.t, blockSize: [s.n, 1] as const };
        const kept = Array.from({ length: s.t }, (_, j) => j).filter((j) => (j + s.seed) % 3 > 0);
        const keyBias = Float32Array.from({ length: s.t }, (_, j) => (kept.includes(j) ? 0 : Number.NEGATIVE_INFINITY));
        const few = planOf(s, patterns.columns(patterns.rows([kept]), size)).runSync(...x);
        expectClose(planOf(s, patterns.dense(size)).runSync(...x, { keyBias }), few);
        const weighted = planOf(s, patterns.columns(patterns.rows([kept]), size)).runSync(...x, { logWeight: Math.log(16) });
        expect(firstMismatch(weighted.output.data, few.output.data, tolerance)).toBeNull();
        expect(
          firstMismatch(
            weighted.lse.data,
            few.lse.data.map((l) => l + Math.log(16)),
            tolerance,
          ),
        ).toBeNull();
      }),
    ));

  test('the order of ids, empty capacity between rows and smaller blocks change nothing', () =>
    check(
      fc.asyncProperty(sizes, async (s) => {
        const [pattern] = randomParts(s, 1) as [attention.Pattern];
        const x = operands(s);
        const whole = planOf(s, pattern).runSync(...x);
        const { start, count, index } = pattern.tiles as attention.Rows;
        const capacity = Math.ceil(s.t / s.bk) + 1;
        const padded = new Int32Array(start.length * capacity).fill(-1);
        start.forEach((begin, r) => {
          padded.set(
            index
              .subarray(begin, begin + (count[r] as number))
              .slice()
              .reverse(),
            r * capacity,
          );
        });
        expectClose(
          planOf(s, { ...pattern, tiles: { start: start.map((_, r) => r * capacity), count, index: padded } }).runSync(...x),
          whole,
        );
        expectClose(planOf(s, patterns.expand(pattern, [1, 1])).runSync(...x), whole);
        expect(patterns.toMask(patterns.transpose(patterns.transpose(pattern)))).toEqual(patterns.toMask(pattern));
      }),
    ));
});

describe('patterns', () => {
  test('vertical and slash: every wanted pair once, no key behind its block', () =>
    fc.assert(
      fc.property(
        sizes,
        fc.uniqueArray(fc.nat(200), { maxLength: 12 }),
        fc.uniqueArray(fc.nat(149), { maxLength: 12 }),
        (s, slashes, verticals) => {
          const t = Math.max(s.t, s.n);
          const wanted = verticals.filter((j) => j < t);
          const pattern = patterns.verticalSlash({ queryLength: s.n, keyLength: t, blockSize: [s.bq, s.bk], slashes, verticals: wanted });
          const pairs = listedPairs(pattern); // throws where a key is listed twice
          for (let i = 0; i < s.n; i++) {
            const position = i + t - s.n;
            for (const o of slashes) if (position >= o) expect(pairs[i * t + position - o]).toBe(1);
            for (const j of wanted) if (j <= position) expect(pairs[i * t + j]).toBe(1);
          }
          const { start, count, index } = pattern.columns as attention.Rows;
          start.forEach((begin, r) => {
            const last = Math.min((r + 1) * s.bq, s.n) - 1 + t - s.n;
            for (const j of index.subarray(begin, begin + (count[r] as number))) expect(j).toBeLessThanOrEqual(last);
          });
        },
      ),
      { numRuns: 200 },
    ));

  test('union lists what either lists, once', () =>
    fc.assert(
      fc.property(sizes, fc.uniqueArray(fc.nat(200), { maxLength: 5 }), (s, slashes) => {
        const size = { queryLength: s.n, keyLength: s.t, blockSize: [s.bq, s.bk] as const };
        const [blocks] = randomParts({ ...s, kvHeads: 1 }, 1) as [attention.Pattern];
        const a = { ...blocks, heads: 'shared' as const };
        const columns = patterns.columns(
          patterns.rows(Array.from({ length: Math.ceil(s.n / s.bq) }, (_, r) => (r % 2 ? [0, s.t - 1].slice(s.t > 1 ? 0 : 1) : []))),
          size,
        );
        const parts = [a, columns, patterns.slashes({ ...size, slashes })] as const;
        const both = listedPairs(patterns.union(...parts));
        for (const part of parts) expect(listedPairs(part).every((wanted, i) => wanted === 0 || both[i] === 1)).toBe(true);
        const exact = listedPairs(patterns.union(a, columns)); // on one grid nothing is added
        const [ofA, ofColumns] = [listedPairs(a), listedPairs(columns)];
        expect(exact).toEqual(exact.map((_, i) => (ofA[i] as number) | (ofColumns[i] as number)));
      }),
      { numRuns: 60 },
    ));
});
