/** What all methods are asked: their options, the sizes of q and k, how far queries see. */
import type { Isa } from '../../device.js';
import { rangeError } from '../../errors.js';
import type { TensorLike } from '../../tensor.js';
import { flag, options } from '../../validate.js';
import { headsOf, type Shape } from '../heads.js';
import type { Layout } from '../types.js';

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

/** Options of a method, with no unknown ones, nor those that it cannot follow. */
export function methodOptions<O extends MethodOptions>(
  value: unknown,
  known: readonly (keyof O & string)[],
  without: readonly (keyof MethodOptions)[] = [],
): O {
  const shared = methodKeys.filter((key) => !without.includes(key)) as readonly (keyof O & string)[];
  const o = options<O>(value, 'options', [...shared, ...known]);
  if (o.causal !== undefined) flag(o.causal, 'causal');
  return o;
}

export function shapeOf(q: TensorLike, k: TensorLike, layout: Layout = 'BHSD'): Shape {
  const [a, b] = [headsOf(q, 'q', layout), headsOf(k, 'k', layout)];
  if (a.batch !== b.batch || a.dim !== b.dim || b.heads === 0 || a.heads % b.heads !== 0) {
    throw rangeError('ERR_SK_SHAPE', `expected k to fit q [${q.dims}] but received dims [${k.dims}]`);
  }
  // Numbers bound how many heads there are; axes of an empty tensor may be of any length, and lists are made for each head.
  if (a.data.length === 0) throw rangeError('ERR_SK_SHAPE', `expected at least one query but received q [${q.dims}]`);
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
