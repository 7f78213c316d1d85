import { DeviceTensor } from '../device-tensor.js';
import { rangeError } from '../errors.js';
import { cancellable, guarded } from '../handle.js';
import { native } from '../native.js';
import { type Tensor, type TensorLike, tensor, typedArray } from '../tensor.js';
import { flag, oneOf, options } from '../validate.js';
import { type CudaScoreOptions, scoreOnDevice } from './cuda-score.js';
import { channelsOf, type Heads, stridesOf } from './heads.js';
import { type CommonOptions, callOf, checkTiles, common, groups, output, pairOf, type ScoreMemory, type ScoreOptions } from './scoring.js';

export type { ScoreOptions };

/** q and k with some channels only. */
function picked(pair: { q: Heads; k: Heads }, channels: Int32Array | undefined, kind: string): { q: Heads; k: Heads } {
  if (channels === undefined) return pair;
  if (kind === 'minmax') throw rangeError('ERR_SK_OPTION', "expected no channels for the kind 'minmax'");
  const ids = typedArray(channels, 'int32', 'channels');
  const wrong = ids.find((c) => c < 0 || c >= pair.q.dim);
  if (wrong !== undefined || ids.length === 0) {
    throw rangeError('ERR_SK_OPTION', `expected channels from 0 to ${pair.q.dim - 1} but received ${wrong ?? 'none'}`);
  }
  return { q: channelsOf(pair.q, ids), k: channelsOf(pair.k, ids) };
}

function limitsOf(o: ScoreOptions, queries: number, keys: number): Int32Array | undefined {
  if (flag(o.causal ?? false, 'causal')) {
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
  const o = options<ScoreOptions>(scoreOptions, 'options', [...common, 'kind', 'limit', 'causal', 'channels', 'blockSize', 'lse', 'group']);
  const kind = oneOf(o.kind ?? 'dot', 'kind', ['dot', 'softmax', 'minmax', 'max', 'mass']);
  const pair = picked(pairOf(q, k, o.layout, kind === 'minmax'), o.channels, kind);
  const group = oneOf(o.group ?? 'none', 'group', groups);
  const [blockQ, blockK] = checkTiles(o, kind, group);
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
 * Scores of queries against keys, pages or blocks: what selections are made of. On a device nothing waits for the scores: the promise
 * settles when the work is on its stream, and an error of the device comes out with the next copy or run of a plan.
 *
 * @param q - float32 [batch, heads, N, dim] ('BSHD': [batch, N, heads, dim]); queries may be pooled ones; on a device float16 and bfloat16, too
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
export async function score(q: DeviceTensor, k: DeviceTensor, scoreOptions?: CudaScoreOptions): Promise<DeviceTensor<'float32'>>;
export async function score(q: TensorLike, k: TensorLike, scoreOptions?: ScoreOptions): Promise<Tensor>;
export async function score(
  q: TensorLike | DeviceTensor,
  k: TensorLike | DeviceTensor,
  scoreOptions: ScoreOptions | CudaScoreOptions = {},
): Promise<Tensor | DeviceTensor<'float32'>> {
  if (q instanceof DeviceTensor) return scoreOnDevice(q, k as DeviceTensor, scoreOptions as CudaScoreOptions);
  return scoreOnCpu(q, k as TensorLike, scoreOptions as ScoreOptions);
}

async function scoreOnCpu(q: TensorLike, k: TensorLike, scoreOptions: ScoreOptions): Promise<Tensor> {
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

/** @internal The kind `minmax` for one query and the first `length` pages of [batch, kvHeads, capacity, 2, dim]. */
export function scorePages(memory: ScoreMemory, q: Heads, pages: Summaries, group: (typeof groups)[number], o: CommonOptions): Tensor {
  const { data, heads, capacity, length } = pages;
  const strides = stridesOf([q.batch, heads, length], [heads * capacity * 2 * q.dim, capacity * 2 * q.dim, 2 * q.dim], 'the summaries');
  const out = output([q.batch, group === 'none' ? q.heads : heads, 1, length], 'the scores', memory);
  const call = {
    ...callOf({ q, k: { data, heads, tokens: length, strides } }, 'minmax', o),
    narrowKeys: data instanceof Uint16Array,
    group: groups.indexOf(group),
    out: out.data,
  };
  guarded(() => native.scoreSync(call));
  return out;
}

/**
 * @internal Dot products of one query and keys that lie channel by channel: the first `length` keys of k [batch, kvHeads, dim, capacity].
 * Short keys are read as a stream for each channel, and nothing is packed.
 */
export function scoreChannels(memory: ScoreMemory, q: Heads, k: Summaries, group: (typeof groups)[number], o: CommonOptions): Tensor {
  const { data, heads, capacity, length } = k;
  const strides = [heads * q.dim * capacity, q.dim * capacity, capacity] as const;
  const keys = { data, heads, tokens: length, strides: stridesOf([q.batch, heads, q.dim], strides, 'the labels') };
  const out = output([q.batch, group === 'none' ? q.heads : heads, 1, length], 'the scores', memory);
  const narrowKeys = data instanceof Uint16Array;
  const call = { ...callOf({ q, k: keys }, 'dot', o), channelsFirst: true, narrowKeys, group: groups.indexOf(group), out: out.data };
  guarded(() => native.scoreSync(call));
  return out;
}

/** Summaries of keys, float32 or bfloat16. */
interface Summaries {
  readonly data: Float32Array | Uint16Array;
  readonly heads: number;
  readonly capacity: number;
  readonly length: number;
}
