/** What all kinds of scores share: their operands and the call of the addon. */
import { type Isa, isaOption } from '../device.js';
import { rangeError, typeError } from '../errors.js';
import { allocate, type Tensor, type TensorLike, tensor } from '../tensor.js';
import { describe, integer, oneOf } from '../validate.js';
import { type Heads, headsOf } from './heads.js';
import type { Layout } from './types.js';

/** In the order of the kinds in native/napi/score_napi.cc. */
const kinds = ['dot', 'softmax', 'minmax', 'max', 'mass', 'lines', 'antidiagonal'] as const;

/** Options that all scores have. */
export interface CommonOptions {
  /** Factor of q k; default 1 / sqrt(dim). */
  readonly scale?: number;
  /** Order of the axes of q and k; default `'BHSD'`. */
  readonly layout?: Layout;
  /** Instruction set; default: the best that the machine has. */
  readonly isa?: Isa;
  /** Most threads; default: all of the pool. */
  readonly threads?: number;
  /** Aborts the run. */
  readonly signal?: AbortSignal;
}

/** Names of the options in {@link CommonOptions}. */
export const common = ['scale', 'layout', 'isa', 'threads', 'signal'] as const;
const layouts = ['BHSD', 'BSHD'] as const;

interface Pair {
  q: Heads;
  k: Heads;
}

/** Options of `attention.score`. */
export interface ScoreOptions extends CommonOptions {
  /**
   * - `dot` (default): scale q k
   * - `softmax`: its softmax over the keys of each query
   * - `minmax`: k holds the least and the greatest of each channel of a page, as `pool` with `minmax` gives them; the upper bound of all q k
   *   of the page, sum over c of max(q_c least_c, q_c greatest_c) (Quest)
   * - `max`: the greatest scale q k of each tile of `blockSize`
   * - `mass`: the sum of exp(scale q k - lse) over each tile of `blockSize`: the attention mass that falls on it
   */
  readonly kind?: 'dot' | 'softmax' | 'minmax' | 'max' | 'mass';
  /** Query i sees the keys below limit[i] only, int32 [queries]. */
  readonly limit?: Int32Array;
  /** Shorthand for the limits of a causal mask: query i of N sees the keys up to i + T - N. */
  readonly causal?: boolean;
  /** Multiply these channels of q and k only, int32 (Double Sparsity); dim is then their number. Default: all. */
  readonly channels?: Int32Array;
  /** For `max` and `mass`. */
  readonly blockSize?: readonly [queries: number, keys: number];
  /** For `mass`: log-sum-exp of each query, float32 [batch, heads, queries], as attention returns it. */
  readonly lse?: TensorLike | Float32Array;
  /** Makes the query heads of each key-value head one, by the sum or the greatest of their scores; default `'none'`. */
  readonly group?: 'none' | 'sum' | 'max';
}

/** In the order of enum GroupReduce in native/score/score.h. */
export const groups = ['none', 'sum', 'max'] as const;

/** The tiles of the kinds `max` and `mass`; 1 x 1 for the others. */
export function checkTiles(
  o: { readonly blockSize?: readonly [queries: number, keys: number]; readonly lse?: unknown },
  kind: NonNullable<ScoreOptions['kind']>,
  group: (typeof groups)[number],
): [number, number] {
  const tiles = kind === 'max' || kind === 'mass';
  if (tiles !== (o.blockSize !== undefined) || (kind === 'mass') !== (o.lse !== undefined)) {
    throw rangeError('ERR_SK_OPTION', `expected blockSize for the kinds max and mass only, and lse for mass only`);
  }
  if (o.blockSize !== undefined && (!Array.isArray(o.blockSize) || o.blockSize.length !== 2)) {
    throw typeError('ERR_SK_TYPE', `expected blockSize to be [queries, keys] but received ${describe(o.blockSize)}`);
  }
  const blocks: [number, number] = [
    integer(o.blockSize?.[0] ?? 1, 'blockSize[0]', 1, 2 ** 31 - 1),
    integer(o.blockSize?.[1] ?? 1, 'blockSize[1]', 1, 2 ** 31 - 1),
  ];
  if ((kind === 'max' && group === 'sum') || (kind === 'mass' && group === 'max')) {
    throw rangeError(
      'ERR_SK_OPTION',
      `expected the group 'none' or '${kind === 'max' ? 'max' : 'sum'}' for the kind ${kind} but received '${group}'`,
    );
  }
  return blocks;
}

