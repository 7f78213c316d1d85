import { rangeError } from '../../errors.js';
import { type TensorLike, tensor } from '../../tensor.js';
import { number } from '../../validate.js';
import type { Shape } from '../heads.js';
import { project } from '../project.js';
import { score } from '../score.js';
import { select } from '../select.js';
import { listPattern, type PrefillMethod, prefillMethod } from './common.js';
import { type MethodOptions, methodOptions, passedTo } from './shape.js';

/** Options of {@link sparsifiner}. Attention is not causal. */
export interface SparsifinerOptions extends Omit<MethodOptions, 'causal' | 'layout'> {
  /** Trained map of queries to the predictor's channels, float32 [heads, headDim, c]. */
  readonly query: TensorLike;
  /** Of keys, likewise. */
  readonly key: TensorLike;
  /** Trained projection of the tokens, float32 [R, tokens]: the rows are also the basis of the predicted map. */
  readonly basis: TensorLike;
  /** Share of the keys that each query keeps; default 0.25. */
  readonly keep?: number;
  /** Coefficients of a query below this are taken as 0; default 0. */
  readonly sparsify?: number;
}

/**
 * Sparsifiner, for vision transformers: a low-rank predictor gives every query the coefficients of its attention in a basis of maps; the
 * best keys of the predicted map are attended to exactly. Token 0, the class token, sees everything.
 *
 * Wei et al., "Sparsifiner: Learning Sparse Instance-Dependent Attention for Efficient Vision Transformers" (CVPR 2023).
 *
 * @throws TypeError `ERR_SK_TYPE`, RangeError `ERR_SK_OPTION` / `ERR_SK_SHAPE`
 * @example
 * ```ts
 * import { attention } from 'sparse-kernels';
 * const x = { data: new Float32Array(64 * 8).map(Math.sin), dims: [1, 1, 64, 8] };
 * const map = { data: new Float32Array(8 * 4).map(Math.cos), dims: [1, 8, 4] };
 * const basis = { data: new Float32Array(8 * 64).map(Math.sin), dims: [8, 64] };
 * const { density } = await attention.methods.sparsifiner({ query: map, key: map, basis }).prefill(x, x, x);
 * ```
 */
export function sparsifiner(sparsifinerOptions: SparsifinerOptions): PrefillMethod {
  const known = ['query', 'key', 'basis', 'keep', 'sparsify'] as const;
  const given = methodOptions<SparsifinerOptions & { causal?: never; layout?: never }>(sparsifinerOptions, known, ['causal', 'layout']);
  const o = { ...given, causal: false };
  const keep = number(o.keep ?? 0.25, 'keep', Number.MIN_VALUE, 1);
  const sparsify = number(o.sparsify ?? 0, 'sparsify');
  return prefillMethod(o, async (q, k, s) => {
    const basis = tensor(o.basis, 'basis', ['float32']);
    const rank = basis.dims[0] as number;
    if (basis.dims.length !== 2 || basis.dims[1] !== s.keys || s.kvHeads !== s.heads) {
      throw rangeError(
        'ERR_SK_SHAPE',
        `expected basis [R, ${s.keys}] and k of q's heads but received dims [${basis.dims}] and [${k.dims}]`,
      );
    }
    const [queries, keys] = [await project(q, o.query), await project(k, o.key)];
    const repeated = forHeads(basis.data, [rank, s.keys], s);
    const summaries = await score(repeated, transposed(keys), { scale: 1, ...passedTo(o) }); // [batch, heads, R, c]
    const coefficients = await score(queries, summaries, { kind: 'softmax', scale: 1, ...passedTo(o) });
    const kept = { ...coefficients, data: coefficients.data.map((x) => (x < sparsify ? 0 : x)) };
    const map = await score(kept, transposed(repeated), { scale: 1, ...passedTo(o) });
    const topK = Int32Array.from({ length: s.batch * s.heads * s.queries }, (_, row) =>
      row % s.queries === 0 ? s.keys : Math.ceil(keep * s.keys - 1e-9),
    );
    return listPattern(s, await select(map, { topK, ...passedTo(o) }), [1, 64], 'q', s.heads, 'columns');
  });
}

/** The same matrix for every head of every batch entry. */
function forHeads(matrix: Float32Array, [rows, columns]: readonly [number, number], s: Shape): TensorLike & { data: Float32Array } {
  const data = new Float32Array(s.batch * s.heads * matrix.length);
  for (let h = 0; h < s.batch * s.heads; h++) data.set(matrix, h * matrix.length);
  return { data, dims: [s.batch, s.heads, rows, columns] };
}

/** [batch, heads, a, b] as [batch, heads, b, a]. */
function transposed(x: TensorLike & { data: Float32Array }): TensorLike {
  const [batch, heads, rows, columns] = x.dims as [number, number, number, number];
  const data = x.data.map((_, i) => {
    const [head, at] = [Math.floor(i / (rows * columns)), i % (rows * columns)];
    return x.data[head * rows * columns + (at % rows) * columns + Math.floor(at / rows)] as number;
  });
  return { data, dims: [batch, heads, columns, rows] };
}
