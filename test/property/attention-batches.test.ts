/** What a method gives a sequence depends neither on the others of its batch nor on the order of the axes. */
import { attention } from 'sparse-kernels';
import { describe, expect, test } from 'vitest';
import { firstMismatch } from '../reference/compare.js';
import { uniform } from '../support/random.js';

const { methods } = attention;
const [heads, kvHeads, tokens, dim] = [4, 2, 330, 16];
interface Data {
  data: Float32Array;
  dims: readonly number[];
}
/** What all results have. */
type Result = Pick<attention.methods.MethodResult, 'output' | 'report'>;
type Run = (q: Data, k: Data, v: Data) => Promise<Result>;
type Layout = { layout?: 'BSHD' };

const tensor = (dims: number[], seed: number, factor = 1): Data => ({
  data: uniform(
    dims.reduce((a, b) => a * b, 1),
    seed,
  ).map((x, i) => factor * x + Math.sin(i / (9 * dim))),
  dims,
});
const maps = (of: number, from: number, to: number, seed: number) => tensor([of, from, to], seed);
const gate = { query: maps(heads, dim, 8, 11), key: maps(kvHeads, 3 * dim, 8, 12) };
const band = attention.patterns.band({ queryLength: tokens, before: 70, after: 70 });
const table: Record<string, attention.methods.MInferenceHead> = {
  0: ['vertical_and_slash', 20, 40],
  1: ['block_sparse', 100, 0],
  2: ['stream_llm', 10, 90],
  3: ['vertical_and_slash', 5, 100],
};

const vditHeads: attention.methods.VditHead[] = [
  { mode: 'diagonal', width: 30 },
  { mode: 'multiDiagonal', width: 5, period: 50 },
  { mode: 'vertical', keys: [1, 60] },
  { mode: 'dense' },
];

/** Methods that take any layout. */
const anyLayout: Record<string, (o: Layout) => Run> = {
  streamingLlm: (o) => methods.streamingLlm({ window: 50, ...o }).prefill,
  aShape: (o) => methods.aShape({ initial: 64, local: 64, ...o }).prefill,
  triShape: (o) => methods.triShape({ initial: 64, local: 64, lastQueries: 70, ...o }).prefill,
  minference: (o) => methods.minference({ heads: table, forcedVerticals: 4, forcedSlashes: 8, ...o }).prefill,
  flexPrefill: (o) => methods.flexPrefill({ gamma: 0.7, block: 32, minBlocks: 2, ...o }).prefill,
  xattention: (o) => methods.xattention({ block: 32, threshold: 0.6, ...o }).prefill,
  anchorAttention: (o) => methods.anchorAttention({ block: 16, step: 4, theta: 1, ...o }).prefill,
  seerAttention: (o) => methods.seerAttention({ gate, ratio: 0.5, ...o }).prefill,
  powerAttention: (o) => methods.powerAttention({ window: 32, sink: 16, block: 16, ...o }).prefill,
  moa: (o) => methods.moa({ alphas: [128, -64, 0, 64], betas: [0, 0.5, 0.25, 0], ...o }).prefill,
  dhsa: (o) => methods.dhsa({ budget: 64, recent: 16, global: 16, denseQueries: 0, ...o }).prefill,
  spargeAttn: (o) => methods.spargeAttn({ topP: 0.5, blockSize: [32, 16], ...o }).prefill,
  infllmV2: (o) => methods.infllmV2({ blocks: 3, local: 1, denseLength: 10, ...o }).prefill,
  sparkAttention: (o) => methods.sparkAttention({ predictor: 8, keys: 32, ...o }).prefill,
  sparseVdit: (o) => methods.sparseVdit({ heads: vditHeads, ...o }).prefill,
  adaSpa: (o) => secondStep(methods.adaSpa({ sparsity: 0.5, searchSteps: [0], block: 32, ...o })),
};

/** Methods that take heads first. */
const headsFirst: Record<string, () => Run> = {
  pbsAttn: () => methods.pbsAttn({ block: 16, segment: 64, threshold: 0.5 }).prefill,
  proxyAttn: () => methods.proxyAttn({ proxies: 2, threshold: 0.5, block: 32 }).prefill,
  sparseD: () => secondStep(methods.sparseD({ steps: 2, promptLength: 100, block: 32 })),
  psa: () => methods.psa({ quotas: [0.1, 0.2, 0.4, 1] }).prefill,
  nosa: () => methods.nosa({ delta: tensor([kvHeads, dim], 17), a: uniform(kvHeads, 18), blocks: 3, queryBlocks: 1, local: 1 }).prefill,
  nsa: () => {
    const compress = maps(kvHeads, 32 * dim, dim, 19);
    const gates = (batch: number): Data => ({ data: new Float32Array(batch * tokens * 3).fill(0.5), dims: [batch, tokens, 3] });
    const method = methods.nsa({ compressKeys: compress, compressValues: compress, blocks: 4, span: 32 });
    return (q, k, v) => method.prefill(q, k, v, gates(q.dims[0] as number));
  },
};

