/** Tables of bad input: what each call must throw. */
import type { ErrorCode, SparseKernelsError } from 'sparse-kernels';
import { expect, test } from 'vitest';

export type ErrorClass = typeof TypeError | typeof RangeError | typeof SparseKernelsError;
export type ErrorRow = [what: string, call: () => unknown, type: ErrorClass, code: ErrorCode, message: RegExp];

/** Each call throws its error, with the stack of its caller, which is in a file whose name contains `file`. */
export function expectErrors(rows: readonly ErrorRow[], file: string): void {
  test.each(rows)('%s', (_, call, type, code, message) => {
    let error: unknown;
    try {
      call();
    } catch (e) {
      error = e;
    }
    expect(error).toBeInstanceOf(type);
    expect(error).toMatchObject({ code, message: expect.stringMatching(message) });
    expect((error as Error).stack).toContain(file);
  });
}
