/** What a run hands to the addon: the optional operands checked, the results allocated. */
import type { NativeAttendModifiers, NativeAttendOperands, NativeKvCache } from '../../types/attention.js';
import { rangeError, typeError } from '../errors.js';
import { allocate, tensor, typedArray } from '../tensor.js';
import { describe, flag, number, options } from '../validate.js';
import type { AttentionResult, AttentionShape, CudaPattern, Layout, RunOptions } from './types.js';

/** Operands beside q, k and v that are cut with them into key-value heads. */
export const resultKeys = ['initialOutput', 'initialLse', 'output', 'lse', 'rowMax'] as const;

export interface Operands {
  readonly native: NativeAttendOperands;
  /** Of the output. */
  readonly dims: readonly number[];
}

/** What a plan says of its operands. */
type PlanShape = Required<AttentionShape> & { readonly layout: Layout; readonly pattern: CudaPattern };

type Source = { k: Float32Array | Uint16Array; v: Float32Array | Uint16Array } | { caches: readonly NativeKvCache[] };

const runKeys = ['queryPositions', 'keyPositions', 'keyLengths', 'keyBias', 'logWeight', 'sink', 'initial', 'rowMax', 'signal'] as const;

export function operandsOf(plan: PlanShape, source: { q: Float32Array | Uint16Array } & Source, runOptions: RunOptions): Operands {
  const o = options<RunOptions>(runOptions, 'options', runKeys);
  const { batch, heads, kvHeads, headDim } = plan;
  const { queryLength } = plan.pattern;
  const states = batch * heads * queryLength;
  const outputs = states * headDim;
  const initial = o.initial === undefined ? undefined : initialOf(plan, o.initial);
  if ('caches' in source && o.keyLengths !== undefined) {
    throw rangeError('ERR_SK_OPTION', 'expected no keyLengths with caches, which have their own');
  }
  return {
    dims: plan.layout === 'BHSD' ? [batch, heads, queryLength, headDim] : [batch, queryLength, heads, headDim],
    native: {
      firstUnit: 0,
      units: batch * kvHeads,
      ...source,
      ...modifiersOf(plan, o),
      initialOutput: initial && floats(initial.output, 'initial.output', [outputs]),
      initialLse: initial && floats(initial.lse, 'initial.lse', [states]),
      output: allocate('float32', outputs, 'the output'),
      lse: allocate('float32', states, 'the log-sum-exp'),
      rowMax: flag(o.rowMax ?? false, 'rowMax') ? allocate('float32', states, 'the row maximum') : undefined,
      privateResults: true,
    },
  };
}

/** A result of the plan's layout. */
function initialOf({ layout }: PlanShape, initial: AttentionResult): AttentionResult {
  if (initial?.output === undefined || initial.lse === undefined) {
    throw typeError('ERR_SK_TYPE', `expected initial to be { output, lse } but received ${describe(initial)}`);
  }
  const given = initial.layout ?? layout; // those of plans in BHSD are not marked, nor is what a caller makes
  if (given === layout) return initial;
  throw rangeError('ERR_SK_SHAPE', `expected an initial result in the layout ${layout} but received ${given}`);
}

/** What moves the scores of a run. */
export function modifiersOf({ batch, heads, kvHeads, pattern }: PlanShape, o: Omit<RunOptions, 'initial'>): NativeAttendModifiers {
  const { queryLength, keyLength } = pattern;
  return {
    queryPositions: int32(o.queryPositions, 'queryPositions', [queryLength, batch * queryLength]),
    keyPositions: int32(o.keyPositions, 'keyPositions', [keyLength, batch * keyLength]),
    keyLengths: keyLengths(o.keyLengths, batch, keyLength),
    keyBias: floats(o.keyBias, 'keyBias', [keyLength, kvHeads * keyLength, batch * kvHeads * keyLength]),
    logWeight: number(o.logWeight ?? 0, 'logWeight', Number.NEGATIVE_INFINITY, Number.MAX_VALUE),
    sink: floats(o.sink, 'sink', [heads]),
  };
}

function floats(value: unknown, name: string, lengths: readonly number[]): Float32Array | undefined {
  if (value === undefined) return undefined;
  const bare = typeof value !== 'object' || value === null || !('dims' in value);
  return expectLength(bare ? typedArray(value, 'float32', name) : tensor(value, name, ['float32']).data, name, lengths);
}

function int32(value: unknown, name: string, lengths: readonly number[]): Int32Array | undefined {
  return value === undefined ? undefined : expectLength(typedArray(value, 'int32', name), name, lengths);
}

function keyLengths(value: unknown, batch: number, keyLength: number): Int32Array | undefined {
  const lengths = int32(value, 'keyLengths', [batch]);
  const wrong = lengths?.find((n) => n < 0 || n > keyLength);
  if (wrong === undefined) return lengths;
  throw rangeError('ERR_SK_SHAPE', `expected keyLengths from 0 to ${keyLength} but received ${wrong}`);
}

function expectLength<T extends Float32Array | Int32Array>(data: T, name: string, lengths: readonly number[]): T {
  if (lengths.includes(data.length)) return data;
  const wanted = [...new Set(lengths)].join(' or ');
  throw rangeError('ERR_SK_SHAPE', `expected ${name} to hold ${wanted} numbers but received ${data.length}`);
}
