import type { NativeMaskOutput } from '../types/select.js';
import { type Isa, isaOption } from './device.js';
import { guarded } from './handle.js';
import { native } from './native.js';
import { allocate } from './tensor.js';

/** A matrix of scores, row-major; everything has been checked. */
export interface Scores {
  readonly data: Float32Array;
  readonly rows: number;
  readonly columns: number;
}

/** How scores are compared, and by which kernel. */
export interface Comparison {
  /** Compare absolute values; default false. */
  readonly magnitude?: boolean | undefined;
  readonly isa?: Isa | undefined;
  readonly threads?: number | undefined;
}

const common = ({ magnitude, isa, threads }: Comparison) => ({
  magnitude: magnitude ?? false,
  isa: isaOption(isa),
  threads: threads ?? 1024,
});

/** The mask of the selection that `run` makes: 1 where kept. */
function mask({ data }: Scores, run: (output: NativeMaskOutput) => void): Uint8Array {
  const kept = allocate('uint8', data.length, 'the mask');
  guarded(() => run({ mask: kept }));
  return kept;
}

/** `weight` where the selection that `run` makes keeps it, else 0. */
function masked(weight: Float32Array, run: (output: NativeMaskOutput) => void): Float32Array {
  const kept = allocate('float32', weight.length, 'the masked weight');
  guarded(() => run({ weight, masked: kept }));
  return kept;
}

/** Of every m consecutive scores of a row the n best; the last group may be shorter. m: 2, 4, 8, 16 or 32. NaN is smallest. */
export interface Groups extends Comparison {
  readonly n: number;
  readonly m: number;
}

const selectGroups = (scores: Scores, groups: Groups) => (output: NativeMaskOutput) =>
  native.selectGroups({
    scores: scores.data,
    rows: scores.rows,
    columns: scores.columns,
    n: groups.n,
    m: groups.m,
    ...common(groups),
    ...output,
  });

/** N:M mask of scores [rows, columns]: 1 where kept. */
export const groupMask = (scores: Scores, groups: Groups): Uint8Array => mask(scores, selectGroups(scores, groups));

/** `weight` [rows, columns] with the N:M mask of the scores, which may be the weight itself. */
export const maskGroups = (weight: Float32Array, scores: Scores, groups: Groups): Float32Array =>
  masked(weight, selectGroups(scores, groups));

/** The k best scores of every row; for a whole tensor make it one row. -Infinity is never kept, NaN is ERR_SK_NAN. */
export interface TopK extends Comparison {
  /** Of every row, or one number for each. */
  readonly k: number | Int32Array;
}

const selectTopK = (scores: Scores, top: TopK) => (output: NativeMaskOutput) =>
  native.selectRowsSync({
    scores: scores.data,
    rows: scores.rows,
    columns: scores.columns,
    rule: 0,
    k: typeof top.k === 'number' ? new Int32Array(scores.rows).fill(top.k) : top.k,
    first: 0,
    sink: 0,
    local: 0,
    least: 0,
    most: scores.columns,
    crossing: 0,
    relative: false,
    needsReach: false,
    strict: false,
    ...common(top),
    ...output,
  });

/** Mask of the k best of each row: 1 where kept. Ties go to the lower index. */
export const topKMask = (scores: Scores, top: TopK): Uint8Array => mask(scores, selectTopK(scores, top));

/** `weight` [rows, columns] with the top-k mask of the scores, which may be the weight itself. */
export const maskTopK = (weight: Float32Array, scores: Scores, top: TopK): Float32Array => masked(weight, selectTopK(scores, top));
