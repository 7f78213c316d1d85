/** What the algebra of patterns, the companions and the methods refuse before anything runs. */
import { attention, type SparseKernelsError } from 'sparse-kernels';
import { describe, expect, test } from 'vitest';
import { uniform } from '../support/random.js';

const { methods, patterns } = attention;
const { rows, tiles } = patterns;
const tensor = (...dims: number[]) => ({
  data: uniform(
    dims.reduce((a, b) => a * b, 1),
    1,
  ),
  dims,
});
const [q, k] = [tensor(1, 2, 40, 8), tensor(1, 1, 40, 8)];
const size = { queryLength: 128, keyLength: 128 };
const pattern = patterns.dense(size);

/** The code of what is thrown, or rejected with. */
async function codeOf(call: () => unknown): Promise<string> {
  try {
    await call();
  } catch (error) {
    return (error as SparseKernelsError).code;
  }
  return 'nothing';
}
// What TypeScript would refuse.
const any = (value: unknown) => value as never;

describe('the algebra refuses', () => {
  const beyond = tiles(rows([[0], [0, 2]]), size); // there are two blocks of 64
  const broken = tiles({ start: Int32Array.of(0, 1), count: Int32Array.of(1, 5), index: Int32Array.of(0, 0) }, size);
  const calls: [string, (pattern: attention.Pattern) => unknown][] = [
    ['toMask', patterns.toMask],
    ['transpose', patterns.transpose],
    ['expand', (p) => patterns.expand(p, [32, 32])],
    ['union', (p) => patterns.union(pattern, p)],
    ['perHead', (p) => patterns.perHead([pattern, p], 'q')],
  ];
  test.each(calls)('%s: ids, ranges and fields that are not', async (_, call) => {
    call(pattern);
    expect(await codeOf(() => call(beyond))).toBe('ERR_SK_LISTS');
    expect(() => call(beyond)).toThrow(/row 1 .* 0 to 1 .* 2/);
    expect(await codeOf(() => call(broken))).toBe('ERR_SK_LISTS');
    expect(() => call(broken)).toThrow(/row 1 .* index of 2 ids .* start 1 and count 5/);
    expect(await codeOf(() => call({ ...pattern, columns: rows([[128], []]) }))).toBe('ERR_SK_LISTS');
    expect(await codeOf(() => call({ ...pattern, tiles: rows([[0]]) }))).toBe('ERR_SK_SHAPE');
    expect(await codeOf(() => call(any(undefined)))).toBe('ERR_SK_TYPE');
    expect(await codeOf(() => call({ ...pattern, blockSize: any(64) }))).toBe('ERR_SK_TYPE');
  });

  test.each<[string, () => unknown, string]>([
    ['an expansion to no sizes', () => patterns.expand(pattern, any(32)), 'ERR_SK_TYPE'],
    ['a union of nothing', () => patterns.union(...([] as unknown as [attention.Pattern])), 'ERR_SK_SHAPE'],
    ['heads of another name', () => patterns.perHead([pattern], any('x')), 'ERR_SK_OPTION'],
    ['heads of another name', () => tiles(rows([[0], [1]]), { ...size, heads: any('x') }), 'ERR_SK_OPTION'],
    ['lists that are none', () => attention.newPages(any(undefined), rows([[0]])), 'ERR_SK_TYPE'],
    ['lists outside their index', () => attention.newPages(rows([[0]]), { ...rows([[0]]), count: Int32Array.of(2) }), 'ERR_SK_LISTS'],
    ['candidates that do not exist', () => attention.scoreCandidates(q, k, rows(Array(80).fill([40]))), 'ERR_SK_LISTS'],
    ['levels of no scores', () => attention.selectLevels(any(undefined), { quotas: [1] }), 'ERR_SK_TYPE'],
    ['levels without options', () => attention.selectLevels(tensor(2, 4), any(undefined)), 'ERR_SK_TYPE'],
    ['a base of 0', () => attention.project(q, tensor(2, 8, 4), { positions: new Int32Array(40), ropeBase: 0 }), 'ERR_SK_OPTION'],
  ])('%s', async (_, call, code) => {
    expect(await codeOf(call)).toBe(code);
  });
});

