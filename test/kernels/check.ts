import type { Mismatch } from '../reference/compare.js';

/** One case of a kernel row: runs that very row and compares it with the oracle; null where all is well. */
export interface Check {
  readonly name: string;
  run(): Mismatch | null | Promise<Mismatch | null>;
}
