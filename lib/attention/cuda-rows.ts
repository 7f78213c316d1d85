import type { DeviceTensor } from '../device-tensor.js';
import { rangeError, SparseKernelsError } from '../errors.js';
import type { StreamOption } from '../stream.js';
import { describe } from '../validate.js';
import { deviceTensor } from './cuda-call.js';
import type { Rows } from './types.js';

/**
 * Lists of ids on a device, one per row, with room for `capacity` ids each: made by `attention.select` of scores on a device, by
 * `attention.verticalSlash`, or of tensors of your own. Runs of a plan whose pattern declares a capacity take them, and nothing waits for
 * what they hold.
 *
 * Counts are cut to the capacity. A row whose scores had a NaN has the count -1: attention gives NaN for its queries, and `to('cpu')` is
 * `ERR_SK_NAN`.
 */
export class CudaRows {
  /** How many ids each row has, int32 [rows]. */
  readonly count: DeviceTensor<'int32'>;
  /** The ids, int32 [rows, capacity]. */
  readonly index: DeviceTensor<'int32'>;

  /**
   * Lists that are on the device already, for instance those of an indexer of yours. They are not looked into: attention passes over ids
   * of keys that do not exist, and a key that a row lists twice counts twice.
   *
   * @param count - int32 [rows]
   * @param index - int32 [rows, capacity]
   * @throws TypeError `ERR_SK_TYPE` / `ERR_SK_DTYPE`, RangeError `ERR_SK_SHAPE`
   */
  constructor(count: DeviceTensor, index: DeviceTensor) {
    this.count = deviceTensor(count, 'count', ['int32']) as DeviceTensor<'int32'>;
    this.index = deviceTensor(index, 'index', ['int32']) as DeviceTensor<'int32'>;
    if (index.dims.length === 2 && count.dims.length === 1 && count.dims[0] === index.dims[0]) return;
    throw rangeError(
      'ERR_SK_SHAPE',
      `expected count [rows] and index [rows, capacity] but received dims ${describe(count.dims)} and ${describe(index.dims)}`,
    );
  }

  /** Rows. */
  get rows(): number {
    return this.index.dims[0] as number;
  }

  /** Most ids of a row. */
  get capacity(): number {
    return this.index.dims[1] as number;
  }

  /**
   * A copy in host memory.
   *
   * @throws (rejects) SparseKernelsError `ERR_SK_NAN` (the row is named) / `ERR_SK_DISPOSED` / `ERR_SK_MEMORY` / `ERR_SK_CUDA`
   * @example
   * ```ts
   * import { attention, devices, toDevice } from 'sparse-kernels';
   * if (devices().some((d) => d.type === 'cuda' && d.available)) {
   *   const scores = await toDevice({ data: Float32Array.of(0.5, 0.125, 0.25, 0.125), dims: [1, 4] }, 'cuda');
   *   const rows = await (await attention.select(scores, { topK: 2 })).to('cpu');
   *   rows.index; // Int32Array [0, 2]
   * }
   * ```
   */
  async to(device: 'cpu', copyOptions: StreamOption = {}): Promise<Rows> {
    const [count, index] = await Promise.all([this.count.to(device, copyOptions), this.index.to(device, copyOptions)]);
    const { capacity } = this;
    const failed = count.data.findIndex((n) => n < 0);
    if (failed >= 0) throw new SparseKernelsError('ERR_SK_NAN', `expected scores that are numbers but received NaN in row ${failed}`);
    const start = Int32Array.from({ length: this.rows }, (_, row) => row * capacity);
    return { start, count: count.data.map((n) => Math.min(Math.max(n, 0), capacity)), index: index.data };
  }

  /** Frees the memory as soon as no run is under way; later use throws `ERR_SK_DISPOSED`. Calling it twice is fine. */
  dispose(): void {
    this.count.dispose();
    this.index.dispose();
  }

  /** `using rows = await attention.select(...)` disposes at the end of the block. */
  [Symbol.dispose](): void {
    this.dispose();
  }
}