/** Throws unless operands of these sizes, checked one by one, go together. */
export function expectPair(q: { dims: readonly number[] }, a: PairSizes, k: { dims: readonly number[] }, b: PairSizes): void {
  if (a.batch !== b.batch || a.dim !== b.dim || b.heads === 0 || a.heads % b.heads !== 0) {
    throw rangeError(
      'ERR_SK_SHAPE',
      `expected q and k of one batch and dim, and heads of k that divide those of q, but received dims ${describe(q.dims)} and ${describe(k.dims)}`,
    );
  }
}

interface PairSizes {
  readonly batch: number;
  readonly heads: number;
  readonly dim: number;
}

export function pairOf(q: TensorLike, k: TensorLike, layout: Layout | undefined, pages: boolean): Pair {
  const order = oneOf(layout ?? 'BHSD', 'layout', layouts);
  const queries = headsOf(q, 'q', order);
  const keys = pages ? pagesOf(k) : headsOf(k, 'k', order);
  expectPair(q, queries, k, keys);
  return { q: queries, k: keys };
}

/** Pages [batch, heads, pages, 2, dim]. */
function pagesOf(k: TensorLike): Heads {
  const { data, dims } = tensor(k, 'k', ['float32']);
  if (dims.length !== 5 || dims[3] !== 2) {
    throw rangeError('ERR_SK_SHAPE', `expected k to be [batch, heads, pages, 2, dim] but received dims ${describe(dims)}`);
  }
  const [batch, heads, pages, , dim] = dims as [number, number, number, number, number];
  return { ...headsOf({ data, dims: [batch, heads, pages, 2 * dim] }, 'k', 'BHSD'), dim };
}

/** What a call needs to know of its keys. */
interface Keys extends Pick<Heads, 'heads' | 'tokens' | 'strides'> {
  readonly data: Float32Array | Uint16Array;
}

export function callOf({ q, k }: { q: Heads; k: Keys }, kind: (typeof kinds)[number], o: CommonOptions) {
  if (o.scale !== undefined && !(typeof o.scale === 'number' && Number.isFinite(o.scale))) {
    throw rangeError('ERR_SK_OPTION', `expected scale to be a finite number but received ${describe(o.scale)}`);
  }
  return {
    kind: kinds.indexOf(kind),
    q: q.data,
    qStrides: q.strides,
    k: k.data,
    kStrides: k.strides,
    batch: q.batch,
    heads: q.heads,
    kvHeads: k.heads,
    queries: q.tokens,
    keys: k.tokens,
    dim: q.dim,
    scale: o.scale ?? 1 / Math.sqrt(q.dim),
    limit: undefined as Int32Array | undefined,
    lse: undefined as Float32Array | undefined,
    group: 0,
    blockQ: 1,
    blockK: 1,
    stride: 1,
    causal: false,
    isa: isaOption(o.isa),
    threads: integer(o.threads ?? 1024, 'threads', 1, 1024),
  };
}

/** Memory for scores that the next ones may overwrite: of decoding, where new memory takes longer to come than scores. */
export class ScoreMemory {
  #data: Float32Array = new Float32Array(0);

  take(length: number, name: string): Float32Array {
    if (this.#data.length < length) this.#data = allocate('float32', Math.ceil(1.25 * length), name);
    return this.#data.subarray(0, length);
  }
}

export function output(dims: readonly number[], name: string, memory?: ScoreMemory): Tensor {
  const length = dims.reduce((a, b) => a * b, 1);
  return { type: 'float32', data: memory?.take(length, name) ?? allocate('float32', length, name), dims };
}
