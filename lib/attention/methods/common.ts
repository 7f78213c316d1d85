/** What all methods share: patterns from block lists, and running a pattern. */
import type { TensorLike } from '../../tensor.js';
import type { Shape } from '../heads.js';
import { perHead } from '../patterns.js';
import { plan } from '../plan.js';
import { pool } from '../pool.js';
import type { HeadSets, Pattern, PlanOptions, Rows } from '../types.js';
import { type MethodResult, reported } from './report.js';
import { type MethodOptions, passed, passedTo, shapeOf } from './shape.js';

/** A method that chooses keys for many queries at once. */
export interface PrefillMethod {
  /** The choice alone: for a plan of your own. */
  pattern(q: TensorLike, k: TensorLike): Promise<Pattern>;
  /** Chooses and attends. Shapes are those of `plan.run`. */
  prefill(q: TensorLike, k: TensorLike, v: TensorLike): Promise<MethodResult>;
}

/** [batch, heads, tokens, dim], whatever the layout: windows of one token. */
export async function headsFirst(x: TensorLike, o: MethodOptions): Promise<TensorLike> {
  if (o.layout !== 'BSHD') return x;
  return (await pool(x, { kind: 'sum', block: 1, layout: 'BSHD', ...passedTo(o) })).pooled;
}

/** A pattern from lists for each head: tiles, or columns where `unit` is 'columns'. */
export function listPattern(
  s: Pick<Shape, 'batch' | 'queries' | 'keys'>,
  lists: Rows,
  blockSize: readonly [number, number],
  heads: HeadSets,
  sets: number,
  what: 'tiles' | 'columns' = 'tiles',
): Pattern {
  return {
    queryLength: s.queries,
    keyLength: s.keys,
    batch: s.batch,
    heads,
    sets,
    blockSize,
    unit: what === 'tiles' ? 'block' : 'token',
    [what]: lists,
  };
}

/** One pattern for each query head of each batch entry, in order. */
export function joined(patterns: readonly Pattern[], s: Shape): Pattern {
  return { ...perHead(patterns, 'q'), batch: s.batch, sets: s.heads };
}

/** Rows [first, first + n) of lists. */
export function sliceRows({ start, count, index }: Rows, first: number, n: number): Rows {
  return { start: start.subarray(first, first + n), count: count.subarray(first, first + n), index };
}

/** Lists from one array of ids a row. */
export function rowsFrom(lists: readonly ArrayLike<number>[]): Rows {
  const count = Int32Array.from(lists, (list) => list.length);
  const start = new Int32Array(lists.length);
  for (let r = 1; r < lists.length; r++) start[r] = (start[r - 1] as number) + (count[r - 1] as number);
  const index = new Int32Array((start.at(-1) ?? 0) + (count.at(-1) ?? 0));
  for (const [r, list] of lists.entries()) index.set(list, start[r]);
  return { start, count, index };
}

/** What a method's plan has beside its pattern. */
type Rules = Pick<PlanOptions, 'window' | 'sinkTokens' | 'pvSkip' | 'validate'>;

/** Attends to what a pattern lists. */
export async function attend(
  q: TensorLike,
  k: TensorLike,
  v: TensorLike,
  pattern: Pattern,
  o: MethodOptions,
  rules: Rules = {},
  keyBias?: Float32Array,
): Promise<MethodResult> {
  const s = shapeOf(q, k, o.layout);
  using attention = plan({
    ...passed(o),
    validate: false, // selections list no key twice
    ...rules,
    pattern,
    batch: s.batch,
    heads: s.heads,
    kvHeads: s.kvHeads,
    headDim: s.dim,
    causal: o.causal ?? true,
  });
  const result = await attention.run(q, k, v, keyBias ? { keyBias } : {});
  const of = { q, k, lse: result.lse.data, density: attention.density, pattern, ...(keyBias && { keyBias }) };
  return { ...result, ...reported(of, o) };
}

/** A method of two steps: choose a pattern, attend to it. */
export function prefillMethod<O extends MethodOptions>(
  o: O,
  choose: (q: TensorLike, k: TensorLike, s: Shape) => Promise<Pattern>,
  rules: Rules = {},
): PrefillMethod {
  const pattern = async (q: TensorLike, k: TensorLike) => choose(q, k, shapeOf(q, k, o.layout));
  return { pattern, prefill: async (q, k, v) => attend(q, k, v, await pattern(q, k), o, rules) };
}
