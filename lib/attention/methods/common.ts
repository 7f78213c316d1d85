/** What all methods share: shapes, patterns from block lists, running a pattern and reporting on it. */
import type { Isa } from '../../device.js';
import { rangeError } from '../../errors.js';
import type { TensorLike } from '../../tensor.js';
import { options } from '../../validate.js';
import { type Heads, headsOf } from '../heads.js';
import { perHead } from '../patterns.js';
import { plan } from '../plan.js';
import { score } from '../score.js';
import type { AttentionResult, HeadSets, Layout, Pattern, PlanOptions, Rows, RunOptions } from '../types.js';

/** Options that all methods have. */
export interface MethodOptions {
  /** Queries see no later keys; default true. The last query is at the position of the last key. */
  readonly causal?: boolean;
  /** Factor of q k; default 1 / sqrt(headDim). */
  readonly scale?: number;
  /** Order of the axes of q, k, v and output; default `'BHSD'`. */
  readonly layout?: Layout;
  /** Instruction set; default: the best that the machine has. */
  readonly isa?: Isa;
  /** Most threads; default: all of the pool. */
  readonly threads?: number;
}

/** Names of the options in {@link MethodOptions}. */
export const methodKeys = ['causal', 'scale', 'layout', 'isa', 'threads'] as const;

/** What a method made of an input. */
export interface MethodReport {
  /** Share of all N x T scores that were computed; dense causal attention has about 0.5. */
  readonly density: number;
  /** Share of the dense attention's mass that falls on the chosen keys, mean over the sampled queries: 1 is exact. */
  readonly coveredMass: number;
  /** Smallest of these shares. */
  readonly leastCoveredMass: number;
}

/** A result that can say how good its choice of keys was. */
export interface MethodResult extends AttentionResult {
  /** Which keys were attended to. */
  readonly pattern: Pattern;
  /** Share of all N x T scores that were computed. */
  readonly density: number;
  /**
   * Compares with dense attention at some of the queries. It costs about as much as dense attention of so many queries.
   *
   * @param queries - how many queries of each head to sample, evenly; default 32
   */
  report(queries?: number): Promise<MethodReport>;
}

/** A method that chooses keys for many queries at once. */
export interface PrefillMethod {
  /** The choice alone: for a plan of your own. */
  pattern(q: TensorLike, k: TensorLike): Promise<Pattern>;
  /** Chooses and attends. Shapes are those of `plan.run`. */
  prefill(q: TensorLike, k: TensorLike, v: TensorLike): Promise<MethodResult>;
}

/** Sizes of q and k. */
export interface Shape {
  readonly batch: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly queries: number;
  readonly keys: number;
  readonly dim: number;
}

export function shapeOf(q: TensorLike, k: TensorLike, layout: Layout = 'BHSD'): Shape {
  const [a, b] = [headsOf(q, 'q', layout), headsOf(k, 'k', layout)];
  if (a.batch !== b.batch || a.dim !== b.dim || b.heads === 0 || a.heads % b.heads !== 0) {
    throw rangeError('ERR_SK_SHAPE', `expected k to fit q [${q.dims}] but received dims [${k.dims}]`);
  }
  return { batch: a.batch, heads: a.heads, kvHeads: b.heads, queries: a.tokens, keys: b.tokens, dim: a.dim };
}

/** Options for score, pool and lines that a method passes on. */
export const passed = ({ scale, layout, isa, threads }: MethodOptions) => ({
  ...(scale !== undefined && { scale }),
  ...(layout !== undefined && { layout }),
  ...(isa !== undefined && { isa }),
  ...(threads !== undefined && { threads }),
});

/** The same without layout and scale: for tensors that are [batch, heads, tokens, dim] already. */
export const passedTo = ({ isa, threads }: MethodOptions) => passed({ ...(isa && { isa }), ...(threads && { threads }) });

/** How many key blocks the last query of each query block sees. */
export function blockLimits(s: Shape, [bq, bk]: readonly [number, number], causal: boolean): Int32Array {
  const keyBlocks = Math.ceil(s.keys / bk);
  return Int32Array.from({ length: Math.ceil(s.queries / bq) }, (_, i) => {
    if (!causal) return keyBlocks;
    const position = Math.min((i + 1) * bq, s.queries) - 1 + s.keys - s.queries;
    return position < 0 ? 0 : Math.min(keyBlocks, Math.floor(position / bk) + 1);
  });
}

