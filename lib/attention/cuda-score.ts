import { DeviceTensor } from '../device-tensor.js';
import { rangeError } from '../errors.js';
import { native } from '../native.js';
import type { StreamOption } from '../stream.js';
import { describe, oneOf, options } from '../validate.js';
import { carried, type DeviceHeads, deviceHeads, deviceTensor, enqueue } from './cuda-call.js';
import type { Shape } from './heads.js';
import { checkTiles, expectPair, groups, type ScoreOptions } from './scoring.js';
import type { Layout } from './types.js';

/** In the order of enum ScoreCudaKind in native/score/cuda/score.h. */
const kinds = ['dot', 'softmax', 'minmax', 'max', 'mass', 'lines'] as const;

/** Options of `attention.score` for tensors on a device. */
export interface CudaScoreOptions extends Omit<ScoreOptions, 'limit' | 'lse' | 'channels' | 'isa' | 'threads'>, StreamOption {
  /** Query i sees the keys below limit[i] only, int32 [queries]; cut to what there is. */
  readonly limit?: Int32Array | DeviceTensor<'int32'>;
  /** For `mass`: log-sum-exp of each query, float32 [batch, heads, queries], as attention returns it. */
  readonly lse?: DeviceTensor;
}

const known = ['scale', 'layout', 'signal', 'stream', 'kind', 'limit', 'causal', 'blockSize', 'lse', 'group'] as const;

export async function scoreOnDevice(q: DeviceTensor, k: DeviceTensor, scoreOptions: CudaScoreOptions): Promise<DeviceTensor<'float32'>> {
  const o = options<CudaScoreOptions>(scoreOptions, 'options', known);
  const kind = oneOf(o.kind ?? 'dot', 'kind', ['dot', 'softmax', 'minmax', 'max', 'mass']);
  const group = oneOf(o.group ?? 'none', 'group', groups);
  const shape = devicePair(q, k, o.layout, kind === 'minmax');
  const { batch, heads, kvHeads, queries, keys } = shape;
  const [blockQ, blockK] = checkTiles(o, kind, group);
  const lse = o.lse && deviceTensor(o.lse, 'lse', ['float32'], batch * heads * queries);
  if (o.causal && o.limit !== undefined) throw rangeError('ERR_SK_OPTION', 'expected either limit or causal');
  const sizes = { ...scoreCall(shape, kind, o.scale), causal: o.causal ?? false, group: groups.indexOf(group), blockQ, blockK };
  return carried(o.limit, 'limit', [queries], o.stream, async (limit) => {
    const dims = [batch, group === 'none' ? heads : kvHeads, Math.ceil(queries / blockQ), Math.ceil(keys / blockK)];
    const out = new DeviceTensor('float32', dims, o.stream);
    await enqueue(o, { out }, { q, k, limit, lse }, (arrays, call) => native.scoreCuda({ ...sizes, ...arrays }, call));
    return out;
  });
}

/** Sizes of q and k on a device. */
export interface DevicePair extends Shape {
  readonly qType: number;
  readonly kType: number;
  readonly tokensOutside: boolean;
}

/** q and k, checked; k may be pages [batch, heads, pages, 2, dim]. */
export function devicePair(q: DeviceTensor, k: DeviceTensor, layout: Layout | undefined, pages: boolean): DevicePair {
  const a = deviceHeads(q, 'q', layout);
  const b = pages ? devicePages(k) : deviceHeads(k, 'k', layout);
  expectPair(q, a, k, b);
  const { batch, heads, dim, tokensOutside } = a;
  const sizes = { batch, heads, kvHeads: b.heads, queries: a.tokens, keys: b.tokens, dim };
  return { ...sizes, qType: a.type, kType: b.type, tokensOutside };
}

function devicePages(k: DeviceTensor): DeviceHeads {
  deviceTensor(k, 'k', ['float32', 'float16', 'bfloat16']);
  const [batch = 0, heads = 0, pages = 0, two, dim = 0] = k.dims;
  if (k.dims.length !== 5 || two !== 2) {
    throw rangeError('ERR_SK_SHAPE', `expected k to be [batch, heads, pages, 2, dim] but received dims ${describe(k.dims)}`);
  }
  const type = ['float32', 'float16', 'bfloat16'].indexOf(k.type);
  return { type, batch, heads, tokens: pages, dim, tokensOutside: false };
}

/** What all kinds of scores hand to the addon. */
export function scoreCall(shape: DevicePair, kind: (typeof kinds)[number], scale: number | undefined) {
  if (scale !== undefined && !(typeof scale === 'number' && Number.isFinite(scale))) {
    throw rangeError('ERR_SK_OPTION', `expected scale to be a finite number but received ${describe(scale)}`);
  }
  const rest = { causal: false, group: 0, blockQ: 1, blockK: 1, lastQueries: undefined as number | undefined };
  return { ...shape, kind: kinds.indexOf(kind), scale: scale ?? 1 / Math.sqrt(shape.dim), ...rest };
}
