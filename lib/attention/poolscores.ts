import { rangeError } from '../errors.js';
import { guarded } from '../handle.js';
import { native } from '../native.js';
import { type Tensor, type TensorLike, tensor, typedArray } from '../tensor.js';
import { integer, options } from '../validate.js';
import { output } from './scoring.js';

/** Options of {@link poolScores}. */
export interface PoolScoresOptions {
  /** Columns from one window to the next. */
  readonly stride: number;
  /** Columns of a window. */
  readonly size: number;
  /** How many columns before b x stride window b begins; default 0. */
  readonly left?: number;
  /** Weight of each column of a window, float32 [size]; default: the greatest is taken. */
  readonly weights?: Float32Array;
  /** How many windows. */
  readonly windows: number;
}

/**
 * Reduces windows of columns of scores: from scores of compressed keys to scores of blocks (NSA, InfLLM-v2). Columns that do not exist are
 * left out.
 *
 * @param scores - float32 [..., columns]
 * @returns float32 [..., windows]
 * @throws TypeError `ERR_SK_TYPE` / `ERR_SK_DTYPE` / `ERR_SK_BUFFER`, RangeError `ERR_SK_SHAPE` / `ERR_SK_OPTION`
 * @example
 * ```ts
 * import { attention } from 'sparse-kernels';
 * const scores = { data: Float32Array.of(1, 2, 3, 4), dims: [1, 4] };
 * attention.poolScores(scores, { stride: 2, size: 3, left: 1, windows: 2 }).data; // Float32Array [2, 4]
 * ```
 */
export function poolScores(scores: TensorLike, poolOptions: PoolScoresOptions): Tensor {
  const o = options<PoolScoresOptions>(poolOptions, 'options', ['stride', 'size', 'left', 'weights', 'windows']);
  const { data, dims } = tensor(scores, 'scores', ['float32']);
  const columns = dims.at(-1);
  if (columns === undefined) throw rangeError('ERR_SK_SHAPE', 'expected scores to be [..., columns] but received dims []');
  const size = integer(o.size, 'size', 1, 2 ** 20);
  const weight = o.weights === undefined ? undefined : typedArray(o.weights, 'float32', 'weights');
  if (weight !== undefined && weight.length !== size) {
    throw rangeError('ERR_SK_SHAPE', `expected weights to hold ${size} numbers but received ${weight.length}`);
  }
  const windows = integer(o.windows, 'windows', 0, 2 ** 31 - 1);
  const pooled = output([...dims.slice(0, -1), windows], 'the pooled scores');
  const call = {
    x: data,
    rows: columns === 0 ? 0 : data.length / columns,
    columns,
    stride: integer(o.stride, 'stride', 1, 2 ** 20),
    left: integer(o.left ?? 0, 'left', 0, 2 ** 20),
    size,
    weight,
    out: pooled.data,
    outColumns: windows,
    threads: 1024,
  };
  if (columns === 0) pooled.data.fill(weight ? 0 : Number.NEGATIVE_INFINITY);
  else guarded(() => native.poolScores(call));
  return pooled;
}