describe('runs and companions refuse what only looks like an option', () => {
  const plan = attention.plan({ pattern: patterns.dense({ queryLength: 40 }), heads: 2, kvHeads: 1, headDim: 8 });
  const scores = tensor(2, 4);
  const mass = { kind: 'mass' as const, lse: new Float32Array(80) };
  const huge = { queryLength: 2 ** 31 - 1, blockSize: [1, 1] as const };
  const itself: unknown[] = [];
  itself[0] = itself;

  test.each<[string, () => unknown, string]>([
    ['no options at all', () => plan.run(q, k, k, any(null)), 'ERR_SK_TYPE'],
    ['an initial result that is none', () => plan.runSync(q, k, k, { initial: any(true) }), 'ERR_SK_TYPE'],
    ['an initial result without lse', () => plan.runSync(q, k, k, { initial: any({ output: q }) }), 'ERR_SK_TYPE'],
    ['a row maximum as text', () => plan.runSync(q, k, k, { rowMax: any('no') }), 'ERR_SK_TYPE'],
    ['a log weight of NaN', () => plan.runSync(q, k, k, { logWeight: Number.NaN }), 'ERR_SK_OPTION'],
    ['an infinite log weight', () => plan.runSync(q, k, k, { logWeight: Number.POSITIVE_INFINITY }), 'ERR_SK_OPTION'],
    ['a type that is no text', () => plan.runSync({ ...q, type: any(Symbol('float32')) }, k, k), 'ERR_SK_DTYPE'],
    ['a fractional k', () => attention.select(scores, { topK: 1.5 }), 'ERR_SK_OPTION'],
    ['a k of 2^32, which is 0 in 32 bits', () => attention.select(scores, { topK: 2 ** 32 }), 'ERR_SK_OPTION'],
    ['one k of them infinite', () => attention.select(scores, { topK: [1, Infinity] }), 'ERR_SK_OPTION'],
    ['a share as text', () => attention.select(scores, { topP: 0.5, relative: any('true') }), 'ERR_SK_TYPE'],
    ['a strict threshold as number', () => attention.select(scores, { threshold: 0, strict: any(1) }), 'ERR_SK_TYPE'],
    ['a mask as number', () => attention.score(q, k, { causal: any(1) }), 'ERR_SK_TYPE'],
    ['tiles of one size', () => attention.score(q, k, { ...mass, blockSize: any(8) }), 'ERR_SK_TYPE'],
    ['causal antidiagonals as text', () => attention.antidiagonal(q, k, { stride: 2, block: 4, causal: any('false') }), 'ERR_SK_TYPE'],
    ['an id as fraction', () => patterns.rows([[1.5]]), 'ERR_SK_OPTION'],
    ['an id that is NaN', () => patterns.rows([[Number.NaN]]), 'ERR_SK_OPTION'],
    ['ids that are no list', () => patterns.rows([any(null)]), 'ERR_SK_TYPE'],
    ['more tiles than lists can hold', () => patterns.band({ ...huge, before: 0 }), 'ERR_SK_OPTION'],
    ['more rows than lists can have', () => patterns.slashes({ ...huge, keyLength: 0, slashes: [] }), 'ERR_SK_OPTION'],
    ['a list that holds itself', () => patterns.fromMask(any(itself), size), 'ERR_SK_TYPE'],
    ['a causal pattern as text', () => patterns.dense({ ...size, causal: any('false') }), 'ERR_SK_TYPE'],
    ['blocks of no size', () => attention.ragged({ queryStarts: Int32Array.of(0, 8), blockSize: any(0) }), 'ERR_SK_TYPE'],
    [
      'matrices beyond memory',
      () => attention.project({ data: k.data.subarray(0, 0), dims: [2 ** 40, 1, 0, 8] }, tensor(1, 8, 8)),
      'ERR_SK_MEMORY',
    ],
  ])('%s', async (_, call, code) => {
    expect(await codeOf(call)).toBe(code);
  });

  test('the last valid values', async () => {
    expect((await attention.select(scores, { topK: 2 ** 31 - 1 })).count).toEqual(Int32Array.of(4, 4));
    expect(plan.runSync(q, k, k, { logWeight: Number.NEGATIVE_INFINITY }).lse.data.every((x) => x === -Infinity)).toBe(true);
  });
});

