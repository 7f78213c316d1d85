/**
 * Shapes of attend, chosen against its blocks: 8 few rows, panels of 16 and 32 rows, 64 rows, chunks of 128 keys, parts of 2048 keys; and where
 * keys come first, groups of 6 rows, 12 to 48 of them at a time, panels of 8 to 32 keys, segments of 1024 rows.
 */
import { attention } from 'sparse-kernels';

const { patterns } = attention;

export interface AttentionCase {
  name: string;
  pattern: attention.Pattern;
  headDim: number;
  heads: number;
  kvHeads?: number;
  batch?: number;
  rules?: attention.AttentionRules;
  layout?: attention.Layout;
  bias?: 'shared' | 'kv' | 'batch';
  logWeight?: number;
  sink?: boolean;
  positions?: 'query' | 'key' | 'both';
  keyLengths?: number[];
  rowMax?: boolean;
  /** Many of the few rows of a list name the same keys: for kernels that take these first. */
  keysFirst?: boolean;
  /** Tokens of a page, in the tests that know pages. */
  pageTokens?: number;
  /** Continues from a result over other keys, in the tests that know it. */
  initial?: boolean;
}

const size = (queryLength: number, keyLength: number, blockSize: [number, number]) => ({ queryLength, keyLength, blockSize });

/** Random lists of block tiles, some of them empty, ids in any order. */
function randomTiles(
  seed: number,
  o: { n: number; t: number; block: [number, number]; sets: number; batch: number; heads: attention.HeadSets },
) {
  let state = seed;
  const next = () => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return state / 2 ** 32;
  };
  const rows = o.batch * o.sets * Math.ceil(o.n / o.block[0]);
  const lists = Array.from({ length: rows }, () => {
    const density = [0, 0.2, 0.5, 1][Math.floor(next() * 4)] as number;
    const ids = Array.from({ length: Math.ceil(o.t / o.block[1]) }, (_, id) => id).filter(() => next() < density);
    return ids.sort(() => next() - 0.5);
  });
  return {
    ...size(o.n, o.t, o.block),
    unit: 'block' as const,
    heads: o.heads,
    sets: o.sets,
    batch: o.batch,
    tiles: patterns.rows(lists),
  };
}

/** The lists without one of their ids. */
const withoutId = ({ start, count, index }: attention.Rows, id: number) =>
  patterns.rows(Array.from(start, (s, r) => [...index.subarray(s, s + (count[r] as number))].filter((i) => i !== id)));

const decode = (keys: number, tokens: number[]) =>
  patterns.columns(patterns.rows([tokens]), { queryLength: 1, keyLength: keys, blockSize: [1, 64] });

