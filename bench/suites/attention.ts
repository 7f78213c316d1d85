import { attention, type Isa } from 'sparse-kernels';
import { compare } from '../attention-oracle.js';
import { type AttentionCase, type AttentionKind, attentionCase, attentionCases } from '../cases/attention.js';
import { denseAttention } from '../competitors/onnxruntime.js';
import { normals, randomSource } from '../random.js';
import type { Suite, Workload } from '../suite.js';
import { prepareCache, prepareDecoding } from './attention-decoding.js';
import { prepareBudget, prepareLines } from './attention-prefill.js';
import { someOf } from './some.js';

const kinds: readonly AttentionKind[] = [
  'dense',
  'blocks',
  'own',
  'causal',
  'cache',
  'pages',
  'quest',
  'quest16',
  'channels',
  'channels16',
  'lines',
  'budget',
];

/** Attention over some of the keys against attention over all of them. */
export const attentionSuite: Suite<AttentionCase> = {
  name: 'attention',
  cases: attentionCases,
  shapeKeys: ['heads', 'kv', 'tokens', 'd', 'percent'],
  patternHint: kinds.join(', '),
  isPattern: (text) => (kinds as readonly string[]).includes(text),
  caseOf: ({ heads = 1, kv = 1, tokens = 64, d = 64, percent = 100 }, pattern) =>
    attentionCase({ heads, kv, tokens, d, percent }, pattern as AttentionKind),
  prepare: (c) => {
    if (c.pattern === 'cache') return prepareCache(c);
    if (c.pattern === 'lines') return prepareLines(c);
    if (c.pattern === 'budget') return prepareBudget(c);
    return ['dense', 'blocks', 'own', 'causal'].includes(c.pattern) ? prepareTiles(c) : prepareDecoding(c);
  },
};

const { dense, fromMask, rows } = attention.patterns;

function patternOf({ pattern, shape }: AttentionCase): attention.Pattern {
  const size = { queryLength: shape.tokens };
  if (pattern === 'own') return ownTiles(shape);
  if (pattern !== 'blocks') return dense({ ...size, causal: pattern === 'causal' });
  const blocks = Math.ceil(shape.tokens / 64);
  const mask = new Uint8Array(blocks * blocks);
  const next = randomSource(5);
  for (let row = 0; row < blocks; row++) for (const id of someOf(blocks, shape.percent, next)) mask[row * blocks + id] = 1;
  return fromMask(mask, size);
}

function ownTiles({ tokens, percent }: AttentionCase['shape']): attention.Pattern {
  const next = randomSource(5);
  const tiles = rows(Array.from({ length: tokens }, () => someOf(Math.ceil(tokens / 64), percent, next)));
  const size = { queryLength: tokens, keyLength: tokens, blockSize: [1, 64] as const };
  return { ...size, unit: 'block', heads: 'shared', sets: 1, batch: 1, tiles };
}

function prepareTiles(c: AttentionCase): Workload {
  const { heads, kv, tokens, d } = c.shape;
  const tensor = (of: number, seed: number) => ({ type: 'float32', data: normals(of * tokens * d, seed), dims: [1, of, tokens, d] });
  const [q, k, v] = [tensor(heads, 1), tensor(kv, 2), tensor(kv, 3)];
  const shape = { heads, kvHeads: kv, headDim: d };

  return async ({ threads, isa }) => {
    const forced = { threads, ...(isa !== undefined && { isa: isa as Isa }) };
    const plan = attention.plan({ pattern: patternOf(c), ...shape, ...forced, causal: c.pattern === 'causal' });
    const whole = attention.plan({ pattern: dense({ queryLength: tokens }), ...shape, ...forced });
    // Both sides run in place, on this thread and the pool: what copies for asynchronous runs cost is measured by the suite nm.
    const runOurs = async () => plan.runSync(q, k, v).output.data;
    const peer =
      c.pattern === 'dense'
        ? await denseAttention({ q: q.data, k: k.data, v: v.data, heads, tokens, d, threads })
        : { name: 'our dense attention', run: async () => whole.runSync(q, k, v).output.data };
    const denseFlops = 4 * heads * tokens * tokens * d;
    return {
      kernel: plan.kernel,
      peer: peer.name,
      flops: c.pattern === 'causal' ? denseFlops / 2 : denseFlops * plan.density,
      denseFlops,
      bytes: k.data.byteLength + v.data.byteLength,
      denseBytes: k.data.byteLength + v.data.byteLength,
      runOurs,
      runPeer: peer.run,
      verify: async () => {
        const places = (at: number) => ({ q: q.data, k: k.data, v: v.data, heads, kv, tokens, d, row: at });
        const ours = await runOurs();
        const theirs = await peer.run();
        const problems: string[] = [];
        const next = randomSource(9);
        for (let i = 0; i < 24; i++) {
          const row = next() % (heads * tokens);
          const listed = (j: number) => c.pattern !== 'causal' || j <= row % tokens;
          problems.push(...compare(plan.kernel, ours, places(row), (j) => listed(j) && isListed(plan.pattern, row % tokens, j)));
          problems.push(...compare(peer.name, theirs, { ...places(row), tokensOutside: c.pattern === 'dense' }, () => true));
        }
        return problems;
      },
    };
  };
}

function isListed({ tiles, blockSize }: attention.Pattern, query: number, key: number): boolean {
  const { start, count, index } = tiles as attention.Rows;
  const r = Math.floor(query / blockSize[0]);
  const begin = start[r] as number;
  return index.subarray(begin, begin + (count[r] as number)).includes(Math.floor(key / 64));
}
