import { rangeError, typeError } from '../errors.js';
import { describe } from '../validate.js';

/** `'N:M'`: of every M consecutive weights along the input axis at most N are kept. M is 4, 8, 16 or 32 and 1 <= N < M. */
export type Pattern = `${number}:${number}`;

export interface ParsedPattern {
  n: number;
  m: number;
}

export function parsePattern(pattern: unknown): ParsedPattern {
  if (typeof pattern !== 'string') {
    throw typeError('ERR_SK_TYPE', `expected pattern to be a string such as '2:4' but received ${describe(pattern)}`);
  }
  const match = /^([1-9]\d?):(4|8|16|32)$/.exec(pattern);
  const [n, m] = [Number(match?.[1]), Number(match?.[2])];
  if (!(n < m)) {
    throw rangeError(
      'ERR_SK_PATTERN',
      `expected pattern to be 'N:M' with M 4, 8, 16 or 32 and 1 <= N < M but received ${describe(pattern)}`,
    );
  }
  return { n, m };
}

/** The pattern of a plan: N:M, or `'unstructured'`, which the addon calls 0:0. */
export function parsePlanPattern(pattern: unknown): ParsedPattern {
  return pattern === 'unstructured' ? { n: 0, m: 0 } : parsePattern(pattern);
}
