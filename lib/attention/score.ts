import { type Isa, isaOption } from '../device.js';
import { rangeError } from '../errors.js';
import { cancellable, guarded } from '../handle.js';
import { native } from '../native.js';
import { allocate, type Tensor, type TensorLike, tensor, typedArray } from '../tensor.js';
import { describe, integer, oneOf, options } from '../validate.js';
import { type Heads, headsOf } from './heads.js';
import type { Layout } from './types.js';

/** In the order of the kinds in native/napi/score_napi.cc. */
const kinds = ['dot', 'softmax', 'minmax', 'max', 'mass', 'lines', 'antidiagonal'] as const;

/** In the order of enum GroupReduce in native/score/score.h. */
const groups = ['none', 'sum', 'max'] as const;

/** Options that all scores have. */
interface CommonOptions {
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

/** Options of {@link score}. */
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
  /** For `max` and `mass`. */
  readonly blockSize?: readonly [queries: number, keys: number];
  /** For `mass`: log-sum-exp of each query, float32 [batch, heads, queries], as attention returns it. */
  readonly lse?: TensorLike | Float32Array;
  /** Makes the query heads of each key-value head one, by the sum or the greatest of their scores; default `'none'`. */
  readonly group?: 'none' | 'sum' | 'max';
}

/** Options of {@link lines}. */
export interface LinesOptions extends CommonOptions {
  /** How many of the last queries to look at; default 64, at most all. */
  readonly lastQueries?: number;
}

/** What {@link lines} returns. */
export interface Lines {
  /** Sum over the queries of the attention to each key, float32 [batch, heads, T]. */
  readonly vertical: Tensor;
  /** Sum over each diagonal: entry o holds the attention of positions p to keys p - o, float32 [batch, heads, T]. */
  readonly slash: Tensor;
}

/** Options of {@link antidiagonal}. */
export interface AntidiagonalOptions extends CommonOptions {
  /** Tokens of an antidiagonal. */
  readonly stride: number;
  /** Tokens of a block, a multiple of `stride`. */
  readonly block: number;
  /** Queries see no later keys; default true. */
  readonly causal?: boolean;
}

const common = ['scale', 'layout', 'isa', 'threads', 'signal'] as const;
const layouts = ['BHSD', 'BSHD'] as const;

interface Pair {
  q: Heads;
  k: Heads;
}