export const attentionCases: readonly AttentionCase[] = [
  { name: 'one of everything', pattern: patterns.dense({ queryLength: 1 }), headDim: 8, heads: 1 },
  { name: 'no keys', pattern: patterns.dense(size(3, 0, [64, 64])), headDim: 16, heads: 1 },
  { name: 'dense, one chunk', pattern: patterns.dense(size(16, 128, [16, 64])), headDim: 32, heads: 2 },
  { name: 'dense, chunk + 1', pattern: patterns.dense(size(17, 129, [64, 64])), headDim: 40, heads: 2, kvHeads: 1 },
  {
    name: 'causal, tails everywhere',
    pattern: patterns.dense({ ...size(101, 101, [32, 24]), causal: true }),
    headDim: 24,
    heads: 3,
    rules: { causal: true },
  },
  {
    name: 'causal with a prefix',
    pattern: patterns.dense({ ...size(37, 150, [16, 32]), causal: true }),
    headDim: 64,
    heads: 4,
    kvHeads: 2,
    rules: { causal: true },
    rowMax: true,
  },
  {
    name: 'more queries than keys: the first see nothing',
    pattern: patterns.dense(size(50, 20, [9, 8])),
    headDim: 8,
    heads: 1,
    rules: { causal: true },
    rowMax: true,
  },
  {
    name: 'window and sinks',
    pattern: patterns.streaming({ ...size(140, 140, [32, 32]), sink: 3, local: 40 }),
    headDim: 48,
    heads: 2,
    rules: { causal: true, window: 40, sinkTokens: 3 },
  },
  {
    name: 'window of one',
    pattern: patterns.window({ ...size(20, 20, [8, 8]), window: 1 }),
    headDim: 8,
    heads: 1,
    rules: { causal: true, window: 1 },
  },
  {
    name: 'tiles at tokens and columns',
    pattern: patterns.verticalSlash({ ...size(130, 160, [32, 32]), slashes: [0, 3, 70], verticals: [0, 1, 5, 40, 41, 90, 159] }),
    headDim: 80,
    heads: 2,
    rules: { causal: true },
  },
  {
    name: 'random tiles per key-value head, two batches',
    pattern: randomTiles(1, { n: 70, t: 90, block: [16, 16], sets: 2, batch: 2, heads: 'kv' }),
    headDim: 32,
    heads: 6,
    kvHeads: 2,
    batch: 2,
    sink: true,
  },
  {
    name: 'random tiles per query head, lists for all batches',
    pattern: randomTiles(2, { n: 33, t: 65, block: [8, 16], sets: 4, batch: 1, heads: 'q' }),
    headDim: 16,
    heads: 4,
    kvHeads: 2,
    batch: 2,
    bias: 'batch',
    logWeight: 0.7,
    layout: 'BSHD',
  },
  {
    name: 'soft cap, bias, sink',
    pattern: patterns.dense(size(30, 200, [32, 64])),
    headDim: 56,
    heads: 2,
    rules: { softcap: 1.5, scale: 1.2 },
    bias: 'kv',
    sink: true,
    logWeight: -2,
  },
  {
    name: 'full tiles are not cut',
    pattern: (() => {
      const { tiles, ...rest } = patterns.dense(size(32, 64, [16, 16]));
      return { ...rest, fullTiles: tiles as attention.Rows, columns: patterns.rows([[], []]) };
    })(),
    headDim: 8,
    heads: 1,
    rules: { causal: true },
  },
  {
    name: 'positions of both',
    pattern: patterns.dense(size(40, 50, [16, 16])),
    headDim: 16,
    heads: 2,
    batch: 2,
    rules: { causal: true, window: 30, sinkTokens: 5 },
    positions: 'both',
  },
  {
    name: 'ragged',
    pattern: patterns.dense(size(10, 80, [5, 32])),
    headDim: 16,
    heads: 2,
    batch: 4,
    keyLengths: [80, 33, 1, 0],
    rules: { causal: true },
    bias: 'shared',
  },
  ...[1, 2, 3, 4, 7, 8, 9].map((group) => ({
    name: `decoding, ${group} query heads a key-value head`,
    pattern: patterns.dense(size(1, 200 + group, [1, 64])),
    headDim: 64,
    heads: 2 * group,
    kvHeads: 2,
    sink: group === 3,
    ...(group === 4 && { bias: 'kv' as const, rules: { softcap: 2 } }),
  })),
  { name: 'decoding, few columns', pattern: decode(500, [499, 3, 250, 17]), headDim: 128, heads: 4, kvHeads: 1, rules: { causal: true } },
  {
    name: 'long lists in parts',
    pattern: patterns.dense(size(3, 4500, [1, 64])),
    headDim: 32,
    heads: 2,
    kvHeads: 1,
    rules: { causal: true },
    sink: true,
    rowMax: true,
  },
  {
    name: 'own tiles for each query',
    pattern: randomTiles(3, { n: 70, t: 90, block: [1, 16], sets: 1, batch: 1, heads: 'shared' }),
    headDim: 24,
    heads: 1,
    keysFirst: true,
    rowMax: true,
  },
  {
    name: 'own tiles, one chunk of every query',
    pattern: randomTiles(4, { n: 64, t: 128, block: [1, 128], sets: 1, batch: 1, heads: 'shared' }),
    headDim: 64,
    heads: 1,
    keysFirst: true,
  },
  {
    name: 'own tiles per key-value head, causal, with window and sinks',
    pattern: randomTiles(5, { n: 101, t: 131, block: [1, 24], sets: 2, batch: 1, heads: 'kv' }),
    headDim: 80,
    heads: 4,
    kvHeads: 2,
    rules: { causal: true, window: 50, sinkTokens: 5 },
    sink: true,
    keysFirst: true,
  },
  {
    name: 'own tiles per query head, two batches, soft cap and bias',
    pattern: randomTiles(6, { n: 62, t: 77, block: [2, 16], sets: 4, batch: 2, heads: 'q' }),
    headDim: 16,
    heads: 4,
    kvHeads: 2,
    batch: 2,
    rules: { softcap: 1.5, scale: 1.2 },
    bias: 'batch',
    logWeight: 0.7,
    layout: 'BSHD',
    keysFirst: true,
  },
  {
    name: 'own tiles longer than a chunk, positions of both',
    pattern: randomTiles(7, { n: 90, t: 300, block: [1, 150], sets: 1, batch: 1, heads: 'shared' }),
    headDim: 40,
    heads: 3,
    kvHeads: 1,
    rules: { causal: true, window: 200, sinkTokens: 9 },
    positions: 'both',
    keysFirst: true,
  },
  {
    name: 'own tiles, ragged',
    pattern: randomTiles(8, { n: 60, t: 80, block: [1, 32], sets: 1, batch: 1, heads: 'shared' }),
    headDim: 8,
    heads: 2,
    batch: 4,
    keyLengths: [80, 33, 1, 0],
    rules: { causal: true },
    keysFirst: true,
  },
  {
    name: 'own tiles of more rows than a segment, full ones among them',
    pattern: (() => {
      const { tiles, ...rest } = randomTiles(9, { n: 700, t: 60, block: [2, 20], sets: 1, batch: 1, heads: 'shared' });
      return {
        ...rest,
        tiles: patterns.rows(Array.from({ length: 350 }, (_, i) => (i % 3 === 0 ? [2] : []))),
        fullTiles: withoutId(tiles, 2),
      };
    })(),
    headDim: 8,
    heads: 4,
    kvHeads: 1,
    rules: { causal: true },
    keysFirst: true,
  },
  {
    name: 'own tiles of the largest head',
    pattern: randomTiles(10, { n: 60, t: 50, block: [1, 9], sets: 1, batch: 1, heads: 'shared' }),
    headDim: 256,
    heads: 1,
    keysFirst: true,
  },
  { name: 'largest head', pattern: patterns.dense(size(18, 20, [64, 64])), headDim: 256, heads: 1 },
  { name: 'block of queries beyond 64 rows', pattern: patterns.dense(size(150, 70, [100, 64])), headDim: 8, heads: 1 },
];

