import { allocate, type Tensor, type TensorLike } from '../tensor.js';
import { integer, options } from '../validate.js';
import { matrix } from './matrix.js';
import { keepLargest } from './select.js';
import { type Svd, svd } from './svd.js';

/** Options of {@link lost}. */
export interface LostOptions {
  /** Rank of the low-rank part, at most the smaller of out and in. */
  readonly rank: number;
  /** Input channels of the sparse part, at most in. */
  readonly channels: number;
}

/** The parts of {@link lost}. */
export interface LostParts {
  /** float32 [out, rank]. */
  readonly u: Tensor;
  /** float32 [rank, in]. */
  readonly v: Tensor;
  /** The input channels of the sparse part, ascending. */
  readonly channels: Int32Array;
  /** float32 [out, channels]: those columns of what u v leaves. */
  readonly sparse: Tensor;
}

/**
 * LOST: a weight as low rank plus channels, `W = U V + S`. U V is the best approximation of its rank, singular values split evenly between
 * both; S keeps whole input channels of the rest, those with the largest norm. The layer is then `y = (x Vᵀ) Uᵀ + x[:, channels] sparseᵀ`,
 * dense products only, and both parts are trained.
 *
 * Takes the calling thread for the singular value decomposition: about 10 s for [512, 512], and grows with the cube of the sizes.
 *
 * Li et al., "LOST: Low-rank and Sparse Pre-training for Large Language Models" (2025).
 *
 * @param weight - float32 [out, in], finite; left as it is
 * @throws TypeError `ERR_SK_TYPE` / `ERR_SK_DTYPE` / `ERR_SK_BUFFER`, RangeError `ERR_SK_SHAPE` / `ERR_SK_OPTION`
 * @example
 * ```ts
 * import { prune } from 'sparse-kernels';
 * const weight = { data: Float32Array.of(1, 1, 0, 1, 1, 5), dims: [2, 3] };
 * const { u, v, channels, sparse } = prune.lost(weight, { rank: 1, channels: 1 });
 * ```
 */
export function lost(weight: TensorLike, lostOptions: LostOptions): LostParts {
  const o = options<LostOptions>(lostOptions, 'options', ['rank', 'channels']);
  const { data, rows: out, columns: inputs } = matrix(weight, 'weight');
  const rank = integer(o.rank, 'rank', 0, Math.min(out, inputs));
  const count = integer(o.channels, 'channels', 0, inputs);
  const { values, left, right } = decompose(data, out, inputs);

  const u = allocate('float32', out * rank, 'u');
  const v = allocate('float32', rank * inputs, 'v');
  const rest = Float64Array.from(data);
  for (let k = 0; k < rank; k++) {
    const [l, r, root] = [left[k] as Float64Array, right[k] as Float64Array, Math.sqrt(values[k] as number)];
    for (let o = 0; o < out; o++) u[o * rank + k] = (l[o] as number) * root;
    for (let i = 0; i < inputs; i++) v[k * inputs + i] = (r[i] as number) * root;
    for (let o = 0; o < out; o++) {
      for (let i = 0; i < inputs; i++)
        rest[o * inputs + i] = (rest[o * inputs + i] as number) - (l[o] as number) * root * root * (r[i] as number);
    }
  }

  const norms = new Float32Array(inputs);
  for (let i = 0; i < inputs; i++) {
    let sum = 0;
    for (let o = 0; o < out; o++) sum += (rest[o * inputs + i] as number) ** 2;
    norms[i] = sum;
  }
  const kept = keepLargest(norms, 1, inputs, count);
  const channels = Int32Array.from([...kept.keys()].filter((i) => kept[i] === 1));
  const sparse = allocate('float32', out * count, 'the sparse part');
  for (let o = 0; o < out; o++)
    channels.forEach((i, c) => {
      sparse[o * count + c] = rest[o * inputs + i] as number;
    });
  return {
    u: { type: 'float32', data: u, dims: [out, rank] },
    v: { type: 'float32', data: v, dims: [rank, inputs] },
    channels,
    sparse: { type: 'float32', data: sparse, dims: [out, count] },
  };
}

/** Rows or columns, whichever are fewer. */
function decompose(data: Float32Array, out: number, inputs: number): Svd {
  if (out <= inputs) return svd(Array.from({ length: out }, (_, o) => Float64Array.from(data.subarray(o * inputs, (o + 1) * inputs))));
  const columns = Array.from({ length: inputs }, (_, i) => Float64Array.from({ length: out }, (_, o) => data[o * inputs + i] as number));
  const { values, left, right } = svd(columns);
  return { values, left: right, right: left };
}
