import { rangeError } from '../errors.js';
import { cancellable } from '../handle.js';
import { native } from '../native.js';
import type { Tensor, TensorLike } from '../tensor.js';
import { flag, integer, options } from '../validate.js';
import { type CommonOptions, callOf, common, output, pairOf } from './scoring.js';

/** Options of {@link antidiagonal}. */
export interface AntidiagonalOptions extends CommonOptions {
  /** Tokens of an antidiagonal. */
  readonly stride: number;
  /** Tokens of a block, a multiple of `stride`. */
  readonly block: number;
  /** Queries see no later keys; default true. */
  readonly causal?: boolean;
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
    causal: flag(o.causal ?? true, 'causal'),
    out: out.data,
  };
  await cancellable(o.signal, (token) => native.score(call, token));
  return out;
}