function pairOf(q: TensorLike, k: TensorLike, layout: Layout | undefined, pages: boolean): Pair {
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

function callOf({ q, k }: Pair, kind: (typeof kinds)[number], o: CommonOptions) {
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

function output(dims: readonly number[], name: string): Tensor {
  const data = allocate(
    'float32',
    dims.reduce((a, b) => a * b, 1),
    name,
  );
  return { type: 'float32', data, dims };
}

function limitsOf(o: ScoreOptions, queries: number, keys: number): Int32Array | undefined {
  if (o.causal) {
    if (o.limit !== undefined) throw rangeError('ERR_SK_OPTION', 'expected either limit or causal');
    return Int32Array.from({ length: queries }, (_, i) => Math.max(0, i + 1 + keys - queries));
  }
  if (o.limit === undefined) return undefined;
  const limit = typedArray(o.limit, 'int32', 'limit');
  if (limit.length === queries) return limit;
  throw rangeError('ERR_SK_SHAPE', `expected limit to hold ${queries} numbers but received ${limit.length}`);
}

function lseOf(lse: ScoreOptions['lse'], length: number): Float32Array {
  const bare = typeof lse !== 'object' || lse === null || !('dims' in lse);
  const data = bare ? typedArray(lse, 'float32', 'lse') : tensor(lse, 'lse', ['float32']).data;
  if (data.length === length) return data;
  throw rangeError('ERR_SK_SHAPE', `expected lse to hold ${length} numbers but received ${data.length}`);
}

function prepare(q: TensorLike, k: TensorLike, scoreOptions: ScoreOptions) {
  const o = options<ScoreOptions>(scoreOptions, 'options', [...common, 'kind', 'limit', 'causal', 'blockSize', 'lse', 'group']);
  const kind = oneOf(o.kind ?? 'dot', 'kind', ['dot', 'softmax', 'minmax', 'max', 'mass']);
  const pair = pairOf(q, k, o.layout, kind === 'minmax');
  const group = oneOf(o.group ?? 'none', 'group', groups);
  const tiles = kind === 'max' || kind === 'mass';
  if (tiles !== (o.blockSize !== undefined) || (kind === 'mass') !== (o.lse !== undefined)) {
    throw rangeError('ERR_SK_OPTION', `expected blockSize for the kinds max and mass only, and lse for mass only`);
  }
  const [blockQ, blockK] = [
    integer(o.blockSize?.[0] ?? 1, 'blockSize[0]', 1, 2 ** 31 - 1),
    integer(o.blockSize?.[1] ?? 1, 'blockSize[1]', 1, 2 ** 31 - 1),
  ];
  if ((kind === 'max' && group === 'sum') || (kind === 'mass' && group === 'max')) {
    throw rangeError(
      'ERR_SK_OPTION',
      `expected the group 'none' or '${kind === 'max' ? 'max' : 'sum'}' for the kind ${kind} but received '${group}'`,
    );
  }
  const { batch, heads, tokens } = pair.q;
  const outHeads = group === 'none' ? heads : pair.k.heads;
  const out = output([batch, outHeads, Math.ceil(tokens / blockQ), Math.ceil(pair.k.tokens / blockK)], 'the scores');
  const call = {
    ...callOf(pair, kind, o),
    limit: limitsOf(o, tokens, pair.k.tokens),
    lse: kind === 'mass' ? lseOf(o.lse, batch * heads * tokens) : undefined,
    group: groups.indexOf(group),
    blockQ,
    blockK,
    out: out.data,
  };
  return { call, out, signal: o.signal };
}

/**
 * Scores of queries against keys, pages or blocks: what selections are made of.
 *
 * @param q - float32 [batch, heads, N, dim] ('BSHD': [batch, N, heads, dim]); queries may be pooled ones
 * @param k - float32 [batch, kvHeads, T, dim] likewise; for `minmax` [batch, kvHeads, pages, 2, dim]
 * @returns float32 [batch, heads or kvHeads, N, T], by tiles for `max` and `mass`. Keys beyond a limit have -Infinity (`softmax`, `mass`: 0).
 * @throws (rejects) TypeError `ERR_SK_TYPE` / `ERR_SK_DTYPE` / `ERR_SK_BUFFER`, RangeError `ERR_SK_SHAPE` / `ERR_SK_OPTION`,
 * SparseKernelsError `ERR_SK_ISA` / `ERR_SK_MEMORY`, or the reason of `signal`
 * @example
 * ```ts
 * import { attention } from 'sparse-kernels';
 * const q = { data: Float32Array.of(1, 0), dims: [1, 1, 1, 2] };
 * const k = { data: Float32Array.of(3, 1, 4, 1), dims: [1, 1, 2, 2] };
 * const scores = await attention.score(q, k, { scale: 1 });
 * scores.data; // Float32Array [3, 4]
 * ```
 */
export async function score(q: TensorLike, k: TensorLike, scoreOptions: ScoreOptions = {}): Promise<Tensor> {
  const { call, out, signal } = prepare(q, k, scoreOptions);
  await cancellable(signal, (token) => native.score(call, token));
  return out;
}

/**
 * {@link score} on the calling thread (and the pool); q and k are read in place.
 *
 * @param q - as for score
 * @param k - as for score
 * @throws as {@link score}
 * @example
 * ```ts
 * import { attention } from 'sparse-kernels';
 * const q = { data: Float32Array.of(1, -1), dims: [1, 1, 1, 2] };
 * const { pooled } = attention.poolSync({ data: Float32Array.of(3, 1, 4, 1), dims: [1, 1, 2, 2] }, { kind: 'minmax', block: 2 });
 * attention.scoreSync(q, pooled, { kind: 'minmax', scale: 1 }).data; // Float32Array [3]: the bound of 4 * 1 - 1 * 1
 * ```
 */
export function scoreSync(q: TensorLike, k: TensorLike, scoreOptions: Omit<ScoreOptions, 'signal'> = {}): Tensor {
  const { call, out } = prepare(q, k, scoreOptions);
  guarded(() => native.scoreSync(call));
  return out;
}

/**
 * Where the last queries look: their attention, summed over columns (single keys) and over diagonals (distances).
 *
 * Jiang et al., "MInference 1.0" (NeurIPS 2024), which estimates its vertical and slash lines like this.
 *
 * @param q - float32 [batch, heads, N, dim] ('BSHD': [batch, N, heads, dim]); only the last queries are read
 * @param k - float32 [batch, kvHeads, T, dim] likewise; T >= N, the last query is at the position of the last key
 * @throws (rejects) as {@link score}
 * @example
 * ```ts
 * import { attention } from 'sparse-kernels';
 * const x = { data: new Float32Array(3 * 8), dims: [1, 1, 3, 8] };
 * const { vertical, slash } = await attention.lines(x, x, { lastQueries: 2 });
 * vertical.data; // 1/2 + 1/3, 1/2 + 1/3, 1/3
 * slash.data; // the same numbers: distance 0, 1 and 2
 * ```
 */
export async function lines(q: TensorLike, k: TensorLike, linesOptions: LinesOptions = {}): Promise<Lines> {
  const o = options<LinesOptions>(linesOptions, 'options', [...common, 'lastQueries']);
  const pair = pairOf(q, k, o.layout, false);
  const { batch, heads, tokens, dim } = pair.q;
  const { tokens: keys } = pair.k;
  const last = Math.min(integer(o.lastQueries ?? 64, 'lastQueries', 1, 2 ** 20), tokens);
  if (last < 1 || tokens > keys) {
    throw rangeError('ERR_SK_SHAPE', `expected at least one query and not more than keys but received ${tokens} and ${keys}`);
  }
  // The last queries, packed: a slice of each head.
  const rows = new Float32Array(batch * heads * last * dim);
  const [byBatch, byHead, byToken] = pair.q.strides as unknown as [number, number, number];
  for (let s = 0; s < batch * heads; s++) {
    const first = Math.floor(s / heads) * byBatch + (s % heads) * byHead;
    for (let i = 0; i < last; i++) {
      const from = first + (tokens - last + i) * byToken;
      rows.set(pair.q.data.subarray(from, from + dim), (s * last + i) * dim);
    }
  }
  const lastQueries = headsOf({ data: rows, dims: [batch, heads, last, dim] }, 'q', 'BHSD');
  const vertical = output([batch, heads, keys], 'the vertical sums');
  const slash = output([batch, heads, keys], 'the slash sums');
  const call = { ...callOf({ q: lastQueries, k: pair.k }, 'lines', o), out: vertical.data, slash: slash.data };
  await cancellable(o.signal, (token) => native.score(call, token));
  return { vertical, slash };
}

/**
 * Block scores from antidiagonals: of every `stride` x `stride` tile the sum of one antidiagonal of q k, scaled by 1 / (sqrt(dim) stride);
 * softmax over the keys of each reduced query; summed over blocks. The last reduced query is at the position of the last reduced key.
 *
 * Xu et al., "XAttention: Block Sparse Attention with Antidiagonal Scoring" (2025).
 *
 * @param q - float32 [batch, heads, N, dim] ('BSHD': [batch, N, heads, dim])
 * @param k - float32 [batch, kvHeads, T, dim] likewise
 * @returns float32 [batch, heads, ceil(N / block), ceil(T / block)]; a row sums to the number of its reduced queries
 * @throws (rejects) as {@link score}
 * @example
 * ```ts
 * import { attention } from 'sparse-kernels';
 * const x = { data: new Float32Array(256 * 8), dims: [1, 1, 256, 8] };
 * const scores = await attention.antidiagonal(x, x, { stride: 8, block: 128 });
 * scores.dims; // [1, 1, 2, 2]
 * ```
 */
export async function antidiagonal(q: TensorLike, k: TensorLike, antidiagonalOptions: AntidiagonalOptions): Promise<Tensor> {
  const o = options<AntidiagonalOptions>(antidiagonalOptions, 'options', [...common, 'stride', 'block', 'causal']);
  const pair = pairOf(q, k, o.layout, false);
  const stride = integer(o.stride, 'stride', 1, 2 ** 20);
  const block = integer(o.block, 'block', 1, 2 ** 20);
  if (block % stride !== 0)
    throw rangeError('ERR_SK_OPTION', `expected block to be a multiple of stride but received ${block} and ${stride}`);
  const { batch, heads, tokens, dim } = pair.q;
  const out = output([batch, heads, Math.ceil(tokens / block), Math.ceil(pair.k.tokens / block)], 'the scores');
  const call = {
    ...callOf(pair, 'antidiagonal', o),
    scale: (o.scale ?? 1 / Math.sqrt(dim)) / stride,
    stride,
    blockQ: block,
    blockK: block,
    causal: o.causal ?? true,
    out: out.data,
  };
  await cancellable(o.signal, (token) => native.score(call, token));
  return out;
}

/** Options of {@link poolScores}. */
export interface PoolScoresOptions {
  /** Columns from one window to the next. */
  readonly stride: number;
  /** Columns of a window. */
  readonly size: number;
  /** How many columns before b x stride window b begins; default 0. */
  readonly left?: number;
  /** Weight of each column of a window, float32 [size]; default: the greatest is taken. */
  readonly weights?: Float32Array;
  /** How many windows. */
  readonly windows: number;
}

/**
 * Reduces windows of columns of scores: from scores of compressed keys to scores of blocks (NSA, InfLLM-v2). Columns that do not exist are
 * left out.
 *
 * @param scores - float32 [..., columns]
 * @returns float32 [..., windows]
 * @throws TypeError `ERR_SK_TYPE` / `ERR_SK_DTYPE` / `ERR_SK_BUFFER`, RangeError `ERR_SK_SHAPE` / `ERR_SK_OPTION`
 * @example
 * ```ts
 * import { attention } from 'sparse-kernels';
 * const scores = { data: Float32Array.of(1, 2, 3, 4), dims: [1, 4] };
 * attention.poolScores(scores, { stride: 2, size: 3, left: 1, windows: 2 }).data; // Float32Array [2, 4]
 * ```
 */
export function poolScores(scores: TensorLike, poolOptions: PoolScoresOptions): Tensor {
  const o = options<PoolScoresOptions>(poolOptions, 'options', ['stride', 'size', 'left', 'weights', 'windows']);
  const { data, dims } = tensor(scores, 'scores', ['float32']);
  const columns = dims.at(-1);
  if (columns === undefined) throw rangeError('ERR_SK_SHAPE', 'expected scores to be [..., columns] but received dims []');
  const size = integer(o.size, 'size', 1, 2 ** 20);
  const weight = o.weights === undefined ? undefined : typedArray(o.weights, 'float32', 'weights');
  if (weight !== undefined && weight.length !== size) {
    throw rangeError('ERR_SK_SHAPE', `expected weights to hold ${size} numbers but received ${weight.length}`);
  }
  const windows = integer(o.windows, 'windows', 0, 2 ** 31 - 1);
  const pooled = output([...dims.slice(0, -1), windows], 'the pooled scores');
  const call = {
    x: data,
    rows: columns === 0 ? 0 : data.length / columns,
    columns,
    stride: integer(o.stride, 'stride', 1, 2 ** 20),
    left: integer(o.left ?? 0, 'left', 0, 2 ** 20),
    size,
    weight,
    out: pooled.data,
    outColumns: windows,
    threads: 1024,
  };
  if (columns > 0) guarded(() => native.poolScores(call));
  return pooled;
}
