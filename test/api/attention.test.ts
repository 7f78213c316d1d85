/** attention.plan, run and merge: what is refused, and where exactly the boundary lies. */
import { attention, type SparseKernelsError } from 'sparse-kernels';
import { describe, expect, test, vi } from 'vitest';
import { native } from '../../lib/native.js';
import { firstMismatch } from '../reference/compare.js';
import { uniform } from '../support/random.js';

const { patterns } = attention;
const small = patterns.dense({ queryLength: 4, keyLength: 6, blockSize: [2, 2] });
const base = { pattern: small, heads: 4, kvHeads: 2, headDim: 8, batch: 2 };
const plan = attention.plan(base);
const tensor = (heads: number, tokens: number, d = 8, batch = 2) => ({
  data: uniform(batch * heads * tokens * d, heads),
  dims: [batch, heads, tokens, d],
});
const [q, k, v] = [tensor(4, 4), tensor(2, 6), tensor(2, 6)];

type Options = Partial<Record<keyof attention.PlanOptions, unknown>>;
const make = (changes: Options) => attention.plan({ ...base, ...changes } as attention.PlanOptions);
const withTiles = (tiles: Partial<attention.Rows>, changes: Partial<attention.Pattern> = {}) =>
  make({ pattern: { ...small, tiles: { ...(small.tiles as attention.Rows), ...tiles }, ...changes } });
const replaced = (array: Int32Array | undefined, at: number, value: number) => Int32Array.from(array ?? []).fill(value, at, at + 1);
const { start, count, index } = small.tiles as attention.Rows;

function failure(call: () => unknown): SparseKernelsError {
  try {
    call();
  } catch (error) {
    return error as SparseKernelsError;
  }
  throw new Error('nothing was thrown');
}

describe('plan refuses', () => {
  test.each<[string, () => unknown, string, RegExp]>([
    ['heads that kvHeads do not divide', () => make({ heads: 3 }), 'ERR_SK_OPTION', /divide.* 2 and 3/],
    ['headDim 4', () => make({ headDim: 4 }), 'ERR_SK_OPTION', /8 to 256.* 4/],
    ['headDim 12', () => make({ headDim: 12 }), 'ERR_SK_OPTION', /multiple of 8.* 12/],
    ['headDim 264', () => make({ headDim: 264 }), 'ERR_SK_OPTION', /8 to 256.* 264/],
    ['no pattern', () => make({ pattern: undefined }), 'ERR_SK_TYPE', /pattern/],
    ['an unknown option', () => make({ casual: true } as Options), 'ERR_SK_OPTION', /'casual'/],
    ['causal that is no boolean', () => make({ causal: 1 }), 'ERR_SK_TYPE', /causal/],
    ['window 0', () => make({ window: 0 }), 'ERR_SK_OPTION', /window.* 0/],
    ['softcap 0', () => make({ softcap: 0 }), 'ERR_SK_OPTION', /softcap.* 0/],
    ['pvSkip 0', () => make({ pvSkip: 0 }), 'ERR_SK_OPTION', /pvSkip.* 0/],
    ['scale NaN', () => make({ scale: Number.NaN }), 'ERR_SK_OPTION', /scale.* NaN/],
    ['an unknown dtype', () => make({ dtype: 'int8' }), 'ERR_SK_OPTION', /int8/],
    ['an unknown isa', () => make({ isa: 'mmx' }), 'ERR_SK_OPTION', /mmx/],
    ['lists for another number of batch entries', () => make({ batch: 3, pattern: { ...small, batch: 2 } }), 'ERR_SK_SHAPE', /1 or 3.* 2/],
    ['lists for another number of heads', () => make({ pattern: { ...small, heads: 'kv', sets: 4 } }), 'ERR_SK_SHAPE', /2 head sets.* 4/],
    ['an id below 0', () => withTiles({ index: replaced(index, 4, -1) }), 'ERR_SK_LISTS', /row 1 .* 0 to 2 .* -1/],
    ['the first id beyond the blocks', () => withTiles({ index: replaced(index, 4, 3) }), 'ERR_SK_LISTS', /row 1 .* 0 to 2 .* 3/],
    [
      'the first token beyond the keys',
      () => withTiles({ index: Int32Array.of(0, 2, 4, 0, 2, 6) }, { unit: 'token' }),
      'ERR_SK_LISTS',
      /row 1 .* 0 to 5 .* 6/,
    ],
    ['a negative start', () => withTiles({ start: replaced(start, 0, -1) }), 'ERR_SK_LISTS', /row 0 .* start -1/],
    ['a negative count', () => withTiles({ count: replaced(count, 1, -1) }), 'ERR_SK_LISTS', /row 1 .* count -1/],
    ['a count beyond the index', () => withTiles({ count: replaced(count, 1, 4) }), 'ERR_SK_LISTS', /row 1 .* 6 ids .* count 4/],
    ['start + count beyond 2^31', () => withTiles({ start: replaced(start, 1, 2 ** 31 - 1) }), 'ERR_SK_LISTS', /2147483647/],
    ['a row too few', () => withTiles({ start: start.slice(1), count: count.slice(1) }), 'ERR_SK_SHAPE', /2 rows.* 1/],
    ['count and start of other lengths', () => withTiles({ count: count.slice(1) }), 'ERR_SK_SHAPE', /count/],
    ['an id twice', () => withTiles({ index: replaced(index, 4, 0) }), 'ERR_SK_LISTS', /row 1 .* key 0 twice/],
    [
      'tiles that overlap by one key',
      () => withTiles({ index: Int32Array.of(0, 2, 4, 0, 2, 3) }, { unit: 'token' }),
      'ERR_SK_LISTS',
      /row 1 .* key 3 twice/,
    ],
    [
      'a column inside a tile',
      () => make({ pattern: { ...small, columns: patterns.rows([[], [5]]) } }),
      'ERR_SK_LISTS',
      /row 1 .* key 5 twice/,
    ],
    ['ids of another class', () => withTiles({ index: [...index] as never }), 'ERR_SK_TYPE', /index/],
  ])('%s', (_, call, code, message) => {
    expect(failure(call)).toMatchObject({ code, message: expect.stringMatching(message) });
  });
});

