import { integer, oneOf, options } from '../../validate.js';
import { scorePages } from '../score.js';
import { ScoreMemory } from '../scoring.js';
import { selectSync } from '../select.js';
import { type DecodeMethod, type DecodeOptions, decodeKeys, decodeWith, PageStore, queryOf, queryPattern } from './decoding.js';
import { passedTo } from './shape.js';

/** Options of {@link quest}. */
export interface QuestOptions extends DecodeOptions {
  /** Tokens to attend to; default 1024. */
  readonly budget?: number;
  /** Tokens of a page; default 16. */
  readonly pageSize?: number;
  /** Pages at least; default 3. */
  readonly minPages?: number;
  /** One list for each key-value head, by the greatest bound of its query heads, instead of one for each query head; default false. */
  readonly perGroup?: boolean;
  /**
   * Element type of the least and the greatest of each channel: float32 (default), or bfloat16 in half the memory, rounded outward: bounds
   * of scores are bounds still, looser by at most 2^-7 of each product. The authors keep them in the 16 bits of their keys.
   */
  readonly summaries?: 'float32' | 'bfloat16';
}

/**
 * Quest: pages are ranked by an upper bound of their scores, from the least and the greatest of each channel of their keys. The page of
 * the newest token is always chosen. The authors keep the first two layers dense: that is the caller's choice.
 *
 * Tang et al., "Quest: Query-Aware Sparsity for Efficient Long-Context LLM Inference" (ICML 2024).
 *
 * @throws TypeError `ERR_SK_TYPE`, RangeError `ERR_SK_OPTION`
 * @example
 * ```ts
 * import { attention } from 'sparse-kernels';
 * const k = { data: new Float32Array(200 * 16).map(Math.sin), dims: [1, 1, 200, 16] };
 * const q = { data: new Float32Array(2 * 16).fill(1), dims: [1, 2, 1, 16] };
 * const quest = attention.methods.quest({ budget: 64 });
 * quest.append(k);
 * const { output } = await quest.decode(q, k, k); // 4 pages of 16 of each head
 * ```
 */
export function quest(questOptions: QuestOptions = {}): DecodeMethod {
  const o = options<QuestOptions>(questOptions, 'options', [...decodeKeys, 'budget', 'pageSize', 'minPages', 'perGroup', 'summaries']);
  const page = integer(o.pageSize ?? 16, 'pageSize', 1, 2 ** 20);
  const pages = Math.max(
    integer(o.minPages ?? 3, 'minPages', 1, 2 ** 20),
    Math.ceil(integer(o.budget ?? 1024, 'budget', 1, 2 ** 31 - 1) / page),
  );
  const store = new PageStore(page, 'minmax', oneOf(o.summaries ?? 'float32', 'summaries', ['float32', 'bfloat16']));
  const memory = new ScoreMemory();
  const pattern: DecodeMethod['pattern'] = (q) => {
    const query = queryOf(q, store.rows, store.rows && store.rows.width / 2);
    const rows = store.rows as NonNullable<typeof store.rows>;
    const scores = scorePages(memory, query, rows, o.perGroup ? 'max' : 'none', { scale: 1, ...passedTo(o) });
    const lists = selectSync(scores, { topK: pages, force: { local: 1 }, ...passedTo(o) });
    return queryPattern(query, store.tokens, lists, page, o.perGroup ? rows.heads : false, 'tiles');
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
