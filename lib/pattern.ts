import { rangeError } from './errors.js';
import { describe } from './validate.js';

/** The N and M of `'N:M'`, 1 <= N < M <= 256. */
export function parsePattern(pattern: unknown): { n: number; m: number } {
  const match = typeof pattern === 'string' ? /^([1-9]\d{0,2}):([1-9]\d{0,2})$/.exec(pattern) : null;
  const [n, m] = [Number(match?.[1]), Number(match?.[2])];
  if (n < m && m <= 256) return { n, m };
  throw rangeError('ERR_SK_PATTERN', `expected pattern to be 'N:M' with 1 <= N < M <= 256 but received ${describe(pattern)}`);
}
