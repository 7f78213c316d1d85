import { DeviceTensor } from '../device-tensor.js';
import { rangeError } from '../errors.js';
import { native } from '../native.js';
import type { StreamOption } from '../stream.js';
import { describe, integer, options } from '../validate.js';
import { carried, deviceTensor, enqueue } from './cuda-call.js';
import { CudaRows } from './cuda-rows.js';
import type { ForceOptions } from './types.js';

/** Options of `attention.select` for scores on a device. */
export interface CudaSelectOptions extends StreamOption {
  /** The k best of each row; or one k for each row, int32 [rows]. */
  readonly topK: number | Int32Array | DeviceTensor<'int32'>;
  /** Most ids of a row: where more would be kept, the best stay. Default: the largest k; needed where k is a tensor or rows are forced. */
  readonly capacity?: number;
  /** Row i of each [rows, columns] may keep columns below limit[i] only; int32 [rows]. */
  readonly limit?: Int32Array | DeviceTensor<'int32'>;
  /** Leaves out the columns before it; default 0. */
  readonly firstColumn?: number;
  /** What is kept whatever its score. */
  readonly force?: ForceOptions;
  /** Aborts the run. */
  readonly signal?: AbortSignal;
}

const known = ['topK', 'capacity', 'limit', 'firstColumn', 'force', 'signal', 'stream'] as const;
const many = 2 ** 31 - 1;

export async function selectOnDevice(scores: DeviceTensor, selectOptions: CudaSelectOptions): Promise<CudaRows> {
  const o = options<CudaSelectOptions>(selectOptions, 'options', known);
  const force = options<ForceOptions>(o.force ?? {}, 'force', ['sink', 'local', 'lastRows']);
  const { dims } = deviceTensor(scores, 'scores', ['float32']);
  const [sliceRows, columns] = [dims.length > 1 ? (dims.at(-2) as number) : 1, dims.at(-1)];
  if (columns === undefined) throw rangeError('ERR_SK_SHAPE', 'expected scores to be [..., rows, columns] but received dims []');
  const rows = dims.slice(0, -1).reduce((a, b) => a * b, 1);
  const [sink, local] = [integer(force.sink ?? 0, 'force.sink', 0, many), integer(force.local ?? 0, 'force.local', 0, many)];
  const wholeRows = integer(force.lastRows ?? 0, 'force.lastRows', 0, many);
  const k = typeof o.topK === 'number' ? integer(o.topK, 'topK', 0, many) : undefined;
  const forced = Math.min(columns, sink + local);
  const capacity = o.capacity === undefined ? wanted(o.topK, columns, forced, wholeRows) : integer(o.capacity, 'capacity', 0, many);
  if (capacity < forced) {
    throw rangeError('ERR_SK_SHAPE', `expected a capacity of at least the ${forced} forced columns but received ${capacity}`);
  }
  if (rows * capacity > many) {
    throw rangeError('ERR_SK_OPTION', `expected rows x capacity below 2^31 but received ${rows} x ${capacity}: set capacity`);
  }
  const shape = { rows, columns, k: k ?? 0, sliceRows: Math.max(sliceRows, 1), wholeRows, sink, local, capacity };
  const sizes = { ...shape, first: integer(o.firstColumn ?? 0, 'firstColumn', 0, many) };
  const rowK = typeof o.topK === 'number' ? undefined : o.topK;
  return carried(rowK, 'topK', [rows], o.stream, (rowK) =>
    carried(o.limit, 'limit', [rows, sliceRows], o.stream, async (limit, limits) => {
      const lists = (dims: number[]) => new DeviceTensor('int32', dims, o.stream);
      const results = { count: lists([rows]), index: lists([rows, capacity]) };
      const { count, index } = await enqueue(o, results, { scores, rowK, limit }, (arrays, call) =>
        native.topKCuda({ ...sizes, limits: Math.max(limits, 1), ...arrays }, call),
      );
      return new CudaRows(count, index);
    }),
  );
}

/** The capacity that no row exceeds. */
function wanted(topK: CudaSelectOptions['topK'], columns: number, forced: number, wholeRows: number): number {
  if (wholeRows > 0) return columns;
  if (topK instanceof DeviceTensor) throw rangeError('ERR_SK_OPTION', 'expected a capacity with a topK on the device');
  if (typeof topK === 'number') return Math.min(columns, Math.max(topK, forced));
  if (!(topK instanceof Int32Array)) {
    throw rangeError('ERR_SK_OPTION', `expected topK to be a number or int32 numbers, one a row, but received ${describe(topK)}`);
  }
  return Math.min(
    columns,
    topK.reduce((a, b) => Math.max(a, b), forced),
  );
}