/** How many keys each query sees. */
export function positionsSeen(s: Shape, causal: boolean): Int32Array {
  return Int32Array.from({ length: s.queries }, (_, i) => (causal ? Math.max(0, i + 1 + s.keys - s.queries) : s.keys));
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

/** The ids of one row. */
export function idsOf({ start, count, index }: Rows, row: number): Int32Array {
  const begin = start[row] as number;
  return index.subarray(begin, begin + (count[row] as number));
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

/** Attends to what a pattern lists. */
export async function attend(
  q: TensorLike,
  k: TensorLike,
  v: TensorLike,
  pattern: Pattern,
  o: MethodOptions,
  rules: Pick<PlanOptions, 'window' | 'sinkTokens' | 'pvSkip'> = {},
  runOptions: RunOptions = {},
): Promise<MethodResult> {
  const s = shapeOf(q, k, o.layout);
  using attention = plan({
    ...passed(o),
    ...rules,
    pattern,
    batch: s.batch,
    heads: s.heads,
    kvHeads: s.kvHeads,
    headDim: s.dim,
    causal: o.causal ?? true,
    validate: false, // selections list no key twice
  });
  const result = await attention.run(q, k, v, runOptions);
  return { ...result, ...reported(q, k, result.lse.data, attention.density, pattern, o) };
}

/** The part of a result that reports. */
export function reported(q: TensorLike, k: TensorLike, lse: Float32Array, density: number, pattern: Pattern, o: MethodOptions) {
  return {
    pattern,
    density,
    report: async (queries = 32): Promise<MethodReport> => ({ density, ...(await coverage(q, k, lse, o, queries)) }),
  };
}

/** exp(lse - dense lse) at sampled queries. */
async function coverage(q: TensorLike, k: TensorLike, lse: Float32Array, o: MethodOptions, wanted: number) {
  const s = shapeOf(q, k, o.layout);
  const count = Math.min(wanted, s.queries);
  const sample = Array.from({ length: count }, (_, i) => Math.floor(((i + 0.5) * s.queries) / count));
  const rows = takeTokens(headsOf(q, 'q', o.layout ?? 'BHSD'), sample);
  const limit = Int32Array.from(sample, (i) => ((o.causal ?? true) ? Math.max(0, i + 1 + s.keys - s.queries) : s.keys));
  const order = o.layout === 'BSHD' ? toTokensOutside(rows, s, count) : rows;
  const dims = o.layout === 'BSHD' ? [s.batch, count, s.heads, s.dim] : [s.batch, s.heads, count, s.dim];
  const { data } = await score({ data: order, dims }, k, { ...passed(o), limit });
  let sum = 0;
  let least = 1;
  for (let row = 0; row < s.batch * s.heads * count; row++) {
    const dense = logSumExp(data.subarray(row * s.keys, row * s.keys + (limit[row % count] as number)));
    const chosen = lse[Math.floor(row / count) * s.queries + (sample[row % count] as number)] as number;
    const share = dense === Number.NEGATIVE_INFINITY ? 1 : Math.exp(chosen - dense);
    sum += share;
    least = Math.min(least, share);
  }
  return { coveredMass: sum / (s.batch * s.heads * count), leastCoveredMass: least };
}

export function logSumExp(x: Float32Array): number {
  let most = Number.NEGATIVE_INFINITY;
  for (const value of x) if (value > most) most = value;
  if (most === Number.NEGATIVE_INFINITY) return most;
  let sum = 0;
  for (const value of x) sum += Math.exp(value - most);
  return most + Math.log(sum);
}

/** Some tokens of every head, [batch, heads, tokens, dim]. */
export function takeTokens(x: Heads, tokens: ArrayLike<number>): Float32Array {
  const [byBatch, byHead, byToken] = x.strides as unknown as [number, number, number];
  const taken = new Float32Array(x.batch * x.heads * tokens.length * x.dim);
  for (let s = 0; s < x.batch * x.heads; s++) {
    const first = Math.floor(s / x.heads) * byBatch + (s % x.heads) * byHead;
    for (let i = 0; i < tokens.length; i++) {
      const from = first + (tokens[i] as number) * byToken;
      taken.set(x.data.subarray(from, from + x.dim), (s * tokens.length + i) * x.dim);
    }
  }
  return taken;
}

/** [batch, heads, tokens, dim] as [batch, tokens, heads, dim]. */
function toTokensOutside(x: Float32Array, s: Shape, tokens: number): Float32Array {
  const moved = new Float32Array(x.length);
  for (let b = 0; b < s.batch; b++) {
    for (let h = 0; h < s.heads; h++) {
      for (let t = 0; t < tokens; t++) {
        const from = ((b * s.heads + h) * tokens + t) * s.dim;
        moved.set(x.subarray(from, from + s.dim), ((b * tokens + t) * s.heads + h) * s.dim);
      }
    }
  }
  return moved;
}

/** A method of two steps: choose a pattern, attend to it. */
export function prefillMethod<O extends MethodOptions>(
  o: O,
  choose: (q: TensorLike, k: TensorLike, s: Shape) => Promise<Pattern>,
  rules: Pick<PlanOptions, 'window' | 'sinkTokens' | 'pvSkip'> = {},
): PrefillMethod {
  const pattern = async (q: TensorLike, k: TensorLike) => choose(q, k, shapeOf(q, k, o.layout));
  return { pattern, prefill: async (q, k, v) => attend(q, k, v, await pattern(q, k), o, rules) };
}

/** Options of a method, with no unknown ones. */
export function methodOptions<O extends MethodOptions>(value: unknown, known: readonly (keyof O & string)[]): O {
  return options<O>(value, 'options', [...(methodKeys as readonly (keyof O & string)[]), ...known]);
}