test('plan accepts the last valid values', () => {
  withTiles({ index: Int32Array.of(0, 2, 4, 0, 2, 5) }, { unit: 'token' });
  withTiles({ start: Int32Array.of(3, 0) });
  withTiles({ count: Int32Array.of(0, 0), index: new Int32Array(0), start: Int32Array.of(0, 0) });
  make({ headDim: 256 });
  make({ headDim: 8 });
});

test('density counts the scores that exist, not what tiles reach past the last query and key', () => {
  const density = (pattern: attention.Pattern) => attention.plan({ pattern, heads: 2, headDim: 8 }).density;
  expect(density(patterns.dense({ queryLength: 1, keyLength: 77 }))).toBe(1);
  const { rows, tiles } = patterns;
  const size = { queryLength: 3, keyLength: 10, blockSize: [2, 8] } as const;
  expect(density(tiles(rows([[1], [0, 1]]), size))).toBeCloseTo((2 * 2 + 10) / 30, 12);
  expect(density(tiles(rows([[7], [9]]), { ...size, unit: 'token' }))).toBeCloseTo((2 * 3 + 1) / 30, 12);
  expect(density({ ...tiles(rows([[1], []]), size), columns: rows([[0], [5, 6]]) })).toBeCloseTo((2 * 3 + 2) / 30, 12);
});

test('repeated keys count twice where nobody looks for them', () => {
  const one = patterns.columns(patterns.rows([[1]]), { queryLength: 1, keyLength: 2 });
  const two = patterns.columns(patterns.rows([[1, 1]]), { queryLength: 1, keyLength: 2 });
  const run = (pattern: attention.Pattern) =>
    attention.plan({ pattern, heads: 1, headDim: 8, validate: false }).runSync(tensor(1, 1, 8, 1), tensor(1, 2, 8, 1), tensor(1, 2, 8, 1))
      .lse.data[0] as number;
  expect(run(two)).toBeCloseTo(run(one) + Math.LN2, 5);
});

