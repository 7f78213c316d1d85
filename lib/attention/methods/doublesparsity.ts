import { rangeError } from '../../errors.js';
import { type TensorLike, typedArray } from '../../tensor.js';
import { integer, oneOf, options } from '../../validate.js';
import { type Heads, headsOf } from '../heads.js';
import { scoreChannels } from '../score.js';
import { ScoreMemory } from '../scoring.js';
import { selectSync } from '../select.js';
import { nearest } from './bfloat16.js';
import { type DecodeMethod, type DecodeOptions, decodeKeys, decodeWith, queryOf, queryPattern } from './decoding.js';
import { passedTo } from './shape.js';
import { RowStore } from './store.js';

/** Options of {@link doubleSparsity}. */
export interface DoubleSparsityOptions extends DecodeOptions {
  /** The channels that scores are estimated from, int32 [kvHeads, r], as {@link heavyChannels} finds them. */
  readonly channels: Int32Array;
  /** Tokens to attend to. The authors take a sixteenth of the cache. */
  readonly budget: number;
  /** One list for each key-value head, by the greatest score of its query heads, instead of one for each query head; default false. */
  readonly perGroup?: boolean;
  /**
   * Element type of the labels, the chosen channels of every key: float32 (default), or bfloat16 in half the memory, rounded to nearest:
   * scores move by at most 2^-8 of each product. The authors keep them in 16 bits, or in 4.
   */
  readonly labels?: 'float32' | 'bfloat16';
}

/**
 * Double Sparsity: tokens are ranked by the product of a few channels of query and key, the ones that matter most, found offline.
 *
 * Yang et al., "Post-Training Sparse Attention with Double Sparsity" (2024).
 *
 * @throws TypeError `ERR_SK_TYPE`, RangeError `ERR_SK_OPTION`
 * @example
 * ```ts
 * import { attention } from 'sparse-kernels';
 * const k = { data: new Float32Array(200 * 16).map(Math.sin), dims: [1, 1, 200, 16] };
 * const q = { data: new Float32Array(2 * 16).fill(1), dims: [1, 2, 1, 16] };
 * const channels = attention.methods.heavyChannels(q, k, { channels: 4 });
 * const method = attention.methods.doubleSparsity({ channels, budget: 32 });
 * method.append(k);
 * const { output } = await method.decode(q, k, k);
 * ```
 */
export function doubleSparsity(sparsityOptions: DoubleSparsityOptions): DecodeMethod {
  const o = options<DoubleSparsityOptions>(sparsityOptions, 'options', [...decodeKeys, 'channels', 'budget', 'perGroup', 'labels']);
  const channels = typedArray(o.channels, 'int32', 'channels');
  const topK = integer(o.budget, 'budget', 1, 2 ** 31 - 1);
  const labels = oneOf(o.labels ?? 'float32', 'labels', ['float32', 'bfloat16']);
  let store: RowStore<'float32' | 'bfloat16'> | undefined; // the chosen channels of every key: a row for each channel, of one number a token
  let kvHeads = 0;
  let dim = 0;
  const memory = new ScoreMemory();

  const append = (k: TensorLike) => {
    const x = headsOf(k, 'k', 'BHSD');
    if (channels.length % x.heads !== 0 || channels.some((c) => c < 0 || c >= x.dim)) {
      throw rangeError('ERR_SK_SHAPE', `expected channels [${x.heads}, r] from 0 to ${x.dim - 1}`);
    }
    store ??= new RowStore(x.batch, channels.length, 1, labels);
    kvHeads ||= x.heads;
    dim ||= x.dim;
    if (store.batch !== x.batch || kvHeads !== x.heads || dim !== x.dim)
      throw rangeError('ERR_SK_SHAPE', `expected k as before but received [${k.dims}]`);
    store.reserve(store.length + x.tokens);
    const rows = x.batch * channels.length;
    const chosen = new Float32Array(rows * x.tokens);
    for (let row = 0; row < rows; row++) {
      const [b, c] = [Math.floor(row / channels.length), row % channels.length];
      const sequence = b * x.heads + Math.floor((c * x.heads) / channels.length);
      const from = sequence * x.tokens * x.dim + (channels[c] as number);
      for (let t = 0; t < x.tokens; t++) chosen[row * x.tokens + t] = x.data[from + t * x.dim] as number;
    }
    const summaries = labels === 'bfloat16' ? nearest(chosen) : chosen;
    const { data, capacity, length } = store;
    for (let row = 0; row < rows; row++) {
      data.set(summaries.subarray(row * x.tokens, (row + 1) * x.tokens), row * capacity + length);
    }
    store.length += x.tokens;
  };
  /** The chosen channels of the queries. */
  const labelsOf = (q: Heads): Heads => {
    const r = channels.length / kvHeads;
    const data = new Float32Array(q.batch * q.heads * r);
    for (let i = 0; i < data.length; i++) {
      const row = Math.floor(i / r);
      const kvHead = Math.floor(((row % q.heads) * kvHeads) / q.heads);
      data[i] = q.data[row * q.dim + (channels[kvHead * r + (i % r)] as number)] as number;
    }
    return headsOf({ data, dims: [q.batch, q.heads, 1, r] }, 'q', 'BHSD');
  };
  const pattern: DecodeMethod['pattern'] = (q) => {
    const query = queryOf(q, store && { batch: store.batch, heads: kvHeads }, dim);
    const { capacity, data, length } = store as NonNullable<typeof store>;
    const keys = { data, heads: kvHeads, capacity, length };
    const scores = scoreChannels(memory, labelsOf(query), keys, o.perGroup ? 'max' : 'none', { scale: 1, ...passedTo(o) });
    return queryPattern(query, length, selectSync(scores, { topK, ...passedTo(o) }), 64, o.perGroup ? kvHeads : false, 'columns');
  };
  return {
    get length() {
      return store?.length ?? 0;
    },
    append,
    pattern,
    decode: decodeWith(pattern, () => store?.length ?? 0, o),
  };
}

