/** The options of a plan, checked, as the addon takes them. What the lists hold is checked natively. */
import type { NativeAttendOptions } from '../../types/attention.js';
import { isaOption } from '../device.js';
import { rangeError, typeError } from '../errors.js';
import { describe, integer, oneOf, options } from '../validate.js';
import type { CudaPlanOptions, Layout, Pattern, PlanOptions, Rows } from './types.js';

const planKeys = [
  'pattern',
  'batch',
  'heads',
  'kvHeads',
  'headDim',
  'causal',
  'window',
  'sinkTokens',
  'scale',
  'softcap',
  'pvSkip',
  'layout',
  'dtype',
  'validate',
  'device',
  'isa',
  'threads',
] as const;
const headSets = ['shared', 'kv', 'q'] as const;

/** What a plan says of itself. */
export interface PlanFields {
  readonly pattern: Pattern;
  readonly batch: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly layout: Layout;
  readonly dtype: 'float32' | 'float16' | 'bfloat16';
}

export function settingsOf(planOptions: PlanOptions | CudaPlanOptions): { fields: PlanFields; settings: NativeAttendOptions } {
  const onCuda = planOptions?.device === 'cuda'; // which has no isa and no threads to choose, and skips nothing
  const keys = onCuda ? planKeys.filter((key) => key !== 'isa' && key !== 'threads' && key !== 'pvSkip') : planKeys;
  const o = options<PlanOptions>(planOptions as PlanOptions, 'options', keys);
  if (!onCuda && o.device !== undefined) oneOf(o.device, 'device', ['cpu', 'cuda']);
  const fields = fieldsOf(o);
  const { pattern, batch, heads, kvHeads, headDim, layout, dtype } = fields;
  const settings = {
    batch,
    heads,
    kvHeads,
    headDim,
    queries: pattern.queryLength,
    keys: pattern.keyLength,
    tokensOutside: layout === 'BSHD',
    headSets: headSets.indexOf(pattern.heads),
    listsBatch: pattern.batch,
    blockQueries: pattern.blockSize[0],
    blockKeys: pattern.blockSize[1],
    tokenIds: pattern.unit === 'token',
    tiles: pattern.tiles,
    fullTiles: pattern.fullTiles,
    columns: pattern.columns,
    validate: flag(o.validate ?? true, 'validate'),
    causal: flag(o.causal ?? false, 'causal'),
    window: o.window === undefined ? 0 : integer(o.window, 'window', 1, 2 ** 31 - 1),
    sinkTokens: integer(o.sinkTokens ?? 0, 'sinkTokens', 0, 2 ** 31 - 1),
    scale: o.scale === undefined ? 1 / Math.sqrt(headDim) : finite(o.scale, 'scale'),
    softcap: o.softcap === undefined ? 0 : positive(o.softcap, 'softcap'),
    pvSkip: o.pvSkip === undefined ? 0 : positive(o.pvSkip, 'pvSkip'),
    dtype,
    isa: isaOption(o.isa),
    threads: o.threads === undefined ? 0 : integer(o.threads, 'threads', 1, 1024),
  };
  return { fields, settings };
}

function fieldsOf(o: PlanOptions): PlanFields {
  const pattern = checkPattern(o.pattern);
  const batch = integer(o.batch ?? Math.max(1, pattern.batch), 'batch', 1, 2 ** 20);
  const heads = integer(o.heads, 'heads', 1, 2 ** 20);
  const kvHeads = integer(o.kvHeads ?? heads, 'kvHeads', 1, 2 ** 20);
  const headDim = integer(o.headDim, 'headDim', 8, 256);
  if (headDim % 8 !== 0) {
    throw rangeError('ERR_SK_OPTION', `expected headDim to be a multiple of 8 from 8 to 256 but received ${headDim}`);
  }
  if (heads % kvHeads !== 0) {
    throw rangeError('ERR_SK_OPTION', `expected kvHeads to divide heads but received ${kvHeads} and ${heads}`);
  }
  const sets = { shared: 1, kv: kvHeads, q: heads }[pattern.heads];
  if (pattern.sets !== sets) {
    throw rangeError('ERR_SK_SHAPE', `expected a pattern of ${sets} head sets for heads '${pattern.heads}' but received ${pattern.sets}`);
  }
  if (pattern.batch !== 1 && pattern.batch !== batch) {
    throw rangeError('ERR_SK_SHAPE', `expected a pattern for 1 or ${batch} batch entries but received ${pattern.batch}`);
  }
  const layout = oneOf(o.layout ?? 'BHSD', 'layout', ['BHSD', 'BSHD']);
  const dtype = oneOf(o.dtype ?? 'float32', 'dtype', ['float32', 'float16', 'bfloat16']);
  return { pattern, batch, heads, kvHeads, headDim, layout, dtype };
}

/** Every field of a pattern. */
function checkPattern(value: unknown): Pattern {
  const keys = ['queryLength', 'keyLength', 'batch', 'heads', 'sets', 'blockSize', 'unit', 'tiles', 'fullTiles', 'columns'] as const;
  const pattern = options<Pattern>(value, 'pattern', keys);
  integer(pattern.queryLength, 'pattern.queryLength', 1, 2 ** 31 - 1);
  integer(pattern.keyLength, 'pattern.keyLength', 0, 2 ** 31 - 1);
  integer(pattern.batch, 'pattern.batch', 1, 2 ** 20);
  integer(pattern.sets, 'pattern.sets', 1, 2 ** 20);
  oneOf(pattern.heads, 'pattern.heads', headSets);
  oneOf(pattern.unit, 'pattern.unit', ['block', 'token']);
  if (!Array.isArray(pattern.blockSize) || pattern.blockSize.length !== 2) {
    throw typeError('ERR_SK_TYPE', `expected pattern.blockSize to be [queries, keys] but received ${describe(pattern.blockSize)}`);
  }
  for (const i of [0, 1]) integer(pattern.blockSize[i], `pattern.blockSize[${i}]`, 1, 2 ** 31 - 1);
  for (const key of ['tiles', 'fullTiles', 'columns'] as const) {
    if (pattern[key] !== undefined) options<Rows>(pattern[key], `pattern.${key}`, ['start', 'count', 'index']);
  }
  return pattern;
}

function flag(value: unknown, name: string): boolean {
  if (typeof value === 'boolean') return value;
  throw typeError('ERR_SK_TYPE', `expected ${name} to be a boolean but received ${describe(value)}`);
}

function finite(value: unknown, name: string): number {
  if (typeof value !== 'number') throw typeError('ERR_SK_TYPE', `expected ${name} to be a number but received ${describe(value)}`);
  if (!Number.isFinite(value)) throw rangeError('ERR_SK_OPTION', `expected ${name} to be finite but received ${value}`);
  return value;
}

function positive(value: unknown, name: string): number {
  if (finite(value, name) > 0) return value as number;
  throw rangeError('ERR_SK_OPTION', `expected ${name} to be above 0 but received ${value}`);
}
