import { rangeError } from '../errors.js';
import { parsePattern } from '../pattern.js';
import { describe, integer, oneOf, options } from '../validate.js';

/**
 * Which weights of a matrix [out, in] compete with each other, and how many of them stay.
 *
 * - `global`: the whole matrix; `row`: each output row by itself. `sparsity` in [0, 1) is the fraction that goes; of n competitors
 *   `floor(n * sparsity)` go. With `block: [rows, columns]` whole blocks stay or go, by the sum of their scores: `[4, 1]`, `[1, 16]`.
 * - `nm`: of every M consecutive inputs N stay. With `rows: V` the V output rows of a band keep the same ones, by the sum of their scores.
 * - `venom`: each band of `rows` output rows keeps 4 columns of every M, by the sum of their scores, and each row N of those 4.
 *   Castro et al., "VENOM: A Vectorized N:M Format for Unleashing the Power of Sparse Tensor Cores" (SC 2023).
 * - `transposable`: N of every 4 along the inputs and along the outputs, so that the transpose has the same pattern. Exact: the best of
 *   all masks of each 4 x 4 tile (90 of them for 2:4). Hubara et al., "Accelerated Sparse Neural Training" (NeurIPS 2021).
 *
 * Larger scores stay; among equals the lower index; NaN and -Infinity count as the lowest number. Bands, groups and tiles at the edges may
 * be smaller.
 *
 * @example
 * ```ts
 * import { prune } from 'sparse-kernels';
 * const weight = { data: Float32Array.of(4, 1, 2, 3), dims: [1, 4] };
 * const scopes: prune.Scope[] = [{ scope: 'row', sparsity: 0.75 }, { scope: 'nm', pattern: '2:4' }];
 * scopes.map((scope) => prune.magnitude(weight, scope).weight.data); // [4, 0, 0, 0], [4, 0, 0, 3]
 * ```
 */
export type Scope =
  | {
      /** All weights of the matrix compete, or those of each row. */
      readonly scope: 'global' | 'row';
      /** Fraction that goes, in [0, 1). */
      readonly sparsity: number;
      /** Rows and columns of the blocks that compete. Default [1, 1]: single weights. */
      readonly block?: readonly [number, number];
    }
  | {
      /** Groups of M consecutive inputs. */
      readonly scope: 'nm';
      /** `'N:M'` with 1 <= N < M <= 256. */
      readonly pattern: `${number}:${number}`;
      /** Output rows that choose together. Default 1. */
      readonly rows?: number;
    }
  | {
      /** Four columns of every M for a band of rows, then N of the four for each row. */
      readonly scope: 'venom';
      /** `'N:M'` with N <= 4 <= M <= 256. */
      readonly pattern: `${number}:${number}`;
      /** Output rows of a band. */
      readonly rows: number;
    }
  | {
      /** N of every 4 along both axes. */
      readonly scope: 'transposable';
      /** `'1:4'`, `'2:4'` or `'3:4'`. */
      readonly pattern: `${number}:4`;
    };

/** A scope whose values have been checked; only what its kind needs is there. */
export type ParsedScope =
  | { kind: 'global' | 'row'; sparsity: number; block: readonly [number, number] }
  | { kind: 'nm' | 'venom'; n: number; m: number; rows: number }
  | { kind: 'transposable'; n: number; m: 4 };

const scopes = ['global', 'row', 'nm', 'venom', 'transposable'] as const;
const keysOfScope = {
  global: ['scope', 'sparsity', 'block'],
  row: ['scope', 'sparsity', 'block'],
  nm: ['scope', 'pattern', 'rows'],
  venom: ['scope', 'pattern', 'rows'],
  transposable: ['scope', 'pattern'],
} as const;

/** Checks the scope in an options object that may have the other keys of a method, too. */
export function parseScope(value: Scope, otherKeys: readonly string[] = []): ParsedScope {
  const kind = oneOf(options<{ scope: unknown }>(value, 'options', Object.keys(value ?? {}) as 'scope'[]).scope, 'scope', scopes);
  const o = options<Record<string, unknown>>(value, 'options', [...keysOfScope[kind], ...otherKeys]);
  if (kind === 'global' || kind === 'row') return { kind, sparsity: fraction(o.sparsity, 'sparsity'), block: parseBlock(o.block) };
  const { n, m } = parsePattern(o.pattern);
  if (kind === 'transposable') {
    if (m !== 4)
      throw rangeError('ERR_SK_PATTERN', `expected pattern of a transposable mask to be 'N:4' but received ${describe(o.pattern)}`);
    return { kind, n, m };
  }
  if (kind === 'venom' && (m < 4 || n > 4)) {
    throw rangeError('ERR_SK_PATTERN', `expected pattern of a venom mask to be 'N:M' with N <= 4 <= M but received ${describe(o.pattern)}`);
  }
  return { kind, n, m, rows: kind === 'nm' && o.rows === undefined ? 1 : integer(o.rows, 'rows', 1, 2 ** 20) };
}

/** A number in [0, 1). */
export function fraction(value: unknown, name: string): number {
  if (typeof value === 'number' && value >= 0 && value < 1) return value;
  throw rangeError('ERR_SK_OPTION', `expected ${name} to be a number from 0 up to but not 1, but received ${describe(value)}`);
}

/** A finite number >= 0. */
export function nonNegative(value: unknown, name: string): number {
  if (typeof value === 'number' && value >= 0 && value < Infinity) return value;
  throw rangeError('ERR_SK_OPTION', `expected ${name} to be a number >= 0 but received ${describe(value)}`);
}

function parseBlock(block: unknown): [number, number] {
  if (block === undefined) return [1, 1];
  if (Array.isArray(block) && block.length === 2) {
    return [integer(block[0], 'block[0]', 1, 2 ** 20), integer(block[1], 'block[1]', 1, 2 ** 20)];
  }
  throw rangeError('ERR_SK_OPTION', `expected block to be [rows, columns] but received ${describe(block)}`);
}