/** Methods whose queries and keys are of the same heads. */
const equalHeads: Record<string, () => Run> = {
  combiner: () => methods.combiner({ segment: 16 }).prefill,
  llsa: () => methods.llsa({ topK: 2 }).prefill,
  routingTransformer: () => methods.routingTransformer({ centroids: tensor([heads, 5, dim], 16), window: 40 }).prefill,
  sparsifiner: () =>
    methods.sparsifiner({ query: maps(heads, dim, 4, 13), key: maps(heads, dim, 4, 14), basis: tensor([4, tokens], 15) }).prefill,
  reTtention: () => secondStep(methods.reTtention({ pattern: band, fullSteps: [0] })),
};

function secondStep(layer: attention.methods.DenoisingMethod): Run {
  return async (q, k, v) => {
    await layer.attend(0, q, k, v);
    return layer.attend(1, q, k, v);
  };
}

const feed = (method: attention.methods.DecodeMethod): Run => {
  return (q, k, v) => {
    method.append(k);
    return method.decode(q, k, v);
  };
};
/** Methods for one query. */
const decode: Record<string, () => Run> = {
  quest: () => feed(methods.quest({ budget: 64 })),
  blockTopK: () => feed(methods.blockTopK({ budget: 64 })),
  doubleSparsity: () => feed(methods.doubleSparsity({ channels: Int32Array.of(1, 3, 0, 2), budget: 30 })),
  seerAttentionR: () => {
    const method = methods.seerAttentionR({ gate: { query: gate.query, key: gate.key }, budget: 64, block: 16 });
    return async (q, k, v) => {
      await method.append(k);
      return method.decode(q, k, v);
    };
  },
  tidalDecode: () => {
    const tidal = methods.tidalDecode({ tokens: 20, selectionLayers: [0] });
    return async (q, k, v) => {
      await tidal.decode(0, q, k, v);
      return tidal.decode(1, q, k, v);
    };
  },
};

/** Batch entry b alone. */
function entry({ data, dims }: Data, b: number): Data {
  const size = data.length / (dims[0] as number);
  return { data: data.slice(b * size, (b + 1) * size), dims: [1, ...dims.slice(1)] };
}

/** The two axes in the middle change places. */
function turned({ data, dims }: Data): Data {
  const [b, x, y, d] = dims as [number, number, number, number];
  const to = new Float32Array(data.length);
  for (let i = 0; i < b * x * y; i++) {
    const [n, r, c] = [Math.floor(i / (x * y)), Math.floor(i / y) % x, i % y];
    to.set(data.subarray(i * d, (i + 1) * d), ((n * y + c) * x + r) * d);
  }
  return { data: to, dims: [b, y, x, d] };
}

const operands = (batch: number, queries: number, keyHeads: number) =>
  [
    tensor([batch, heads, queries, dim], 1, 2),
    tensor([batch, keyHeads, tokens, dim], 2, 2),
    tensor([batch, keyHeads, tokens, dim], 3),
  ] as const;

async function expectSeparate(make: () => Run, queries = tokens, keyHeads = kvHeads) {
  const [q, k, v] = operands(3, queries, keyHeads);
  const together = await make()(q, k, v);
  const alone: number[] = [];
  const masses: number[] = [];
  for (let b = 0; b < 3; b++) {
    const result = await make()(entry(q, b), entry(k, b), entry(v, b));
    alone.push(...result.output.data);
    masses.push((await result.report()).coveredMass);
  }
  expect(firstMismatch(together.output.data, alone, 1e-5)).toBeNull();
  expect((await together.report()).coveredMass).toBeCloseTo(masses.reduce((a, b) => a + b, 0) / 3, 5);
}

describe.each(Object.entries(anyLayout))('%s', (_, make) => {
  test('each sequence of a batch by itself', () => expectSeparate(() => make({})));

  test("'BSHD'", async () => {
    const [q, k, v] = operands(2, tokens, kvHeads);
    const result = await make({ layout: 'BSHD' })(turned(q), turned(k), turned(v));
    const { data, dims } = (await make({})(q, k, v)).output;
    expect(result.output.dims).toEqual([dims[0], dims[2], dims[1], dims[3]]);
    expect(firstMismatch(turned(result.output as Data).data, data, 1e-5)).toBeNull();
  });
});

describe('each sequence of a batch by itself', () => {
  test.each(Object.entries(headsFirst))('%s', (_, make) => expectSeparate(make));
  test.each(Object.entries(equalHeads))('%s', (_, make) => expectSeparate(make, tokens, heads));
  test.each(Object.entries(decode))('%s', (_, make) => expectSeparate(make, 1));
});
