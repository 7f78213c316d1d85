/** The trained gate of SeerAttention: projections of pooled keys, and of queries. */
import { typeError } from '../../errors.js';
import { type Tensor, type TensorLike, tensor } from '../../tensor.js';
import { describe, options } from '../../validate.js';
import { type PoolOptions, pool } from '../pool.js';
import { normedAndRotated, project } from '../project.js';

/** A learned gate: what ranks blocks instead of the keys themselves. */
export interface SeerGate {
  /** Projection of queries, float32 [heads, dim, gateDim]; {@link seerAttention} has gates without it, whose gateDim is dim. */
  readonly query?: TensorLike;
  /**
   * Projection of the greatest, the least and the mean of each block of keys, in this order, float32 [kvHeads, 3 dim, gateDim]. Without
   * `query` each query head may have its own, float32 [heads, 3 dim, dim].
   */
  readonly key: TensorLike;
  /** Weights of an RMS norm of projected queries, float32 [gateDim]; default: none. */
  readonly queryNorm?: Float32Array;
  /** Weights of an RMS norm of projected keys, float32 [gateDim]; default: none. */
  readonly keyNorm?: Float32Array;
  /** Base of the rotary embedding at the first position of each block; default: none. */
  readonly ropeBase?: number;
}

/** Checks a gate's fields; what they hold is checked where it is used. */
export function gateOf(value: unknown, needsQuery: boolean): SeerGate {
  const gate = options<SeerGate>(value, 'gate', ['query', 'key', 'queryNorm', 'keyNorm', 'ropeBase']);
  for (const key of ['query', 'key'] as const) {
    if (key === 'query' && gate.query === undefined && !needsQuery) continue;
    const { dims } = tensor(gate[key] as TensorLike, `gate.${key}`, ['float32']);
    if (dims.length !== 3)
      throw typeError('ERR_SK_TYPE', `expected gate.${key} to be [heads, in, gateDim] but received dims ${describe(dims)}`);
  }
  return gate;
}

/** What the gate makes of queries, pooled or not, at these positions; a gate without a projection works on them in place. */
export async function gateQueries(gate: SeerGate, q: TensorLike, positions: Int32Array): Promise<Tensor> {
  const after = { ...(gate.queryNorm && { norm: gate.queryNorm }), ...rotation(gate, positions) };
  if (gate.query !== undefined) return project(q, gate.query, after);
  const { data, dims } = tensor(q, 'q', ['float32']);
  return normedAndRotated({ type: 'float32', data, dims }, after);
}

/** What the gate makes of one query, [batch, kvHeads, 1, gateDim]: projections of a group are added up before the norm, which is not linear. */
export async function gateGroup(gate: SeerGate, q: TensorLike, kvHeads: number, position: number): Promise<Tensor> {
  const { query, ...after } = gate;
  const { data, dims } = await project(q, query as TensorLike);
  const [batch, heads, , width] = dims as [number, number, number, number];
  const sums = new Float32Array(batch * kvHeads * width);
  for (let i = 0; i < data.length; i++) {
    const to = Math.floor(i / width / (heads / kvHeads)) * width + (i % width);
    sums[to] = (sums[to] as number) + (data[i] as number);
  }
  return gateQueries(after, { data: sums, dims: [batch, kvHeads, 1, width] }, Int32Array.of(position));
}

/** What the gate makes of blocks of keys, the first of which begins at `first`. */
export async function gateKeys(gate: SeerGate, k: TensorLike, poolOptions: Omit<PoolOptions, 'kind'>, first: number): Promise<Tensor> {
  const parts = await Promise.all((['max', 'min', 'mean'] as const).map((kind) => pool(k, { kind, ...poolOptions })));
  const [{ pooled, start }] = parts as [(typeof parts)[0]];
  const [batch, heads, blocks, dim] = pooled.dims as [number, number, number, number];
  const rows = concatenated(
    parts.map((part) => part.pooled.data),
    dim,
  );
  const starts = start.map((token) => first + token);
  const own = gate.query === undefined ? (gate.key.dims[0] as number) : heads; // heads that have a projection: query heads, it may be
  const group = own % heads === 0 ? own / heads : 1;
  const repeated = group === 1 ? rows : repeatedEach(rows, blocks * 3 * dim, group);
  const joined = { data: repeated, dims: [batch, heads * group, blocks, 3 * dim] };
  return project(joined, gate.key, { ...(gate.keyNorm && { norm: gate.keyNorm }), ...rotation(gate, starts) });
}

const rotation = (gate: SeerGate, positions: Int32Array) => (gate.ropeBase === undefined ? {} : { positions, ropeBase: gate.ropeBase });

/** Each part of `size` numbers `times` times. */
function repeatedEach(data: Float32Array, size: number, times: number): Float32Array {
  const result = new Float32Array(data.length * times);
  for (let at = 0; at < result.length; at += size) {
    const from = Math.floor(at / size / times) * size;
    result.set(data.subarray(from, from + size), at);
  }
  return result;
}

/** Rows of several arrays side by side. */
function concatenated(parts: readonly Float32Array[], dim: number): Float32Array {
  const width = parts.length * dim;
  const rows = (parts[0]?.length ?? 0) / dim;
  const joined = new Float32Array(rows * width);
  for (const [i, part] of parts.entries()) {
    for (let row = 0; row < rows; row++) joined.set(part.subarray(row * dim, (row + 1) * dim), row * width + i * dim);
  }
  return joined;
}
