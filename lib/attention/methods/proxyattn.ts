import { rangeError } from '../../errors.js';
import type { TensorLike } from '../../tensor.js';
import { integer, number } from '../../validate.js';
import { headsOf, type Shape, takeTokens } from '../heads.js';
import { score } from '../score.js';
import { select } from '../select.js';
import { listPattern, type PrefillMethod, prefillMethod } from './common.js';
import { denseLse } from './dense.js';
import { blockLimits, type MethodOptions, methodOptions, passed, passedTo } from './shape.js';

/** Options of {@link proxyAttn}. The authors' constants are not public: what has no default here must be chosen. */
export interface ProxyAttnOptions extends Omit<MethodOptions, 'layout'> {
  /** Proxy heads, a divisor of the heads: each is the mean of as many neighbouring heads. */
  readonly proxies: number;
  /** Share of the last queries' attention that a head's number of blocks must reach. */
  readonly threshold: number;
  /** Tokens of a block. */
  readonly block: number;
}

/**
 * ProxyAttn: the scores of a few proxy heads, means of neighbouring heads, rank the blocks of all of them; each head takes as large a share of
 * them as its own last queries need. The first block and the diagonal are always among them.
 *
 * Wang et al., "ProxyAttn: Guided Sparse Attention via Representative Heads" (2025); written from its abstract, so constants and the estimate
 * of budgets may differ from the authors'.
 *
 * @throws TypeError `ERR_SK_TYPE`, RangeError `ERR_SK_OPTION`
 * @example
 * ```ts
 * import { attention } from 'sparse-kernels';
 * const x = { data: new Float32Array(4 * 256 * 16).map(Math.sin), dims: [1, 4, 256, 16] };
 * const { density } = await attention.methods.proxyAttn({ proxies: 2, threshold: 0.9, block: 64 }).prefill(x, x, x);
 * ```
 */
export function proxyAttn(proxyOptions: ProxyAttnOptions): PrefillMethod {
  const o = methodOptions<ProxyAttnOptions & { layout?: never }>(proxyOptions, ['proxies', 'threshold', 'block'], ['layout']);
  const proxies = integer(o.proxies, 'proxies', 1, 2 ** 20);
  const block = integer(o.block, 'block', 1, 2 ** 20);
  number(o.threshold, 'threshold', Number.MIN_VALUE, 1);
  const causal = o.causal ?? true;
  return prefillMethod(o, async (q, k, s) => {
    if (s.heads % proxies !== 0) throw rangeError('ERR_SK_OPTION', `expected proxies to divide ${s.heads} but received ${proxies}`);
    const size = [block, block] as const;
    const limit = blockLimits(s, size, causal);
    const ranked = await score(proxiesOf(q, s.heads, proxies), proxiesOf(k, s.heads, proxies), {
      ...passed(o),
      kind: 'max',
      blockSize: size,
      causal,
    });
    const blocks = limit.length;
    const all = new Float32Array(s.batch * s.heads * blocks * Math.ceil(s.keys / block));
    const perProxy = all.length / (s.batch * s.heads);
    for (let h = 0; h < s.batch * s.heads; h++) {
      const proxy = Math.floor(h / (s.heads / proxies));
      all.set(ranked.data.subarray(proxy * perProxy, (proxy + 1) * perProxy), h * perProxy);
    }
    const shares = await budgets(q, k, s, block, o);
    const topK = Int32Array.from({ length: s.batch * s.heads * blocks }, (_, row) =>
      Math.ceil((shares[Math.floor(row / blocks)] as number) * (limit[row % blocks] as number)),
    );
    const scores = { data: all, dims: [s.batch, s.heads, blocks, Math.ceil(s.keys / block)] };
    const lists = await select(scores, { topK, limit, force: causal ? { sink: 1, local: 1 } : {}, ...passedTo(o) });
    return listPattern(s, lists, size, 'q', s.heads);
  });
}

/** For each proxy the mean over its query heads, of x or of the key head that each of them has, [batch, proxies, tokens, dim]. */
function proxiesOf(x: TensorLike, queryHeads: number, proxies: number): TensorLike {
  const { data, batch, heads, tokens, dim } = headsOf(x, 'x', 'BHSD');
  const [group, shared, size] = [queryHeads / proxies, queryHeads / heads, tokens * dim];
  const means = new Float32Array(batch * proxies * size);
  for (let h = 0; h < batch * queryHeads; h++) {
    const [from, to] = [Math.floor(h / shared) * size, Math.floor(h / group) * size];
    for (let i = 0; i < size; i++) means[to + i] = (means[to + i] as number) + (data[from + i] as number) / group;
  }
  return { data: means, dims: [batch, proxies, tokens, dim] };
}

/** For each head the share of the blocks that its last queries need to reach the threshold. */
async function budgets(q: TensorLike, k: TensorLike, s: Shape, block: number, o: ProxyAttnOptions): Promise<number[]> {
  const last = Math.min(block, s.queries);
  const tokens = Array.from({ length: last }, (_, i) => s.queries - last + i);
  const rows = { data: takeTokens(headsOf(q, 'q', 'BHSD'), tokens), dims: [s.batch, s.heads, last, s.dim] };
  const causal = o.causal ?? true;
  const { lse } = await denseLse(rows, k, o);
  const mass = await score(rows, k, { ...passed(o), kind: 'mass', lse: lse.data, blockSize: [last, block], causal });
  const { count } = await select(mass, { topP: o.threshold, relative: true, ...passedTo(o) });
  return Array.from(count, (n) => n / Math.ceil(s.keys / block));
}
