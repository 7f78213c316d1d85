import { SparseKernelsError, typeError } from '../errors.js';
import { allocate, type TensorLike } from '../tensor.js';
import { integer } from '../validate.js';
import type { Calibration } from './calibration.js';
import { inverseFactor } from './cholesky.js';
import { type Matrix, matrix, newMask, type Pruned } from './matrix.js';
import { nonNegative, type ParsedScope, parseScope, type Scope } from './scope.js';
import { selectMask } from './select.js';
import { calibrationOf } from './wanda.js';

/** Options of {@link sparsegpt}, beside the scope. */
export interface SparseGptOptions {
  /** Inputs of the layer, with `hessian: true`. */
  readonly calibration: Calibration;
  /** What is added to the diagonal of the Hessian, in means of the diagonal. Default 0.01. */
  readonly damp?: number;
  /** Columns that an unstructured or block mask chooses from at a time, and that are updated together. Default 128. */
  readonly blockSize?: number;
}

/**
 * SparseGPT: one-shot pruning that repairs as it prunes. Columns go from left to right; what a weight that goes contributed to the output
 * is made up for by the columns to its right, optimally for the layer's inputs (Optimal Brain Surgeon with the Hessian XᵀX + damping). The
 * score of a weight is `w² / [U_jj]²`, U the Cholesky factor of the inverse Hessian. A mask is chosen when the sweep reaches its columns:
 * a group of M for patterns, `blockSize` columns for the other scopes. Inputs that are always zero lose their weights.
 *
 * Takes the calling thread: some 5 s for [512, 1536], mostly in^3 / 3 multiplications for the factor. Use a worker in a server.
 *
 * Frantar and Alistarh, "SparseGPT: Massive Language Models Can Be Accurately Pruned in One-Shot" (ICML 2023).
 *
 * @param weight - float32 [out, in]; left as it is
 * @param sparseGptOptions - a scope, `calibration`, and optionally `damp` and `blockSize`
 * @returns the mask, and the weight with its remaining values updated
 * @throws TypeError `ERR_SK_TYPE` / `ERR_SK_DTYPE` / `ERR_SK_BUFFER`, RangeError `ERR_SK_SHAPE` / `ERR_SK_PATTERN` / `ERR_SK_OPTION`,
 * SparseKernelsError `ERR_SK_SINGULAR` where the damped Hessian is not positive definite
 * @example
 * ```ts
 * import { prune } from 'sparse-kernels';
 * const calibration = new prune.Calibration(4, { hessian: true });
 * calibration.add({ data: Float32Array.of(1, 1, 0, 0, 0, 0, 1, 1, 1, 0, 1, 0), dims: [3, 4] });
 * const weight = { data: Float32Array.of(1, 2, 3, 4), dims: [1, 4] };
 * const { weight: repaired } = prune.sparsegpt(weight, { scope: 'nm', pattern: '2:4', calibration });
 * ```
 */
export function sparsegpt(weight: TensorLike, sparseGptOptions: Scope & SparseGptOptions): Pruned {
  const scope = parseScope(sparseGptOptions, ['calibration', 'damp', 'blockSize']);
  const damp = nonNegative(sparseGptOptions.damp ?? 0.01, 'damp');
  const blockSize = blockSizeOf(sparseGptOptions.blockSize, scope);
  const w = matrix(weight, 'weight');
  const calibration = calibrationOf(sparseGptOptions.calibration, w);
  const values = Float64Array.from(w.data);
  const u = factorOfInverse(calibration, damp, values, w);
  const mask = sweep(values, u, w, scope, blockSize);
  const data = allocate('float32', values.length, 'the pruned weight');
  data.set(values);
  return { weight: { type: 'float32', data, dims: [...w.dims] }, mask: newMask(mask, w) };
}

/** A group must not straddle two blocks. */
function blockSizeOf(value: unknown, scope: ParsedScope): number {
  const blockSize = integer(value ?? 128, 'blockSize', 1, 2 ** 24);
  const unit = 'm' in scope ? scope.m : scope.block[1];
  return Math.ceil(blockSize / unit) * unit;
}

/** U; columns of inputs that were always zero become zero in `values`, as they contribute nothing. */
function factorOfInverse(calibration: Calibration, damp: number, values: Float64Array, { rows, columns: n }: Matrix): Float64Array {
  if (!calibration.products) throw typeError('ERR_SK_TYPE', 'expected a calibration with { hessian: true }');
  const h = calibration.products.slice();
  let mean = 0;
  for (let j = 0; j < n; j++) {
    if (h[j * n + j] === 0) {
      h[j * n + j] = 1;
      for (let r = 0; r < rows; r++) values[r * n + j] = 0;
    }
    mean += (h[j * n + j] as number) / n;
  }
  for (let j = 0; j < n; j++) h[j * n + j] = (h[j * n + j] as number) + damp * mean;
  const u = inverseFactor(h, n);
  if (u) return u;
  throw new SparseKernelsError(
    'ERR_SK_SINGULAR',
    `expected the inputs to determine the weights, but with damp ${damp} their Hessian is singular: add more tokens or damp more`,
  );
}

/** Prunes `values` in place, block by block: first inside the block, then its errors go to all columns to the right at once. */
function sweep(values: Float64Array, u: Float64Array, { rows, columns }: Matrix, scope: ParsedScope, blockSize: number): Uint8Array {
  const mask = new Uint8Array(rows * columns);
  for (let first = 0; first < columns; first += blockSize) {
    const end = Math.min(first + blockSize, columns);
    const errors = new Float64Array(rows * (end - first));
    const unit = 'm' in scope ? scope.m : blockSize;
    for (let group = first; group < end; group += unit) {
      const groupEnd = Math.min(group + unit, end);
      choose(mask, values, u, rows, columns, group, groupEnd, scope);
      for (let r = 0; r < rows; r++) {
        for (let j = group; j < groupEnd; j++) {
          if (mask[r * columns + j] === 1) continue;
          const error = (values[r * columns + j] as number) / (u[j * columns + j] as number);
          errors[r * (end - first) + j - first] = error;
          subtractRow(values, r * columns, error, u, j * columns, j, end);
          values[r * columns + j] = 0;
        }
      }
    }
    if (end === columns) break;
    for (let r = 0; r < rows; r++) {
      for (let j = first; j < end; j++) {
        const error = errors[r * (end - first) + j - first] as number;
        if (error !== 0) subtractRow(values, r * columns, error, u, j * columns, end, columns);
      }
    }
  }
  return mask;
}

/** values[row + k] -= error * u[uRow + k] for k in [from, to). */
function subtractRow(values: Float64Array, row: number, error: number, u: Float64Array, uRow: number, from: number, to: number): void {
  for (let k = from; k < to; k++) values[row + k] = (values[row + k] as number) - error * (u[uRow + k] as number);
}

/** Fills columns [first, end) of the mask by the current values. */
function choose(
  mask: Uint8Array,
  values: Float64Array,
  u: Float64Array,
  rows: number,
  columns: number,
  first: number,
  end: number,
  scope: ParsedScope,
): void {
  const width = end - first;
  const scores = new Float32Array(rows * width);
  for (let r = 0; r < rows; r++) {
    for (let j = first; j < end; j++)
      scores[r * width + j - first] = ((values[r * columns + j] as number) / (u[j * columns + j] as number)) ** 2;
  }
  const chosen = selectMask(scores, rows, width, scope);
  for (let r = 0; r < rows; r++) mask.set(chosen.subarray(r * width, (r + 1) * width), r * columns + first);
}
