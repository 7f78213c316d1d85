/** NaN and infinity in operands: they reach the queries that see them, and nothing else. */
import { attention, type Isa, kernels } from 'sparse-kernels';
import { describe, expect, test } from 'vitest';
import { uniform } from '../support/random.js';

const { patterns } = attention;
const tensor = (heads: number, tokens: number, batch = 1) => ({
  data: uniform(batch * heads * tokens * 8, heads),
  dims: [batch, heads, tokens, 8],
});

test('values beyond keyLengths and of keys with a bias of -Infinity are never read: NaN there does not show', () => {
  for (const queries of [1, 40]) {
    const [x, y, z] = [tensor(4, queries, 2), tensor(2, 300, 2), tensor(2, 300, 2)];
    const pattern = patterns.dense({ queryLength: queries, keyLength: 300 });
    const whole = attention.plan({ pattern, heads: 4, kvHeads: 2, headDim: 8, batch: 2 });
    const keyBias = new Float32Array(300).fill(Number.NEGATIVE_INFINITY, 10, 20);
    const run = () => whole.runSync(x, y, z, { keyLengths: Int32Array.of(257, 200), keyBias }).output.data;
    const clean = run();
    for (const { data } of [y, z]) {
      for (let row = 0; row < 2 * 2 * 300; row++) {
        const t = row % 300;
        if (t >= (row < 600 ? 257 : 200) || (t >= 10 && t < 20)) data.fill(Number.NaN, row * 8, row * 8 + 8);
      }
    }
    expect(run()).toEqual(clean);
  }
});

const isas = [...new Set(kernels().flatMap((row) => (row.verb === 'attend' && row.supported ? [row.isa as Isa] : [])))];
// Many rows of a list, few rows, one row in parts, rows with lists of their own that share tiles.
const shapes = [
  { queries: 64, keys: 64, blockSize: [64, 16], kernel: 'any' },
  { queries: 4, keys: 64, blockSize: [4, 16], kernel: 'any' },
  { queries: 1, keys: 5000, blockSize: [1, 16], kernel: 'any' },
  { queries: 64, keys: 64, blockSize: [1, 16], kernel: 'keys' },
] as const;

describe.each(isas)('%s', (isa) => {
  test.each(shapes)('NaN and infinite scores: $queries queries in blocks of $blockSize', ({ queries, keys, blockSize, kernel }) => {
    const pattern = patterns.dense({ queryLength: queries, keyLength: keys, blockSize });
    const plan = attention.plan({ pattern, heads: 2, kvHeads: 1, headDim: 8, causal: true, isa });
    expect(plan.kernel).toContain(`_${kernel}_`);
    const [q, k] = [tensor(2, queries), tensor(1, keys)];
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY]) {
      const broken = { ...k, data: k.data.slice() };
      broken.data.fill(value, (keys - 1) * 8); // the last query alone sees the last key
      const { output, lse } = plan.runSync(q, broken, k);
      const clean = plan.runSync(q, k, k);
      for (const head of [0, 1]) {
        const last = (head + 1) * queries - 1;
        expect(lse.data.subarray(last + 1 - queries, last)).toEqual(clean.lse.data.subarray(last + 1 - queries, last));
        expect(output.data.subarray((last + 1 - queries) * 8, last * 8)).toEqual(
          clean.output.data.subarray((last + 1 - queries) * 8, last * 8),
        );
        expect(Number.isFinite(lse.data[last])).toBe(false);
        if (Number.isNaN(value)) expect(output.data.subarray(last * 8, (last + 1) * 8).every(Number.isNaN)).toBe(true);
      }
    }
  });
});

test('merge: NaN stays NaN, whatever lies beside it', async () => {
  const state = (lse: number): attention.AttentionResult => ({
    output: { type: 'float32', data: new Float32Array(8).fill(1), dims: [1, 1, 1, 8] },
    lse: { type: 'float32', data: Float32Array.of(lse), dims: [1, 1, 1] },
  });
  for (const lses of [[Number.NaN], [Number.NaN, Number.NEGATIVE_INFINITY], [Number.NEGATIVE_INFINITY, Number.NaN], [1, Number.NaN, 2]]) {
    const { output, lse } = await attention.merge(...(lses.map(state) as [attention.AttentionResult]));
    expect([lse.data[0], output.data[0]]).toEqual([Number.NaN, Number.NaN]);
  }
});
