import { rangeError, typeError } from '../../errors.js';
import { describe, integer, number } from '../../validate.js';
import { antidiagonal } from '../antidiagonal.js';
import { select } from '../select.js';
import { listPattern, type PrefillMethod, prefillMethod } from './common.js';
import { blockLimits, type MethodOptions, methodOptions, passed, passedTo } from './shape.js';

/** Options of {@link xattention}. */
export interface XAttentionOptions extends MethodOptions {
  /** Tokens of an antidiagonal; default 8. */
  readonly stride?: number;
  /** Share of each block row's score to keep; one for all heads or one for each. Default 0.9. */
  readonly threshold?: number | readonly number[];
  /** Tokens of a block; default 128. */
  readonly block?: number;
}

/**
 * XAttention: blocks are scored by one antidiagonal of each small tile; each row of blocks keeps the shortest prefix that reaches the
 * threshold. The first block and the diagonal are forced where attention is causal.
 *
 * Xu et al., "XAttention: Block Sparse Attention with Antidiagonal Scoring" (ICML 2025).
 *
 * @throws TypeError `ERR_SK_TYPE`, RangeError `ERR_SK_OPTION`
 * @example
 * ```ts
 * import { attention } from 'sparse-kernels';
 * const x = { data: new Float32Array(512 * 16).map(Math.sin), dims: [1, 1, 512, 16] };
 * const { output, density } = await attention.methods.xattention({ threshold: 0.8 }).prefill(x, x, x);
 * ```
 */
export function xattention(xOptions: XAttentionOptions = {}): PrefillMethod {
  const o = methodOptions<XAttentionOptions>(xOptions, ['stride', 'threshold', 'block']);
  const block = integer(o.block ?? 128, 'block', 1, 2 ** 20);
  const causal = o.causal ?? true;
  const { threshold = 0.9 } = o;
  if (typeof threshold !== 'number' && !Array.isArray(threshold)) {
    throw typeError('ERR_SK_TYPE', `expected threshold to be a number or a list of numbers but received ${describe(threshold)}`);
  }
  for (const share of typeof threshold === 'number' ? [threshold] : threshold) number(share, 'threshold', 0, 1);
  return prefillMethod(o, async (q, k, s) => {
    const scores = await antidiagonal(q, k, { ...passed(o), stride: o.stride ?? 8, block, causal });
    const rows = s.batch * s.heads * Math.ceil(s.queries / block);
    if (typeof threshold !== 'number' && threshold.length !== s.heads) {
      throw rangeError('ERR_SK_SHAPE', `expected threshold to hold ${s.heads} numbers, one a head, but received ${threshold.length}`);
    }
    const perRow = Math.ceil(s.queries / block);
    const topP = Float32Array.from({ length: rows }, (_, row) =>
      typeof threshold === 'number' ? threshold : (threshold[Math.floor(row / perRow) % s.heads] as number),
    );
    const limit = blockLimits(s, [block, block], causal);
    const force = causal ? { sink: 1, local: 1 } : {};
    const lists = await select(scores, { topP, relative: true, crossing: 'include', limit, force, ...passedTo(o) });
    return listPattern(s, lists, [block, block], 'q', s.heads);
  });
}
