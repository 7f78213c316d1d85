import { DeviceTensor } from '../device-tensor.js';
import { rangeError } from '../errors.js';
import { cancellable } from '../handle.js';
import { native } from '../native.js';
import type { Tensor, TensorLike } from '../tensor.js';
import { integer, options } from '../validate.js';
import { type CudaLines, type CudaLinesOptions, linesOnDevice } from './cuda-lines.js';
import { headsOf } from './heads.js';
import { type CommonOptions, callOf, common, output, pairOf } from './scoring.js';

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

/**
 * Where the last queries look: their attention, summed over columns (single keys) and over diagonals (distances). On a device nothing waits
 * for the sums: the promise settles when the work is on its stream.
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
export async function lines(q: DeviceTensor, k: DeviceTensor, linesOptions?: CudaLinesOptions): Promise<CudaLines>;
export async function lines(q: TensorLike, k: TensorLike, linesOptions?: LinesOptions): Promise<Lines>;
export async function lines(
  q: TensorLike | DeviceTensor,
  k: TensorLike | DeviceTensor,
  linesOptions: LinesOptions | CudaLinesOptions = {},
): Promise<Lines | CudaLines> {
  if (q instanceof DeviceTensor) return linesOnDevice(q, k as DeviceTensor, linesOptions);
  return linesOnCpu(q, k as TensorLike, linesOptions);
}

async function linesOnCpu(q: TensorLike, k: TensorLike, linesOptions: LinesOptions): Promise<Lines> {
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
