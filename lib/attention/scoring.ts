/** What all kinds of scores share: their operands and the call of the addon. */
import { type Isa, isaOption } from '../device.js';
import { rangeError } from '../errors.js';
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

export function pairOf(q: TensorLike, k: TensorLike, layout: Layout | undefined, pages: boolean): Pair {
  const order = oneOf(layout ?? 'BHSD', 'layout', layouts);
  const queries = headsOf(q, 'q', order);
  const keys = pages ? pagesOf(k) : headsOf(k, 'k', order);
  if (queries.batch !== keys.batch || queries.dim !== keys.dim || keys.heads === 0 || queries.heads % keys.heads !== 0) {
    throw rangeError(
      'ERR_SK_SHAPE',
      `expected q and k of one batch and dim, and heads of k that divide those of q, but received dims ${describe(q.dims)} and ${describe(k.dims)}`,
    );
  }
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

export function callOf({ q, k }: Pair, kind: (typeof kinds)[number], o: CommonOptions) {
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

export function output(dims: readonly number[], name: string): Tensor {
  const data = allocate(
    'float32',
    dims.reduce((a, b) => a * b, 1),
    name,
  );
  return { type: 'float32', data, dims };
}
