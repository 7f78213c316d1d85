import type { Tensor, TensorLike } from '../../tensor.js';
import { integer } from '../../validate.js';
import { scoreCandidates } from '../candidates.js';
import type { Shape } from '../heads.js';
import { idsOf } from '../lists.js';
import { merge } from '../merge.js';
import { dense } from '../patterns.js';
import { plan } from '../plan.js';
import { pool } from '../pool.js';
import { score } from '../score.js';
import { select } from '../select.js';
import type { AttentionResult, Pattern, Rows } from '../types.js';
import { listPattern, rowsFrom } from './common.js';
import { type MethodResult, reported } from './report.js';
import { type MethodOptions, methodOptions, passed, passedTo, shapeOf } from './shape.js';

/** Options of {@link llsa}. Attention is not causal. */
export interface LlsaOptions extends Omit<MethodOptions, 'causal' | 'layout'> {
  /** Tokens of a block, and blocks of a block of the next level; default 16. */
  readonly block?: number;
  /** Blocks that each row of a level keeps; default 8. */
  readonly topK?: number;
}

/** What {@link llsa} returns. */
export interface Llsa {
  /** Chooses and attends; q, k and v in the layout 'BHSD'. `pattern`, `density` and `report` of the result are of the finest level. */
  prefill(q: TensorLike, k: TensorLike, v: TensorLike): Promise<MethodResult>;
}

/**
 * LLSA, log-linear sparse attention: blocks of 16 and of 256 tokens are means. Each coarse block of queries takes the best coarse blocks of
 * keys; each fine one the best among their children. Attention is to the tokens of the fine blocks, to the means of 16 under the chosen
 * coarse blocks and to all means of 256, each counting for as many tokens as it has; the levels overlap by design. For a backbone trained
 * with it, whose tokens come along a space-filling curve: see `orders.morton`.
 *
 * Zhou et al., "LLSA: Trainable Log-linear Sparse Attention for Efficient Diffusion Transformers" (2025). Unlike the authors' kernel, any number of
 * tokens works, and the coarsest level is never left out.
 *
 * @throws TypeError `ERR_SK_TYPE`, RangeError `ERR_SK_OPTION`
 * @example
 * ```ts
 * import { attention } from 'sparse-kernels';
 * const x = { data: new Float32Array(1024 * 8).map(Math.sin), dims: [1, 1, 1024, 8] };
 * const { output } = await attention.methods.llsa({ topK: 2 }).prefill(x, x, x);
 * ```
 */
export function llsa(llsaOptions: LlsaOptions = {}): Llsa {
  const given = methodOptions<LlsaOptions & { causal?: never; layout?: never }>(llsaOptions, ['block', 'topK'], ['causal', 'layout']);
  const o = { ...given, causal: false };
  const block = integer(o.block ?? 16, 'block', 2, 2 ** 15);
  const topK = integer(o.topK ?? 8, 'topK', 1, 2 ** 20);
  return {
    prefill: async (q, k, v) => {
      const s = shapeOf(q, k);
      const mean = (x: TensorLike, width: number) => pool(x, { kind: 'mean', block: width, ...passedTo(o) });
      const [q1, k1, v1] = [await mean(q, block), await mean(k, block), await mean(v, block)];
      const [q2, k2, v2] = [await mean(q, block ** 2), await mean(k, block ** 2), await mean(v, block ** 2)];
      const coarse = await select(await score(q2.pooled, k2.pooled, passedTo(o)), { topK, ...passedTo(o) });
      const children = await childrenOf(coarse, q1.pooled, k1.pooled, s, block, topK, o);
      const pattern = listPattern(s, children, [block, block], 'q', s.heads);
      const run = (of: Pattern, keys: TensorLike, values: TensorLike, keyBias?: Float32Array) => {
        const shape = { batch: s.batch, heads: s.heads, kvHeads: s.kvHeads, headDim: s.dim };
        using attention = plan({ ...passed(o), ...shape, pattern: of, validate: false });
        const density = attention.density;
        return attention.run(q, keys, values, keyBias ? { keyBias } : {}).then((result) => ({ ...result, density }));
      };
      const fine = await run(pattern, k, v);
      const under = listPattern({ ...s, keys: k1.count.length }, coarse, [block ** 2, block], 'q', s.heads);
      const middle = await run(under, k1.pooled, v1.pooled, Float32Array.from(k1.count, Math.log));
      const all = dense({ queryLength: s.queries, keyLength: k2.count.length });
      const whole = await run(all, k2.pooled, v2.pooled, Float32Array.from(k2.count, Math.log));
      const result: AttentionResult = await merge(fine, middle, whole);
      return { ...result, ...reported({ q, k, lse: fine.lse.data, density: fine.density, pattern }, o) };
    },
  };
}

/** For each fine block of queries the best fine blocks of keys among the children of the coarse ones that its parent chose. */
async function childrenOf(coarse: Rows, q1: Tensor, k1: Tensor, s: Shape, block: number, topK: number, o: MethodOptions): Promise<Rows> {
  const fineKeys = k1.dims[2] as number;
  const candidates = rowsFrom(
    Array.from(coarse.count, (_, row) =>
      [...idsOf(coarse, row)].flatMap((id) =>
        Array.from({ length: Math.min(block, fineKeys - id * block) }, (_, child) => id * block + child),
      ),
    ),
  );
  const scores = await scoreCandidates(q1, k1, candidates, { queries: block });
  const places = await select(scores, { topK, ...passedTo(o) });
  const [fineRows, coarseRows] = [q1.dims[2] as number, coarse.count.length / (s.batch * s.heads)];
  return rowsFrom(
    Array.from(places.count, (_, row) => {
      const ids = idsOf(candidates, Math.floor(row / fineRows) * coarseRows + Math.floor((row % fineRows) / block));
      return [...idsOf(places, row)].map((place) => ids[place] as number);
    }),
  );
}
