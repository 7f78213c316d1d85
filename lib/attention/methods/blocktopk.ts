import { integer, options } from '../../validate.js';
import { scoreSync } from '../score.js';
import { selectSync } from '../select.js';
import { type DecodeMethod, type DecodeOptions, decodeKeys, decodeWith, PageStore, queryOf, queryPattern } from './decoding.js';
import { passedTo } from './shape.js';

/** Options of {@link blockTopK}. */
export interface BlockTopKOptions extends DecodeOptions {
  /** Tokens to attend to, sink and local ones included. */
  readonly budget: number;
  /** Tokens of a block; default 16. */
  readonly block?: number;
  /** The blocks of the first so many tokens are always chosen; default 4. */
  readonly sink?: number;
  /** The blocks of the last so many tokens are always chosen; default one block. */
  readonly local?: number;
}

/**
 * Kinetics' block top-k: blocks are ranked by the mean score of the query heads of a group and of the block's tokens, which is the product of
 * two means; one list for each key-value head.
 *
 * Sadhukhan et al., "Kinetics: Rethinking Test-Time Scaling Laws" (2025).
 *
 * @throws TypeError `ERR_SK_TYPE`, RangeError `ERR_SK_OPTION`
 * @example
 * ```ts
 * import { attention } from 'sparse-kernels';
 * const k = { data: new Float32Array(200 * 16).map(Math.sin), dims: [1, 1, 200, 16] };
 * const q = { data: new Float32Array(2 * 16).fill(1), dims: [1, 2, 1, 16] };
 * const method = attention.methods.blockTopK({ budget: 64 });
 * method.append(k);
 * const { output } = await method.decode(q, k, k);
 * ```
 */
export function blockTopK(blockOptions: BlockTopKOptions): DecodeMethod {
  const o = options<BlockTopKOptions>(blockOptions, 'options', [...decodeKeys, 'budget', 'block', 'sink', 'local']);
  const block = integer(o.block ?? 16, 'block', 1, 2 ** 20);
  const topK = Math.ceil(integer(o.budget, 'budget', 1, 2 ** 31 - 1) / block);
  const sink = Math.ceil(integer(o.sink ?? 4, 'sink', 0, 2 ** 31 - 1) / block);
  const local = integer(o.local ?? block, 'local', 1, 2 ** 31 - 1);
  const store = new PageStore(block, 'mean', 'float32');
  const pattern: DecodeMethod['pattern'] = (q) => {
    const query = queryOf(q, store.rows);
    const { batch, heads, capacity, data, length } = store.rows as NonNullable<typeof store.rows>;
    const limit = Int32Array.of(length);
    // A sum over the group ranks as its mean does.
    const scores = scoreSync(q, { data, dims: [batch, heads, capacity, query.dim] }, { scale: 1, limit, group: 'sum', ...passedTo(o) });
    const newest = store.tokens - (length - 1) * block; // tokens of the open block
    const force = { sink, local: 1 + Math.max(0, Math.ceil((local - newest) / block)) };
    const lists = selectSync(scores, { topK, limit, force, ...passedTo(o) });
    return queryPattern(query, store.tokens, lists, block, heads, 'tiles');
  };
  return {
    get length() {
      return store.tokens;
    },
    append: (k) => store.append(k),
    pattern,
    decode: decodeWith(pattern, () => store.tokens, o),
  };
}