/** Options of {@link heavyChannels}. */
export interface HeavyChannelsOptions {
  /** How many channels of each key-value head. The authors' kernels take 32 of 128. */
  readonly channels: number;
}

/**
 * The channels c of each key-value head with the greatest mean |q_c k_c| over samples, for {@link doubleSparsity}.
 *
 * @param q - float32 [batch, heads, N, dim], of sample prompts
 * @param k - float32 [batch, kvHeads, T, dim]
 * @returns int32 [kvHeads, channels], ascending
 * @throws TypeError `ERR_SK_TYPE` / `ERR_SK_DTYPE`, RangeError `ERR_SK_SHAPE` / `ERR_SK_OPTION`
 * @example
 * ```ts
 * import { attention } from 'sparse-kernels';
 * const x = { data: Float32Array.of(1, 5, 2, 4), dims: [1, 1, 1, 4] };
 * attention.methods.heavyChannels(x, x, { channels: 2 }); // Int32Array [1, 3]
 * ```
 */
export function heavyChannels(q: TensorLike, k: TensorLike, channelOptions: HeavyChannelsOptions): Int32Array {
  const o = options<HeavyChannelsOptions>(channelOptions, 'options', ['channels']);
  const [x, y] = [headsOf(q, 'q', 'BHSD'), headsOf(k, 'k', 'BHSD')];
  if (x.batch !== y.batch || x.dim !== y.dim || x.heads % y.heads !== 0) {
    throw rangeError('ERR_SK_SHAPE', `expected k to fit q [${q.dims}] but received dims [${k.dims}]`);
  }
  const wanted = integer(o.channels, 'channels', 1, x.dim);
  // The mean over all pairs of queries and keys of |q_c k_c| is the product of two means.
  const [a, b] = [magnitudes(x, y.heads), magnitudes(y, y.heads)];
  const scores = { data: a.map((value, i) => value * (b[i] as number)), dims: [y.heads, x.dim] };
  return selectSync(scores, { topK: wanted }).index;
}

/** Sums of |x_c| over the tokens and the heads of each group. */
function magnitudes({ data, batch, heads, tokens, dim }: ReturnType<typeof headsOf>, groups: number): Float32Array {
  const sums = new Float32Array(groups * dim);
  for (let row = 0; row < batch * heads * tokens; row++) {
    const group = Math.floor((Math.floor(row / tokens) % heads) / (heads / groups));
    for (let c = 0; c < dim; c++) sums[group * dim + c] = (sums[group * dim + c] as number) + Math.abs(data[row * dim + c] as number);
  }
  return sums;
}
