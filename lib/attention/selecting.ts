/** What a selection is asked for: its options, checked, as the addon takes them. */
import { type Isa, isaOption } from '../device.js';
import { rangeError, typeError } from '../errors.js';
import { allocate, type TensorLike, tensor, typedArray } from '../tensor.js';
import { describe, flag, integer, number, oneOf, options } from '../validate.js';
import { inverseNormal } from './normal.js';
import type { ForceOptions, Rows } from './types.js';

/** In the order of enum Crossing in native/select/select.h. */
const crossings: readonly Crossing[] = ['include', 'exclude', 'exceed'];

/**
 * Which prefix of the scores, in descending order, `topP` keeps; c_j is the sum of the j best.
 * - `include`: 1 + #{c_j < p}, the shortest prefix that reaches p (XAttention, PBS-Attn)
 * - `exclude`: #{c_j <= p}, the longest that does not exceed p (SpargeAttn, with `minCount` 1; FlexPrefill's query-aware heads)
 * - `exceed`: 1 + #{c_j <= p}, that one and the next (FlexPrefill's lines)
 */
export type Crossing = 'include' | 'exclude' | 'exceed';

/** Options of `select`: exactly one of `topK`, `topP`, `threshold` and `gaussianK`. */
export interface SelectOptions {
  /** The k best of each row; or one k for each row, in order. */
  readonly topK?: number | ArrayLike<number>;
  /** The best of each row until their sum is p, see `crossing`; or one p for each row. */
  readonly topP?: number | ArrayLike<number>;
  /** For `topP`; default `'include'`. */
  readonly crossing?: Crossing;
  /** For `topP`: p is a share of the row's sum; default false, scores are taken as they are. */
  readonly relative?: boolean;
  /** For `topP` with `'include'`: a row that never reaches p keeps nothing; default false, it keeps all. */
  readonly needsReach?: boolean;
  /** For `topP`: keep at least so many; default 0. */
  readonly minCount?: number;
  /** Scores of at least so much; or one threshold for each row. */
  readonly threshold?: number | ArrayLike<number>;
  /** For `threshold`: scores above it only; default false. */
  readonly strict?: boolean;
  /** About the k best, without sorting: scores above mean + standard deviation x Φ⁻¹(1 - k / n) of their row (Spark Transformer). */
  readonly gaussianK?: number;
  /** Most ids of a row: where a rule would keep more, the best stay. Default: all columns; for `topK` the largest k. */
  readonly capacity?: number;
  /** Row i of each [rows, columns] may keep columns below limit[i] only; int32 [rows]. */
  readonly limit?: Int32Array;
  /** Leaves out the columns before it; default 0. */
  readonly firstColumn?: number;
  /** What is kept whatever its score. */
  readonly force?: ForceOptions;
  /** Instruction set; default: the best that the machine has. */
  readonly isa?: Isa;
  /** Most threads; default: all of the pool. */
  readonly threads?: number;
  /** Aborts the run. */
  readonly signal?: AbortSignal;
}

const known = [
  'topK',
  'topP',
  'crossing',
  'relative',
  'needsReach',
  'minCount',
  'threshold',
  'strict',
  'gaussianK',
  'capacity',
  'limit',
  'firstColumn',
  'force',
  'isa',
  'threads',
  'signal',
] as const;
const rules = ['topK', 'topP', 'threshold', 'gaussianK'] as const;
const many = 2 ** 31 - 1;

/** One number for every row, from one number or a list; counts are whole. */
function perRow<A extends Int32Array | Float32Array>(value: unknown, name: string, target: A): A {
  const check = (x: unknown, of: string) => (target instanceof Int32Array ? integer(x, of, 0, many) : number(x, of));
  if (typeof value === 'number') return target.fill(check(value, name)) as A;
  if (typeof value !== 'object' || value === null || !('length' in value)) {
    throw typeError('ERR_SK_TYPE', `expected ${name} to be a number or a list of numbers but received ${describe(value)}`);
  }
  const list = value as ArrayLike<number>;
  if (list.length !== target.length) {
    throw rangeError('ERR_SK_SHAPE', `expected ${name} to hold ${target.length} numbers, one a row, but received ${list.length}`);
  }
  for (let i = 0; i < list.length; i++) target[i] = check(list[i], `${name}[${i}]`);
  return target;
}

