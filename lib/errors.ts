/**
 * Stable error codes. Every error that the library throws or rejects with carries one as `error.code`; an aborted run is the exception:
 * it rejects with the `reason` of its signal.
 *
 * - `ERR_SK_TYPE` a value of the wrong type (TypeError)
 * - `ERR_SK_OPTION` an option outside its range or unknown (RangeError)
 * - `ERR_SK_SHAPE` dims that are not valid, do not fit the data or do not fit each other (RangeError)
 * - `ERR_SK_DTYPE` a data type that the operation does not take (TypeError)
 * - `ERR_SK_BUFFER` a shared, resizable or detached buffer (TypeError)
 * - `ERR_SK_OVERLAP` input and output share memory (RangeError)
 * - `ERR_SK_PATTERN` not a known N:M pattern (RangeError)
 * - `ERR_SK_SPARSITY` weights with more non-zeros in a group than the pattern allows (SparseKernelsError)
 * - `ERR_SK_SINGULAR` calibration data that do not determine the weights (SparseKernelsError)
 * - `ERR_SK_NAN` NaN among numbers that are to be compared (SparseKernelsError)
 * - `ERR_SK_COORDINATES` sites outside their grid, repeated, or not those that a map was made for (SparseKernelsError)
 * - `ERR_SK_FILE` bytes that are not what they should be: truncated, damaged or of another format (SparseKernelsError)
 * - `ERR_SK_CHECKSUM` a file whose checksum does not fit its contents (SparseKernelsError)
 * - `ERR_SK_VERSION` a file of a version that this library does not know (SparseKernelsError)
 * - `ERR_SK_VALUE` a number that the type it is to be stored as cannot hold (SparseKernelsError)
 * - `ERR_SK_LISTS` lists of keys with ids out of range, ranges outside their index, or a key twice (SparseKernelsError)
 * - `ERR_SK_CAPACITY` more tokens than a cache was made for (SparseKernelsError)
 * - `ERR_SK_ISA` an instruction set that is unknown or that this machine lacks (SparseKernelsError)
 * - `ERR_SK_DEVICE` a device that is not there or that the kernels do not run on; the message says why (SparseKernelsError)
 * - `ERR_SK_CUDA` a call or a kernel that failed on a CUDA device (SparseKernelsError)
 * - `ERR_SK_MEMORY` not enough memory, or more elements than an array can hold (SparseKernelsError)
 * - `ERR_SK_DISPOSED` use of a plan after `dispose()` (SparseKernelsError)
 * - `ERR_SK_BINARY` the native addon cannot be loaded (SparseKernelsError)
 */
export type ErrorCode =
  | 'ERR_SK_TYPE'
  | 'ERR_SK_OPTION'
  | 'ERR_SK_SHAPE'
  | 'ERR_SK_DTYPE'
  | 'ERR_SK_BUFFER'
  | 'ERR_SK_OVERLAP'
  | 'ERR_SK_PATTERN'
  | 'ERR_SK_SPARSITY'
  | 'ERR_SK_SINGULAR'
  | 'ERR_SK_NAN'
  | 'ERR_SK_COORDINATES'
  | 'ERR_SK_FILE'
  | 'ERR_SK_CHECKSUM'
  | 'ERR_SK_VERSION'
  | 'ERR_SK_VALUE'
  | 'ERR_SK_LISTS'
  | 'ERR_SK_CAPACITY'
  | 'ERR_SK_ISA'
  | 'ERR_SK_DEVICE'
  | 'ERR_SK_CUDA'
  | 'ERR_SK_MEMORY'
  | 'ERR_SK_DISPOSED'
  | 'ERR_SK_BINARY';

/**
 * A failure that is neither a wrong type nor a value out of range: those are a `TypeError` and a `RangeError` with the same `code` property.
 *
 * @example
 * ```ts
 * import { nm, SparseKernelsError } from 'sparse-kernels';
 * const weight = { data: Float32Array.of(1, 1, 1, 1), dims: [1, 4] };
 * try {
 *   nm.plan({ weight, pattern: '2:4' }); // four non-zeros in a group of four
 * } catch (error) {
 *   if (!(error instanceof SparseKernelsError && error.code === 'ERR_SK_SPARSITY')) throw error;
 * }
 * ```
 */
export class SparseKernelsError extends Error {
  /** Always `'SparseKernelsError'`. */
  override readonly name = 'SparseKernelsError';
  /** Stable, for programs; the message is for people and may change. */
  readonly code: ErrorCode;

  /** @param code - the stable code; @param message - what was expected and what came; @param options - `cause`, where there is one */
  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

export function typeError(code: ErrorCode, message: string): TypeError & { code: ErrorCode } {
  return Object.assign(new TypeError(message), { code });
}

export function rangeError(code: ErrorCode, message: string): RangeError & { code: ErrorCode } {
  return Object.assign(new RangeError(message), { code });
}

/** Gives an error of the addon the class that its code promises and the stack of the JavaScript caller. */
export function fromNative(error: unknown): unknown {
  const { code, message } = error as { code?: ErrorCode; message: string };
  if (code === undefined || error instanceof TypeError || error instanceof RangeError) return error;
  return new SparseKernelsError(code, message);
}
