/** A case of attend, and the lists that cases are made of. */
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

export const size = (queryLength: number, keyLength: number, blockSize: [number, number]) => ({ queryLength, keyLength, blockSize });

/** Random lists of block tiles, some of them empty, ids in any order. */
export function randomTiles(
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
export const withoutId = ({ start, count, index }: attention.Rows, id: number) =>
  patterns.rows(Array.from(start, (s, r) => [...index.subarray(s, s + (count[r] as number))].filter((i) => i !== id)));

export const decode = (keys: number, tokens: number[]) =>
  patterns.columns(patterns.rows([tokens]), { queryLength: 1, keyLength: keys, blockSize: [1, 64] });
