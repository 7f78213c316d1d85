/** What attention.select promises beyond what the parity tests show of every kernel. */
import fc from 'fast-check';
import { attention } from 'sparse-kernels';
import { describe, expect, test } from 'vitest';
import { ranking } from '../reference/select.js';
import { uniform } from '../support/random.js';

const listOf = ({ start, count, index }: attention.Rows, row = 0) =>
  Array.from(index.subarray(start[row], (start[row] as number) + (count[row] as number)));

describe('select', () => {
  const dyadic = { data: Float32Array.of(0.5, 0.25, 0.125, 0.125), dims: [1, 4] };
  const table: [number, number, number, number, number, number][] = [
    // p, XAttention, PBS-Attn, SpargeAttn, FlexPrefill lines, FlexPrefill query-aware
    [0.4, 1, 1, 1, 1, 0],
    [0.5, 1, 1, 1, 2, 1],
    [0.75, 2, 2, 2, 3, 2],
    [0.8, 3, 3, 2, 3, 2],
  ];
  test.each(table)('top-p %d keeps what each method keeps', (topP, xattention, pbs, sparge, lines, queryAware) => {
    const count = (o: Partial<attention.SelectOptions>) => attention.selectSync(dyadic, { topP, ...o }).count[0];
    expect(count({ crossing: 'include', relative: true })).toBe(xattention);
    expect(count({ crossing: 'include', needsReach: true })).toBe(pbs);
    expect(count({ crossing: 'exclude', minCount: 1 })).toBe(sparge);
    expect(count({ crossing: 'exceed' })).toBe(lines);
    expect(count({ crossing: 'exclude' })).toBe(queryAware);
  });

  test.each([
    [0.4, 1], // no prefix is within it: the least share that is seen in full is one block
    [0.5, 2],
    [0.75, 3],
    [0.8, 3],
  ])('the levels of PSA: the boundary of %d', async (energy, boundary) => {
    const [level] = await attention.selectLevels(dyadic, { energies: [energy] });
    expect(level?.count[0]).toBe(boundary);
  });

  test('top-p: forced columns are the start of the prefix', () => {
    const count = (topP: number) => listOf(attention.selectSync(dyadic, { topP, relative: true, force: { local: 1 } }));
    expect(count(0.1)).toEqual([3]);
    expect(count(0.6)).toEqual([0, 3]);
    expect(count(0.7)).toEqual([0, 1, 3]);
  });

  test('top-p: a row that does not reach p', () => {
    expect(attention.selectSync(dyadic, { topP: 2 }).count[0]).toBe(4);
    expect(attention.selectSync(dyadic, { topP: 2, needsReach: true }).count[0]).toBe(0);
  });

  test('top-k where just k scores lie above the lower bound that an even sample of the row suggests', () => {
    const [columns, topK, step] = [32768, 1024, 32];
    const isSampled = (i: number) => i % step === Math.floor(i / step) % step;
    const data = Float32Array.from({ length: columns }, (_, i) => -1 - i / columns);
    // Of 1024 sampled scores about 32 are expected above the cut; the bound is the 51st best.
    for (let r = 0; r < 51; r++) data[20 * r * step + ((20 * r) % step)] = 2;
    for (let i = columns - 1, left = topK - 51; left > 0; i--) if (!isSampled(i)) [data[i], left] = [3, left - 1];
    const best = Array.from(data.keys()).filter((i) => (data[i] as number) > 0);
    expect(listOf(attention.selectSync({ data, dims: [1, columns] }, { topK }))).toEqual(best);
  });

  test('forced columns count towards k and are not listed twice', () => {
    const scores = { data: Float32Array.of(9, 1, 8, 2, 7, 3, 6, 4), dims: [1, 8] };
    const lists = (o: attention.SelectOptions) => listOf(attention.selectSync(scores, o));
    expect(lists({ topK: 3, force: { sink: 1, local: 1 } })).toEqual([0, 2, 7]);
    expect(lists({ topK: 1, force: { sink: 2, local: 2 } })).toEqual([0, 1, 6, 7]);
    expect(lists({ topK: 0, force: { sink: 5, local: 5 } })).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(lists({ topK: 3, limit: Int32Array.of(5), force: { local: 2 } })).toEqual([0, 3, 4]);
    expect(lists({ topK: 2, firstColumn: 3 })).toEqual([4, 6]);
  });

  test('limits repeat over the leading axes, the last rows keep all', () => {
    const scores = { data: uniform(2 * 3 * 4, 1), dims: [2, 3, 4] };
    const lists = attention.selectSync(scores, { topK: 1, limit: Int32Array.of(1, 2, 3), force: { lastRows: 1 } });
    expect([...lists.count]).toEqual([1, 1, 3, 1, 1, 3]);
    expect(listOf(lists, 0)).toEqual([0]);
    expect(listOf(lists, 5)).toEqual([0, 1, 2]);
  });

  test('top-p: a forced column of -Infinity has no share, and rows that keep all need not reach anything', () => {
    const masked = { data: Float32Array.of(Number.NEGATIVE_INFINITY, 0.5, 0.25, 0.25), dims: [1, 4] };
    expect(listOf(attention.selectSync(masked, { topP: 0.5, force: { sink: 1 } }))).toEqual([0, 1]);
    for (const relative of [false, true]) {
      const whole = attention.selectSync(
        { data: new Float32Array(8), dims: [2, 4] },
        { topP: 0.5, relative, needsReach: true, force: { lastRows: 1 } },
      );
      expect(listOf(whole, 1)).toEqual([0, 1, 2, 3]);
    }
  });

  test('thresholds, strict or not, one a row', () => {
    const scores = { data: Float32Array.of(1, 2, 3, 1, 2, 3), dims: [2, 3] };
    const at = attention.selectSync(scores, { threshold: [2, 1] });
    expect([listOf(at, 0), listOf(at, 1)]).toEqual([
      [1, 2],
      [0, 1, 2],
    ]);
    expect(listOf(attention.selectSync(scores, { threshold: 2, strict: true }))).toEqual([2]);
    expect(listOf(attention.selectSync(scores, { threshold: 0, capacity: 2 }))).toEqual([1, 2]); // the best where not all fit
  });

  test('a Gaussian threshold keeps about k of normal scores', () => {
    const n = 4096;
    const normal = uniform(12 * n, 5).reduce((sums, x, i) => {
      sums[i % n] = (sums[i % n] as number) + x;
      return sums;
    }, new Float32Array(n));
    const [count] = attention.selectSync({ data: normal, dims: [1, n] }, { gaussianK: 256 }).count;
    expect(count).toBeGreaterThan(200);
    expect(count).toBeLessThan(312);
  });

  test('a Gaussian threshold of as many as there are keeps all, be they equal', () => {
    const rows = { data: Float32Array.of(7, 0, 0, 3, 3, 3, 1, 2, 3), dims: [3, 3] };
    const { count } = attention.selectSync(rows, { gaussianK: 3, limit: Int32Array.of(1, 3, 3) });
    expect([...count]).toEqual([1, 3, 3]);
    const whole = attention.selectSync(rows, { gaussianK: 1, force: { lastRows: 2 } });
    expect([...whole.count]).toEqual([1, 3, 3]);
  });

  test('ties go to the lower column; -Infinity is never kept', () => {
    const even = { data: new Float32Array(100).fill(1), dims: [1, 100] };
    expect(listOf(attention.selectSync(even, { topK: 3 }))).toEqual([0, 1, 2]);
    const masked = { data: Float32Array.of(-Infinity, 1, -Infinity), dims: [1, 3] };
    expect(listOf(attention.selectSync(masked, { topK: 2 }))).toEqual([1]);
    expect(listOf(attention.selectSync(masked, { topK: 2, force: { sink: 1 } }))).toEqual([0, 1]);
  });

  test('select and selectSync agree, on any number of threads', async () => {
    const scores = { data: uniform(40 * 3000, 3), dims: [40, 3000] };
    for (const rule of [{ topK: 100 }, { topP: 200, crossing: 'exclude' }, { threshold: 0.5 }] as const) {
      const sync = attention.selectSync(scores, { ...rule, threads: 1 });
      const { index, count } = await attention.select(scores, rule);
      expect(count).toEqual(sync.count);
      expect(index).toEqual(sync.index);
    }
  });

  test('top-p of long rows is the prefix of the sorted row', () => {
    const scores = uniform(5000, 9).map(Math.abs);
    const ranked = ranking((i) => scores[i] as number, 5000);
    const total = scores.reduce((a, b) => a + b, 0);
    let sum = 0;
    let kept = 0;
    while (sum < 0.9 * total) sum += scores[ranked[kept++] as number] as number;
    const list = listOf(attention.selectSync({ data: scores, dims: [1, 5000] }, { topP: 0.9, relative: true }));
    expect(list).toEqual(ranked.slice(0, kept).sort((a, b) => a - b));
  });

  test('lists are those of sorting', () => {
    const row = fc.array(fc.float({ noNaN: true }), { minLength: 1, maxLength: 200 });
    fc.assert(
      fc.property(row, fc.nat(210), (values, topK) => {
        const scores = Float32Array.from(values);
        const ranked = ranking((i) => scores[i] as number, scores.length).slice(0, topK);
        const expected = ranked.filter((i) => scores[i] !== -Infinity).sort((a, b) => a - b);
        expect(listOf(attention.selectSync({ data: scores, dims: [1, scores.length] }, { topK }))).toEqual(expected);
      }),
    );
  });

  test.each([
    ['NaN', { topK: 1 }, Float32Array.of(0, 1, Number.NaN), 'ERR_SK_NAN', /row 0, column 2/],
    ['NaN in a longer row', { topK: 9 }, uniform(300, 1).fill(Number.NaN, 77, 78), 'ERR_SK_NAN', /row 0, column 77/],
    ['no rule', {}, Float32Array.of(1), 'ERR_SK_OPTION', /one of topK/],
    ['two rules', { topK: 1, threshold: 0 }, Float32Array.of(1), 'ERR_SK_OPTION', /topK and threshold/],
    ['k of another length', { topK: [1, 2] }, Float32Array.of(1), 'ERR_SK_SHAPE', /1 numbers, one a row/],
    ['negative k', { topK: -1 }, Float32Array.of(1), 'ERR_SK_OPTION', /topK .* from 0 .* -1/],
    ['a NaN threshold', { threshold: Number.NaN }, Float32Array.of(1), 'ERR_SK_OPTION', /NaN/],
    ['a limit of another length', { topK: 1, limit: Int32Array.of(1, 1) }, Float32Array.of(1), 'ERR_SK_SHAPE', /limit/],
    ['too little room for what is forced', { topK: 1, capacity: 1, force: { sink: 2 } }, Float32Array.of(1, 2), 'ERR_SK_SHAPE', /capacity/],
    ['an unknown option', { top: 1 }, Float32Array.of(1), 'ERR_SK_OPTION', /'top'/],
  ])('refuses %s', async (_, options, data, code, message) => {
    const scores = { data, dims: [1, data.length] };
    expect(() => attention.selectSync(scores, options as attention.SelectOptions)).toThrow(
      expect.objectContaining({ code, message: expect.stringMatching(message) }),
    );
    await expect(attention.select(scores, options as attention.SelectOptions)).rejects.toMatchObject({ code });
  });
});
