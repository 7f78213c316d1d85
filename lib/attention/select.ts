import { DeviceTensor } from '../device-tensor.js';
import { cancellable, guarded } from '../handle.js';
import { native } from '../native.js';
import type { TensorLike } from '../tensor.js';
import type { CudaRows } from './cuda-rows.js';
import { type CudaSelectOptions, selectOnDevice } from './cuda-select.js';
import { type Crossing, prepare, type SelectOptions } from './selecting.js';
import type { ForceOptions, Rows } from './types.js';

export type { Crossing, ForceOptions, SelectOptions };

/**
 * Lists of the best columns of every row of scores. Ties go to the lower column; -Infinity is never kept unless forced. Lists, never a mask:
 * at a million tokens a mask of blocks would be 64 MB for each head. Scores on a device give {@link CudaRows} there: of `topK` only.
 *
 * @param scores - float32 [..., rows, columns]
 * @returns lists, one for each row in order; ids ascend
 * @throws (rejects) TypeError `ERR_SK_TYPE` / `ERR_SK_DTYPE` / `ERR_SK_BUFFER`, RangeError `ERR_SK_SHAPE` / `ERR_SK_OPTION`,
 * SparseKernelsError `ERR_SK_NAN` (row and column are named) / `ERR_SK_ISA` / `ERR_SK_MEMORY`, or the reason of `signal`
 * @example
 * ```ts
 * import { attention } from 'sparse-kernels';
 * const scores = { data: Float32Array.of(0.5, 0.125, 0.25, 0.125), dims: [1, 4] };
 * const { index, count } = await attention.select(scores, { topK: 2 });
 * index; // Int32Array [0, 2]
 * const cover = await attention.select(scores, { topP: 0.8 });
 * cover.count; // Int32Array [3]
 * ```
 */
export async function select(scores: DeviceTensor, selectOptions: CudaSelectOptions): Promise<CudaRows>;
export async function select(scores: TensorLike, selectOptions: SelectOptions): Promise<Rows>;
export async function select(
  scores: TensorLike | DeviceTensor,
  selectOptions: SelectOptions | CudaSelectOptions,
): Promise<Rows | CudaRows> {
  if (scores instanceof DeviceTensor) return selectOnDevice(scores, selectOptions as CudaSelectOptions);
  return selectOnCpu(scores, selectOptions as SelectOptions);
}

async function selectOnCpu(scores: TensorLike, selectOptions: SelectOptions): Promise<Rows> {
  const { call, result, signal } = prepare(scores, selectOptions);
  await cancellable(signal, (token) => native.selectRows(call, token));
  return result;
}

/**
 * {@link select} on the calling thread (and the pool); the scores are read in place.
 *
 * @param scores - float32 [..., rows, columns]
 * @throws as {@link select}
 * @example
 * ```ts
 * import { attention } from 'sparse-kernels';
 * const scores = { data: Float32Array.of(1, 3, 2, 9), dims: [1, 4] };
 * attention.selectSync(scores, { topK: 2, limit: Int32Array.of(3), force: { sink: 1 } }).index; // Int32Array [0, 1]
 * ```
 */
export function selectSync(scores: TensorLike, selectOptions: Omit<SelectOptions, 'signal'>): Rows {
  const { call, result } = prepare(scores, selectOptions);
  guarded(() => native.selectRowsSync(call));
  return result;
}
