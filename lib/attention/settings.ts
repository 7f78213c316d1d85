/** The options of a plan, checked, as the addon takes them. What the lists hold is checked natively. */
import type { NativeAttendOptions, NativeListCapacity } from '../../types/attention.js';
import { isaOption } from '../device.js';
import { rangeError, typeError } from '../errors.js';
import { describe, flag, integer, oneOf, options } from '../validate.js';
import { checkPattern, headSets, type listKinds } from './check.js';
import type { CudaPattern, CudaPlanOptions, Layout, ListCapacity, PlanOptions, Rows } from './types.js';

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
/** What a plan says of itself. */
export interface PlanFields {
  readonly pattern: CudaPattern;
  readonly batch: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly layout: Layout;
  readonly dtype: 'float32' | 'float16' | 'bfloat16';
}

interface Settings {
  fields: PlanFields;
  settings: NativeAttendOptions;
  capacity: NativeListCapacity;
}

export function settingsOf(planOptions: PlanOptions | CudaPlanOptions): Settings {
  const onCuda = planOptions?.device === 'cuda'; // which has no isa and no threads to choose, and skips nothing
  const keys = onCuda ? planKeys.filter((key) => key !== 'isa' && key !== 'threads' && key !== 'pvSkip') : planKeys;
  const o = options<PlanOptions>(planOptions as PlanOptions, 'options', keys);
  if (!onCuda && o.device !== undefined) oneOf(o.device, 'device', ['cpu', 'cuda']);
  const fields = fieldsOf(o, onCuda);
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
    ...lists(pattern),
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
  return { fields, settings, capacity: capacityOf(pattern) };
}

/** The lists that the plan has. */
function lists(pattern: CudaPattern): Pick<NativeAttendOptions, (typeof listKinds)[number]> {
  const planned = (list: Rows | ListCapacity | undefined) => (list && 'capacity' in list ? undefined : list);
  return { tiles: planned(pattern.tiles), fullTiles: planned(pattern.fullTiles), columns: planned(pattern.columns) };
}

/** The room of lists that runs bring. */
function capacityOf(pattern: CudaPattern): NativeListCapacity {
  const room = (list: Rows | ListCapacity | undefined) => (list && 'capacity' in list ? list.capacity : undefined);
  return { tiles: room(pattern.tiles), fullTiles: room(pattern.fullTiles), columns: room(pattern.columns) };
}

function fieldsOf(o: PlanOptions, onCuda: boolean): PlanFields {
  const pattern = checkPattern(o.pattern, 'pattern', onCuda);
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

function finite(value: unknown, name: string): number {
  if (typeof value !== 'number') throw typeError('ERR_SK_TYPE', `expected ${name} to be a number but received ${describe(value)}`);
  if (!Number.isFinite(value)) throw rangeError('ERR_SK_OPTION', `expected ${name} to be finite but received ${value}`);
  return value;
}

function positive(value: unknown, name: string): number {
  if (finite(value, name) > 0) return value as number;
  throw rangeError('ERR_SK_OPTION', `expected ${name} to be above 0 but received ${value}`);
}