describe('methods refuse', () => {
  const gate = { query: tensor(2, 8, 4), key: tensor(1, 24, 4) };
  const nosa = methods.nosa({ delta: tensor(1, 8), a: new Float32Array(1) });
  const twice = { mode: 'vertical' as const, keys: [3, 3] };
  const repeated = tiles(rows([[0, 0]]), { queryLength: 40 });
  test.each<[string, () => unknown, string]>([
    ['powerAttention without a block', () => methods.powerAttention(any({ window: 64, sink: 64 })), 'ERR_SK_TYPE'],
    ['proxyAttn without a block', () => methods.proxyAttn(any({ proxies: 1, threshold: 0.5 })), 'ERR_SK_TYPE'],
    ['proxyAttn: threshold', () => methods.proxyAttn({ proxies: 1, threshold: 0, block: 64 }), 'ERR_SK_OPTION'],
    ['flexPrefill: gamma', () => methods.flexPrefill({ gamma: 1.5 }), 'ERR_SK_OPTION'],
    ['flexPrefill: maxBlocks', () => methods.flexPrefill({ maxBlocks: 0 }), 'ERR_SK_OPTION'],
    ['xattention: threshold', () => methods.xattention({ threshold: any(null) }), 'ERR_SK_TYPE'],
    ['xattention: a threshold', () => methods.xattention({ threshold: [0.5, Number.NaN] }), 'ERR_SK_OPTION'],
    ['anchorAttention: theta', () => methods.anchorAttention({ theta: any('12') }), 'ERR_SK_TYPE'],
    ['pbsAttn: segment', () => methods.pbsAttn({ block: 128, segment: 200 }), 'ERR_SK_OPTION'],
    ['spargeAttn: blockSize', () => methods.spargeAttn({ blockSize: any(64) }), 'ERR_SK_TYPE'],
    ['spargeAttn: topP and topK', () => methods.spargeAttn({ topP: 0.5, topK: 0.5 }), 'ERR_SK_OPTION'],
    ['dhsa: boundaries', () => methods.dhsa({ budget: 10, boundaries: any([0, 40]) }), 'ERR_SK_TYPE'],
    ['minference: forcedVerticals', () => methods.minference({ forcedVerticals: -1 }), 'ERR_SK_OPTION'],
    ['sparsifiner: keep', () => methods.sparsifiner({ query: q, key: q, basis: q, keep: 0 }), 'ERR_SK_OPTION'],
    ['sparseD: keep', () => methods.sparseD({ steps: 5, promptLength: 0, keep: 2 }), 'ERR_SK_OPTION'],
    ['adaSpa: sparsity', () => methods.adaSpa({ searchSteps: [0], sparsity: any(null) }), 'ERR_SK_TYPE'],
    ['tidalDecode: layers', () => methods.tidalDecode({ tokens: 4, denseLayers: any(1) }), 'ERR_SK_TYPE'],
    ['seerAttention: no gate', () => methods.seerAttention(any({ ratio: 0.5 })), 'ERR_SK_TYPE'],
    ['seerAttention: ratio', () => methods.seerAttention({ gate, ratio: 2 }), 'ERR_SK_OPTION'],
    ['causal as text', () => methods.xattention({ causal: any('false') }), 'ERR_SK_TYPE'],
    [
      'queries of no numbers',
      () => methods.minference().prefill({ data: q.data.subarray(0, 0), dims: [1, 2 ** 31, 0, 8] }, k, k),
      'ERR_SK_SHAPE',
    ],
    ['spargeAttn: sink', () => methods.spargeAttn({ sink: any('false') }), 'ERR_SK_TYPE'],
    ['nosa: values of other dims', () => nosa.prefill(q, k, tensor(1, 1, 39, 8)), 'ERR_SK_SHAPE'],
    ['sparseVdit: no mode', () => methods.sparseVdit({ heads: any([null, null]) }).prefill(q, k, k), 'ERR_SK_TYPE'],
    ['sparseVdit: a key twice', () => methods.sparseVdit({ heads: [twice, twice] }).prefill(q, k, k), 'ERR_SK_LISTS'],
    ['reTtention: a tile twice', () => methods.reTtention({ pattern: repeated, fullSteps: [0] }).attend(0, q, k, k), 'ERR_SK_LISTS'],
    ['a report of no queries', async () => (await methods.streamingLlm({ window: 8 }).prefill(q, k, k)).report(0), 'ERR_SK_OPTION'],
    ['a step that is no number', () => methods.sparseD({ steps: 5, promptLength: 0 }).attend(any('0'), q, k, k), 'ERR_SK_TYPE'],
  ])('%s', async (_, call, code) => {
    expect(await codeOf(call)).toBe(code);
  });

  // Nobody sees that an option is ignored: attention would be causal, or heads be taken for tokens.
  test.each<[string, (o: object) => unknown]>([
    ['streamingLlm', (o) => methods.streamingLlm({ window: 4, ...o })],
    ['aShape', methods.aShape],
    ['triShape', methods.triShape],
    ['minference', methods.minference],
    ['anchorAttention', methods.anchorAttention],
    ['dhsa', (o) => methods.dhsa({ budget: 4, ...o })],
    ['flexPrefill', methods.flexPrefill],
    ['infllmV2', methods.infllmV2],
    ['moa', (o) => methods.moa({ alphas: [], betas: [], ...o })],
    ['pbsAttn', methods.pbsAttn],
    ['powerAttention', (o) => methods.powerAttention({ window: 1, sink: 1, block: 1, ...o })],
    ['seerAttention', (o) => methods.seerAttention({ gate, ratio: 0.5, ...o })],
    ['sparseD', (o) => methods.sparseD({ steps: 5, promptLength: 0, ...o })],
    ['combiner', methods.combiner],
    ['llsa', methods.llsa],
    ['nosa', (o) => methods.nosa({ delta: tensor(1, 8), a: new Float32Array(1), ...o })],
    ['nsa', (o) => methods.nsa({ compressKeys: q, compressValues: q, ...o })],
    ['psa', methods.psa],
    ['sparsifiner', (o) => methods.sparsifiner({ query: q, key: q, basis: q, ...o })],
  ])('%s: causal, which is not its to choose', async (_, make) => {
    make({});
    expect(await codeOf(() => make({ causal: false }))).toBe('ERR_SK_OPTION');
  });

  test.each<[string, (o: object) => unknown]>([
    ['pbsAttn', methods.pbsAttn],
    ['combiner', methods.combiner],
    ['llsa', methods.llsa],
    ['psa', methods.psa],
    ['nosa', (o) => methods.nosa({ delta: tensor(1, 8), a: new Float32Array(1), ...o })],
    ['nsa', (o) => methods.nsa({ compressKeys: q, compressValues: q, ...o })],
    ['sparsifiner', (o) => methods.sparsifiner({ query: q, key: q, basis: q, ...o })],
    ['proxyAttn', (o) => methods.proxyAttn({ proxies: 1, threshold: 0.5, block: 64, ...o })],
    ['routingTransformer', (o) => methods.routingTransformer({ centroids: q, window: 4, ...o })],
  ])("%s: the layout 'BSHD', which it does not take", async (_, make) => {
    make({});
    expect(await codeOf(() => make({ layout: 'BSHD' }))).toBe('ERR_SK_OPTION');
  });

  test('seerAttentionR: keys of another shape; appends that nobody waits for keep their order', async () => {
    const method = methods.seerAttentionR({ gate, block: 16, budget: 16 });
    const wait = [method.append(tensor(1, 1, 10, 8)), method.append(tensor(1, 1, 30, 8))];
    const inOrder = methods.seerAttentionR({ gate, block: 16, budget: 16 });
    await inOrder.append(tensor(1, 1, 10, 8));
    await inOrder.append(tensor(1, 1, 30, 8));
    const query = tensor(1, 2, 1, 8);
    expect((await method.pattern(query)).tiles).toEqual((await inOrder.pattern(query)).tiles);
    await Promise.all(wait);
    expect(method.length).toBe(40);
    expect(await codeOf(() => method.append(tensor(1, 2, 10, 8)))).toBe('ERR_SK_SHAPE');
    expect(await codeOf(() => method.append(tensor(1, 1, 10, 16)))).toBe('ERR_SK_SHAPE');
    expect(method.length).toBe(40);
  });
});