/** The call of the addon, and the lists that it fills. */
export function prepare(scores: TensorLike, selectOptions: SelectOptions) {
  const o = options<SelectOptions>(selectOptions, 'options', known);
  const force = options<ForceOptions>(o.force ?? {}, 'force', ['sink', 'local', 'lastRows']);
  const { data, dims } = tensor(scores, 'scores', ['float32']);
  const [perSlice, columns] = [dims.length > 1 ? (dims.at(-2) as number) : 1, dims.at(-1)];
  if (columns === undefined || columns > many) {
    throw rangeError(
      'ERR_SK_SHAPE',
      `expected scores to be [..., rows, columns] with less than 2^31 columns but received dims ${describe(dims)}`,
    );
  }
  const given = rules.filter((name) => o[name] !== undefined);
  if (given.length !== 1) {
    throw rangeError('ERR_SK_OPTION', `expected one of ${rules.join(', ')} but received ${given.join(' and ') || 'none'}`);
  }
  const rule = given[0] as (typeof rules)[number];
  const rows = dims.slice(0, -1).reduce((a, b) => a * b, 1);
  const limits = limitsOf(o.limit, rows, perSlice);
  const wholeRows = integer(force.lastRows ?? 0, 'force.lastRows', 0, many);
  const first = integer(o.firstColumn ?? 0, 'firstColumn', 0, many);

  let k: Int32Array | undefined;
  let amount: Float32Array | undefined;
  if (rule === 'topK') {
    k = perRow(o.topK, 'topK', new Int32Array(rows));
  } else if (rule === 'gaussianK') {
    const wanted = integer(o.gaussianK, 'gaussianK', 1, many);
    amount = new Float32Array(rows).map((_, row) => {
      const n = Math.max(1, (limits?.[row] ?? columns) - first);
      return wanted >= n ? Number.NEGATIVE_INFINITY : inverseNormal(1 - wanted / n);
    });
  } else {
    amount = perRow(o[rule], rule, new Float32Array(rows));
  }
  if (wholeRows > 0) {
    for (let row = 0; row < rows; row++) {
      if ((row % perSlice) + wholeRows < perSlice) continue;
      if (k) k[row] = columns;
      if (amount) amount[row] = rule === 'topP' ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY;
    }
  }

  const [sink, local] = [integer(force.sink ?? 0, 'force.sink', 0, many), integer(force.local ?? 0, 'force.local', 0, many)];
  const most = k ? Math.max(Math.min(columns, sink + local), ...largest(k)) : columns;
  const capacity = o.capacity === undefined ? Math.min(columns, most) : integer(o.capacity, 'capacity', 0, many);
  const index = allocate('int32', rows * capacity, 'the lists');
  const count = new Int32Array(rows);
  const call = {
    scores: data,
    rows,
    columns,
    rule: rules.indexOf(rule),
    k,
    amount,
    limit: limits,
    first,
    sink,
    local,
    least: integer(o.minCount ?? 0, 'minCount', 0, many),
    most: capacity,
    crossing: crossings.indexOf(oneOf(o.crossing ?? 'include', 'crossing', crossings)),
    relative: flag(o.relative ?? false, 'relative'),
    needsReach: flag(o.needsReach ?? false, 'needsReach'),
    strict: flag(o.strict ?? false, 'strict'),
    magnitude: false,
    index,
    count,
    capacity,
    isa: isaOption(o.isa),
    threads: integer(o.threads ?? 1024, 'threads', 1, 1024),
  };
  const start = new Int32Array(rows);
  for (let row = 1; row < rows; row++) start[row] = row * capacity;
  if (rows * capacity > many) {
    throw rangeError(
      'ERR_SK_OPTION',
      `expected rows x capacity below 2^31 but received ${rows} x ${capacity}: set capacity, or select fewer heads at a time`,
    );
  }
  const result: Rows = { start, count, index };
  return { call, result, signal: o.signal };
}

/** The largest entry, as a list of at most one. */
function largest(k: Int32Array): number[] {
  return k.length === 0 ? [] : [k.reduce((a, b) => Math.max(a, b), 0)];
}

function limitsOf(limit: unknown, rows: number, perSlice: number): Int32Array | undefined {
  if (limit === undefined) return undefined;
  const given = typedArray(limit, 'int32', 'limit');
  if (given.length === rows) return given;
  if (given.length !== perSlice) {
    throw rangeError('ERR_SK_SHAPE', `expected limit to hold ${perSlice} numbers, one a row, but received ${given.length}`);
  }
  return Int32Array.from({ length: rows }, (_, row) => given[row % perSlice] as number);
}
