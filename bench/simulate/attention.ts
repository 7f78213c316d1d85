import { type SimulatedCase, shortTypes } from './cases.js';

/** Of heads and key-value heads; percent of the causal pairs, by blocks of 128 x 128 or by single keys that 128 queries share. */
type Prefill = ['dense' | 'blocks' | 'columns', heads: number, kv: number, tokens: number, d: number, percent: number];
/** One new token over listed pages of 16, or all of them. */
type Decoding = ['pages', heads: number, kv: number, tokens: number, d: number, percent: number];

/** A step that chooses keys: pages of 16 by Quest for one new token, or lines by the last 64 queries (MInference). */
type Choice = ['pool' | 'score' | 'select' | 'lines', heads: number, kv: number, tokens: number, d: number];

/**
 * Lengths at which the authors of block-sparse prefill (MInference 1 M, XAttention 256 k, AnchorAttention 128 k, NSA 64 k, SeerAttention 32 k) and
 * of the choice of pages and tokens (Quest 32 k, Double Sparsity 256 k) report; all against dense attention.
 */
const rows: readonly (Prefill | Decoding)[] = [
  ['dense', 32, 8, 32_768, 128, 100],
  ['blocks', 32, 8, 32_768, 128, 10],
  ['blocks', 64, 4, 65_536, 128, 10],
  ['blocks', 32, 8, 131_072, 128, 10],
  ['blocks', 32, 8, 262_144, 128, 5],
  ['blocks', 32, 8, 1_048_576, 128, 5],
  ['columns', 32, 8, 131_072, 128, 10],
  ['blocks', 24, 24, 32_768, 64, 20],
  ['pages', 32, 8, 32_768, 128, 100],
  ['pages', 32, 8, 32_768, 128, 6.25],
  ['pages', 64, 4, 65_536, 128, 6.25],
  ['pages', 32, 8, 131_072, 128, 1.5625],
  ['pages', 32, 8, 262_144, 128, 6.25],
];

const choices: readonly Choice[] = (['pool', 'score', 'select', 'lines'] as const).map((kind) => [kind, 32, 8, 32_768, 128]);

const [PART_QUERIES, PART_KEYS, PART_TOKENS] = [128, 1024, 4096];

export const attentionCases: readonly SimulatedCase[] = [
  ...rows.map((row) => (row[0] === 'pages' ? decoding(row) : prefill(row))),
  ...choices.map(choice),
];

function nameOf([kind, heads, kv, tokens, d, percent]: Prefill | Decoding): string {
  return `${shortTypes.float16}-${kind}${percent}-${heads}/${kv}x${tokens}x${d}`;
}

/** The part: the heads of one key-value head, a block of queries and as many keys as make no list so long that it is split. */
function prefill(row: Prefill): SimulatedCase {
  const [kind, heads, kv, tokens, d, percent] = row;
  const causal = (tokens * (tokens + 1)) / 2;
  const pairs = (causal * percent) / 100;
  const listed = kind === 'columns' ? pairs / 128 : pairs / 128 ** 2; // ids of a head
  const operands = heads * tokens * d * 2 + 2 * kv * tokens * d * 2 + heads * tokens * (d + 1) * 4;
  return {
    name: nameOf(row),
    program: 'attended.ts',
    args: [kind === 'columns' ? 'columns' : 'blocks', heads / kv, PART_QUERIES, PART_KEYS, d],
    onOneMultiprocessor: true,
    scale: (kv * pairs) / (PART_QUERIES * PART_KEYS),
    bytes: operands + heads * listed * 4,
    dense: { multiplyAdds: 2 * heads * causal * d, type: 'half', bytes: operands },
  };
}

/** The part: one key-value head, whose list is split as it would be beside the others. */
function decoding(row: Decoding): SimulatedCase {
  const [, heads, kv, tokens, d, percent] = row;
  const read = (tokens * percent) / 100;
  const others = heads * d * 2 + heads * (d + 1) * 4;
  return {
    name: nameOf(row),
    program: 'attended.ts',
    args: ['pages', heads / kv, 1, read, d],
    onOneMultiprocessor: false,
    scale: kv,
    bytes: 2 * kv * read * d * 2 + others + (read / 16) * 8,
    dense: { multiplyAdds: 2 * heads * tokens * d, type: 'half', bytes: 2 * kv * tokens * d * 2 + others },
  };
}

/** The part: one key-value head and some of the tokens; a selection whole rows. The dense limit is that of one new token over all keys. */
function choice([kind, heads, kv, tokens, d]: Choice): SimulatedCase {
  const pages = tokens / 16;
  const part = kind === 'select' ? tokens : PART_TOKENS;
  const queries = heads * d * 2;
  const bytes = {
    pool: kv * tokens * d * 2 + kv * pages * 2 * d * 4,
    score: queries + kv * pages * 2 * d * 4 + heads * pages * 4,
    select: heads * pages * 4 + (heads * pages * 4) / 16,
    lines: 64 * queries + kv * tokens * d * 2 + 2 * heads * tokens * 4,
  }[kind];
  return {
    name: `f16-${kind}-${heads}/${kv}x${tokens}x${d}`,
    program: 'chosen.ts',
    args: [kind, heads / kv, part, d],
    onOneMultiprocessor: false,
    scale: (kv * tokens) / part,
    bytes,
    dense: { multiplyAdds: 2 * heads * tokens * d, type: 'half', bytes: 2 * kv * tokens * d * 2 + queries },
  };
}
