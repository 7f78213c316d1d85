import { rangeError, typeError } from '../errors.js';
import { describe, integer } from '../validate.js';

/** `'N:M'`: of every M consecutive weights along the input axis at most N are kept. M is 2, 4, 8, 16 or 32 and 1 <= N < M. */
export type Pattern = `${number}:${number}`;

export interface ParsedPattern {
  n: number;
  m: number;
}

export function parsePattern(pattern: unknown): ParsedPattern {
  if (typeof pattern !== 'string') {
    throw typeError('ERR_SK_TYPE', `expected pattern to be a string such as '2:4' but received ${describe(pattern)}`);
  }
  const match = /^([1-9]\d?):(2|4|8|16|32)$/.exec(pattern);
  const [n, m] = [Number(match?.[1]), Number(match?.[2])];
  if (!(n < m)) {
    throw rangeError(
      'ERR_SK_PATTERN',
      `expected pattern to be 'N:M' with M 2, 4, 8, 16 or 32 and 1 <= N < M but received ${describe(pattern)}`,
    );
  }
  return { n, m };
}

/** Which weights of a plan are kept: `'N:M'`, `'block'` (whole blocks) or `'unstructured'` (any). */
export type PlanPattern = Pattern | 'block' | 'unstructured';

/** The options of a plan that say where its zeros are. */
export interface Sparsity {
  readonly pattern: PlanPattern;
  readonly rows?: number | undefined;
  readonly venom?: boolean | undefined;
  readonly block?: readonly [number, number] | undefined;
}

const mostRows = 2 ** 20;

/** The sparsity of a plan as the addon takes it: unstructured weights and blocks are 0:0. */
export function parseSparsity({ pattern, rows, venom, block }: Sparsity): ParsedPattern & { rows: number; venom: boolean } {
  const shared = rows === undefined ? 1 : integer(rows, 'rows', 1, mostRows);
  if (venom !== undefined && typeof venom !== 'boolean') {
    throw typeError('ERR_SK_TYPE', `expected venom to be a boolean but received ${describe(venom)}`);
  }
  if ((pattern === 'block') !== (block !== undefined)) {
    throw rangeError('ERR_SK_OPTION', `expected a block exactly if the pattern is 'block' but received ${describe(pattern)}`);
  }
  if (pattern === 'block' || pattern === 'unstructured') {
    if (shared > 1 || venom) throw rangeError('ERR_SK_OPTION', "expected rows and venom only with a pattern 'N:M'");
    return { n: 0, m: 0, rows: block ? blockRows(block) : 1, venom: false };
  }
  return {
    ...(shared > 1 || venom ? parseShared(pattern, venom ?? false) : parsePattern(pattern)),
    rows: shared,
    venom: venom ?? false,
  };
}

/** Which columns a block spans is not asked: blocks are found by their zeros. */
function blockRows(block: unknown): number {
  if (!Array.isArray(block) || block.length !== 2) {
    throw typeError('ERR_SK_TYPE', `expected block to be [rows, columns] but received ${describe(block)}`);
  }
  integer(block[1], 'block[1]', 1, mostRows);
  return integer(block[0], 'block[0]', 1, mostRows);
}

function parseShared(pattern: unknown, venom: boolean): ParsedPattern {
  const match = /^([1-9]\d{0,2}):([1-9]\d{0,2})$/.exec(String(pattern));
  const [n, m] = [Number(match?.[1]), Number(match?.[2])];
  if (n < m && m <= 256 && (!venom || (n <= 4 && m >= 4))) return { n, m };
  const expected = venom ? "'N:M' with N <= 4 <= M <= 256" : "'N:M' with 1 <= N < M <= 256";
  throw rangeError('ERR_SK_PATTERN', `expected pattern to be ${expected} where rows share columns but received ${describe(pattern)}`);
}