describe('run refuses', () => {
  test.each<[string, () => unknown, string, RegExp]>([
    ['q of another shape', () => plan.runSync(tensor(4, 5), k, v), 'ERR_SK_SHAPE', /q to be \[2, 4, 4, 8\]/],
    ['k of another shape', () => plan.runSync(q, tensor(4, 6), v), 'ERR_SK_SHAPE', /k to be \[2, 2, 6, 8\]/],
    ['v of another shape', () => plan.runSync(q, k, tensor(2, 7)), 'ERR_SK_SHAPE', /v to be/],
    ['float16 for a float32 plan', () => plan.runSync({ data: new Uint16Array(256), dims: [2, 4, 4, 8] }, k, v), 'ERR_SK_DTYPE', /q/],
    ['a key length beyond the keys', () => plan.runSync(q, k, v, { keyLengths: Int32Array.of(6, 7) }), 'ERR_SK_SHAPE', /0 to 6.* 7/],
    ['a negative key length', () => plan.runSync(q, k, v, { keyLengths: Int32Array.of(6, -1) }), 'ERR_SK_SHAPE', /-1/],
    ['key lengths for one batch entry', () => plan.runSync(q, k, v, { keyLengths: Int32Array.of(6) }), 'ERR_SK_SHAPE', /hold 2 .* 1/],
    ['positions of 5 queries', () => plan.runSync(q, k, v, { queryPositions: new Int32Array(5) }), 'ERR_SK_SHAPE', /4 or 8 .* 5/],
    ['positions as floats', () => plan.runSync(q, k, v, { keyPositions: new Float32Array(6) as never }), 'ERR_SK_TYPE', /keyPositions/],
    ['a bias of 13', () => plan.runSync(q, k, v, { keyBias: new Float32Array(13) }), 'ERR_SK_SHAPE', /6 or 12 or 24 .* 13/],
    ['a sink for 2 heads', () => plan.runSync(q, k, v, { sink: new Float32Array(2) }), 'ERR_SK_SHAPE', /sink.* 4 .* 2/],
    ['a log weight as text', () => plan.runSync(q, k, v, { logWeight: '1' as never }), 'ERR_SK_TYPE', /logWeight/],
    ['an unknown option', () => plan.runSync(q, k, v, { bias: 1 } as never), 'ERR_SK_OPTION', /'bias'/],
    [
      'an initial state of another shape',
      () =>
        plan.runSync(q, k, v, {
          initial: attention.plan({ ...base, headDim: 16 }).runSync(tensor(4, 4, 16), tensor(2, 6, 16), tensor(2, 6, 16)),
        }),
      'ERR_SK_SHAPE',
      /initial.output/,
    ],
  ])('%s', (_, call, code, message) => {
    expect(failure(call)).toMatchObject({ code, message: expect.stringMatching(message) });
  });

  test('a plan that was disposed of', async () => {
    const disposed = attention.plan(base);
    const underWay = disposed.run(q, k, v);
    disposed.dispose();
    disposed.dispose();
    await underWay; // it lets the runs under way end
    expect(failure(() => disposed.runSync(q, k, v)).code).toBe('ERR_SK_DISPOSED');
    await expect(disposed.run(q, k, v)).rejects.toMatchObject({ code: 'ERR_SK_DISPOSED' });
  });
});

describe('run', () => {
  const n = 1500;
  const large = attention.plan({
    pattern: patterns.dense({ queryLength: n, causal: true }),
    heads: 8,
    headDim: 64,
    causal: true,
    batch: 2,
  });
  const operands = [tensor(8, n, 64), tensor(8, n, 64), tensor(8, n, 64)] as const; // 18 MB: three slices

  test('gives what runSync gives, on any number of threads', async () => {
    const wanted = large.runSync(...operands);
    const { output, lse } = await large.run(...operands);
    expect(firstMismatch(output.data, wanted.output.data, 0)).toBeNull();
    expect(firstMismatch(lse.data, wanted.lse.data, 0)).toBeNull();
    const single = attention.plan({ pattern: large.pattern, heads: 8, headDim: 64, causal: true, batch: 2, threads: 1 });
    expect(firstMismatch(single.runSync(...operands).output.data, wanted.output.data, 0)).toBeNull();
  });

  test('copies large operands in slices, one after the other: two at once would take twice the threads', async () => {
    let [underWay, most] = [0, 0];
    const run = vi.fn(async () => {
      most = Math.max(most, ++underWay);
      await new Promise((resolve) => setTimeout(resolve, 5));
      underWay--;
    });
    const made = vi.spyOn(native, 'AttendPlan').mockImplementation(function fake() {
      return { run, dispose: () => {} } as never;
    });
    const large = attention.plan({ heads: 4, headDim: 128, pattern: patterns.dense({ queryLength: 2048 }) });
    const x = tensor(4, 2048, 128, 1);
    await large.run(x, x, x);
    expect({ slices: run.mock.calls.length, most }).toEqual({ slices: 2, most: 1 });
    made.mockRestore();
  });

  test('can be aborted', async () => {
    const reason = new Error('enough');
    const controller = new AbortController();
    const run = large.run(...operands, { signal: controller.signal });
    controller.abort(reason);
    await expect(run).rejects.toBe(reason);
    await expect(large.run(...operands, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });

  test('an operand that is transferred away meanwhile is an error', async () => {
    const mine = tensor(8, n, 64);
    const run = large.run(mine, operands[1], operands[2]);
    structuredClone(mine.data.buffer, { transfer: [mine.data.buffer as ArrayBuffer] });
    await expect(run).rejects.toMatchObject({ code: 'ERR_SK_BUFFER' });
  });
});