/** Against the blocks of the CUDA kernels: 64 rows, chunks of 64 keys (32 of heads above 128), head dims of 64, 128 and 256, parts of 256 keys and more. */
export const attentionCudaCases: readonly AttentionCase[] = [
  { name: 'one block', pattern: patterns.dense(size(64, 64, [64, 64])), headDim: 64, heads: 1 },
  {
    name: 'causal blocks of 128',
    pattern: patterns.dense({ ...size(256, 256, [128, 128]), causal: true }),
    headDim: 128,
    heads: 1,
    rules: { causal: true },
  },
  {
    name: 'ragged blocks, grouped heads',
    pattern: patterns.dense({ ...size(130, 203, [64, 64]), causal: true }),
    headDim: 128,
    heads: 4,
    kvHeads: 2,
    rules: { causal: true },
    layout: 'BSHD',
  },
  { name: 'scores far apart', pattern: patterns.dense(size(20, 500, [64, 64])), headDim: 64, heads: 1, rules: { scale: 6 } },
  {
    name: 'verticals and slashes',
    pattern: patterns.verticalSlash({ ...size(200, 200, [64, 64]), slashes: [0, 5, 90], verticals: [0, 1, 2, 33, 64, 100, 199] }),
    headDim: 128,
    heads: 2,
    rules: { causal: true },
  },
  {
    name: 'decoding over many parts',
    pattern: patterns.dense(size(1, 3000, [1, 64])),
    headDim: 128,
    heads: 8,
    kvHeads: 2,
    rules: { causal: true },
    sink: true,
  },
  {
    name: 'large heads, causal',
    pattern: patterns.dense({ ...size(70, 101, [64, 64]), causal: true }),
    headDim: 256,
    heads: 2,
    kvHeads: 1,
    rules: { causal: true },
    sink: true,
  },
  {
    name: 'large heads, 160 dims and columns',
    pattern: patterns.verticalSlash({ ...size(65, 99, [64, 32]), slashes: [0, 40], verticals: [0, 7, 31, 64] }),
    headDim: 160,
    heads: 1,
    rules: { causal: true, softcap: 3 },
    layout: 'BSHD',
    rowMax: true,
  },
  {
    name: 'row maxima over many parts, from a result',
    pattern: patterns.dense(size(2, 2100, [2, 128])),
    headDim: 64,
    heads: 4,
    kvHeads: 2,
    sink: true,
    logWeight: 0.5,
    rowMax: true,
    initial: true,
  },
  {
    name: 'from a result, some rows without keys',
    pattern: patterns.dense(size(70, 20, [64, 64])),
    headDim: 40,
    heads: 2,
    rules: { causal: true },
    initial: true,
  },
  {
    name: 'window and sinks over whole chunks',
    pattern: patterns.dense({ ...size(64, 512, [64, 128]), causal: true }),
    headDim: 64,
    heads: 1,
    rules: { causal: true, window: 200, sinkTokens: 64 },
  },
  ...(['BHSD', 'BSHD'] as const).map((layout) => ({
    name: `pages, ragged, ${layout}`,
    pattern: patterns.dense(size(3, 150, [3, 16])),
    headDim: 128,
    heads: 4,
    kvHeads: 2,
    batch: 3,
    keyLengths: [150, 77, 0],
    rules: { causal: true },
    layout,
    pageTokens: 16,
  })),
  {
    name: 'pages of 7, listed pages and tokens',
    pattern: { ...decode(300, [299, 0, 20]), blockSize: [1, 7], tiles: patterns.rows([[40, 1, 9]]) },
    headDim: 64,
    heads: 8,
    kvHeads: 1,
    rules: { causal: true },
    bias: 'kv',
    pageTokens: 7,
  },
  {
    name: 'pages over many parts, large heads',
    pattern: patterns.dense(size(1, 1200, [1, 32])),
    headDim: 192,
    heads: 2,
    kvHeads: 1,
    pageTokens: 32,
    rowMax: true,
  },
];
