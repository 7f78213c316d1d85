import { rangeError } from '../../errors.js';
import { type Tensor, type TensorLike, tensor } from '../../tensor.js';
import { integer } from '../../validate.js';
import { headsOf, type Shape } from '../heads.js';
import { dense, window } from '../patterns.js';
import { plan } from '../plan.js';
import { poolScores } from '../poolscores.js';
import { normedAndRotated, product } from '../project.js';
import { score } from '../score.js';
import { select } from '../select.js';
import type { AttentionResult } from '../types.js';
import { chosenInChunks } from './chunks.js';
import { attend, listPattern } from './common.js';
import type { MethodResult } from './report.js';
import { type MethodOptions, methodOptions, passedTo, shapeOf } from './shape.js';
import { blocksSeen, overlapping, positionsOf, type Windows, windowLimits } from './windows.js';

/** Options of {@link nsa}. Attention is causal, layout `'BHSD'`. */
export interface NsaOptions extends Omit<MethodOptions, 'causal' | 'layout'> {
  /** Compression of a flattened window of keys, float32 [kvHeads, length x dim, dim]. */
  readonly compressKeys: TensorLike;
  /** Of values, likewise. */
  readonly compressValues: TensorLike;
  /** Added to the keys of a window before compression, float32 [kvHeads, length, dim]; default: none. */
  readonly keyPositions?: TensorLike;
  /** Added to the values of a window, likewise. */
  readonly valuePositions?: TensorLike;
  /** Base of the rotary embedding of compressed keys at the first position of their window; default: none. */
  readonly ropeBase?: number;
  /** Tokens of a compressed window, a multiple of `stride`; default 32. */
  readonly length?: number;
  /** Tokens from one window to the next; default 16. */
  readonly stride?: number;
  /** Tokens of a block, a multiple of `stride`; default 64. */
  readonly block?: number;
  /** Blocks of each query and key-value head, forced ones included; default 16. */
  readonly blocks?: number;
  /** The first so many blocks are forced; default 1. */
  readonly initial?: number;
  /** The last so many blocks are forced; default 2. */
  readonly local?: number;
  /** How many keys before its own position the window branch reaches: 512 (default) are 513 keys. */
  readonly span?: number;
}

/** What {@link nsa} gives. */
export interface NsaResult extends Omit<MethodResult, 'lse'> {
  /** The branches before the gates. */
  readonly branches: NsaBranches;
}

/** What {@link nsa} adds up. */
export interface NsaBranches {
  /** Attention to the compressed windows that have ended. */
  readonly compressed: AttentionResult;
  /** Attention to the selected blocks, which `pattern` and `report` are about. */
  readonly selected: AttentionResult;
  /** Attention to the sliding window. */
  readonly window: AttentionResult;
}

/** What {@link nsa} returns. */
export interface Nsa {
  /** gates: float32 [batch, N, 3], after the sigmoid, for the compressed, the selected and the window branch. */
  prefill(q: TensorLike, k: TensorLike, v: TensorLike, gates: TensorLike): Promise<NsaResult>;
}

/**
 * Native sparse attention: three branches, added up with learned gates. Windows of tokens are compressed to one key each; their attention
 * ranks blocks for every query and key-value head; the best blocks and a sliding window are attended to exactly. Importance is summed over
 * the query heads of a group, as in the paper.
 *
 * Yuan et al., "Native Sparse Attention: Hardware-Aligned and Natively Trainable Sparse Attention" (ACL 2025). FSA (Yan et al., 2025)
 * computes the same with the loops exchanged, as the selected branch does where that is faster ({@link Plan.kernel}).
 *
 * @throws TypeError `ERR_SK_TYPE`, RangeError `ERR_SK_OPTION` / `ERR_SK_SHAPE`
 * @example
 * ```ts
 * import { attention } from 'sparse-kernels';
 * const compress = { data: new Float32Array(32 * 8 * 8).fill(1 / 32), dims: [1, 32 * 8, 8] };
 * const method = attention.methods.nsa({ compressKeys: compress, compressValues: compress, blocks: 4, span: 32 });
 * const x = { data: new Float32Array(300 * 8).map(Math.sin), dims: [1, 1, 300, 8] };
 * const gates = { data: new Float32Array(300 * 3).fill(1 / 3), dims: [1, 300, 3] };
 * const { output } = await method.prefill(x, x, x, gates);
 * ```
 */
export function nsa(nsaOptions: NsaOptions): Nsa {
  const known = ['compressKeys', 'compressValues', 'keyPositions', 'valuePositions', 'ropeBase', 'length', 'stride', 'block'] as const;
  const more = ['blocks', 'initial', 'local', 'span'] as const;
  const o = methodOptions<NsaOptions & { causal?: never; layout?: never }>(nsaOptions, [...known, ...more], ['causal', 'layout']);
  const w = windowsOf(o);
  const [topK, sink, local] = [
    integer(o.blocks ?? 16, 'blocks', 1, 2 ** 20),
    integer(o.initial ?? 1, 'initial', 0, 2 ** 20),
    integer(o.local ?? 2, 'local', 0, 2 ** 20),
  ];
  const span = integer(o.span ?? 512, 'span', 0, 2 ** 30);
  return {
    prefill: async (q, k, v, gates) => {
      const s = shapeOf(q, k);
      const windows = s.keys < w.length ? 0 : Math.floor((s.keys - w.length) / w.stride) + 1;
      const keys = await compressed(k, o.compressKeys, o.keyPositions, w, windows, o.ropeBase);
      const values = await compressed(v, o.compressValues, o.valuePositions, w, windows, undefined);
      const coarse = await coarseAttention(q, keys, values, s, w, windows, o);

      const [seen, limit] = [blocksSeen(s, w), windowLimits(s, w, windows)];
      const lists = await chosenInChunks(q, s, s.kvHeads, s.batch * s.kvHeads * windows, async (queries, first, n) => {
        const importance = await score(queries, keys, {
          kind: 'softmax',
          group: 'sum',
          limit: limit.subarray(first, first + n),
          ...scaleOf(o),
          ...passedTo(o),
        });
        const blocks = Math.ceil(s.keys / w.block);
        const ranked = poolScores(importance, { ...overlapping(w), weights: overlaps(w), windows: blocks });
        return select(ranked, { topK, limit: seen.subarray(first, first + n), force: { sink, local }, ...passedTo(o) });
      });
      const pattern = listPattern(s, lists, [1, w.block], 'kv', s.kvHeads);
      const rules = { ...o, causal: true };
      const selected = await attend(q, k, v, pattern, rules);
      const near = await attend(q, k, v, window({ queryLength: s.queries, keyLength: s.keys, window: span + 1 }), rules, {
        window: span + 1,
      });
      const output = gated([coarse, selected, near], gates, s);
      const { density, report } = selected;
      return { output, pattern, density, report, branches: { compressed: coarse, selected, window: near } };
    },
  };
}

const scaleOf = (o: MethodOptions) => (o.scale === undefined ? {} : { scale: o.scale });

function windowsOf(o: Pick<NsaOptions, 'length' | 'stride' | 'block'>): Windows {
  const stride = integer(o.stride ?? 16, 'stride', 1, 2 ** 20);
  const [length, block] = [integer(o.length ?? 32, 'length', 1, 2 ** 20), integer(o.block ?? 64, 'block', 1, 2 ** 20)];
  if (length % stride === 0 && block % stride === 0) return { length, stride, block };
  throw rangeError('ERR_SK_OPTION', `expected length and block to be multiples of stride but received ${length}, ${block} and ${stride}`);
}

/** How many (token of the block, token of the window) strides meet for each window that overlaps a block: 1 2 2 2 1 for 32, 16, 64. */
function overlaps(w: Windows): Float32Array {
  const weights = new Float32Array(overlapping(w).size);
  for (let m = 0; m < w.length / w.stride; m++) {
    for (let n = 0; n < w.block / w.stride; n++) weights[m + n] = (weights[m + n] as number) + 1;
  }
  return weights;
}

/** One row for each window: its tokens, read as one row where they lie, times the matrix. What positions add is a product, too, of its own. */
async function compressed(
  x: TensorLike,
  weight: TensorLike,
  positions: TensorLike | undefined,
  w: Windows,
  windows: number,
  ropeBase: number | undefined,
): Promise<Tensor> {
  const tokens = headsOf(x, 'x', 'BHSD');
  const { heads, dim } = tokens;
  const [byBatch, byHead] = tokens.strides as unknown as [number, number];
  const flat = { ...tokens, tokens: windows, dim: w.length * dim, strides: Int32Array.of(byBatch, byHead, w.stride * dim) };
  const rows = await product(flat, weight);
  if (positions !== undefined) {
    const { data, dims } = tensor(positions, 'positions', ['float32']);
    if (data.length !== heads * flat.dim) {
      throw rangeError('ERR_SK_SHAPE', `expected positions to be [${heads}, ${w.length}, ${dim}] but received dims [${dims}]`);
    }
    const added = await product(headsOf({ data, dims: [1, heads, 1, flat.dim] }, 'positions', 'BHSD'), weight);
    const width = rows.dims[3] as number;
    for (let row = 0; row < rows.data.length / width; row++) {
      const from = (Math.floor(row / windows) % heads) * width;
      for (let c = 0; c < width; c++)
        rows.data[row * width + c] = (rows.data[row * width + c] as number) + (added.data[from + c] as number);
    }
  }
  const starts = Int32Array.from({ length: windows }, (_, j) => j * w.stride);
  return normedAndRotated(rows, ropeBase === undefined ? {} : { positions: starts, ropeBase });
}

/** Attention to the windows that have ended; a query without any has 0. */
async function coarseAttention(q: TensorLike, keys: Tensor, values: Tensor, s: Shape, w: Windows, windows: number, o: MethodOptions) {
  using attention = plan({
    ...passedTo(o),
    ...scaleOf(o),
    pattern: dense({ queryLength: s.queries, keyLength: windows }),
    batch: s.batch,
    heads: s.heads,
    kvHeads: s.kvHeads,
    headDim: s.dim,
    causal: true,
  });
  const keyPositions = Int32Array.from({ length: windows }, (_, j) => j * w.stride + w.length - 1);
  return attention.run(q, keys, values, { queryPositions: positionsOf(s), keyPositions });
}

/** Sum of the branches, each times its gate. */
function gated(branches: readonly AttentionResult[], gates: TensorLike, s: Shape): Tensor {
  const { data, dims } = tensor(gates, 'gates', ['float32']);
  if (data.length !== s.batch * s.queries * branches.length) {
    throw rangeError('ERR_SK_SHAPE', `expected gates to be [${s.batch}, ${s.queries}, 3] but received dims [${dims}]`);
  }
  const sum = new Float32Array(s.batch * s.heads * s.queries * s.dim);
  for (const [branch, { output }] of branches.entries()) {
    for (let i = 0; i < sum.length; i++) {
      const row = Math.floor(i / s.dim);
      const token = Math.floor(row / s.queries / s.heads) * s.queries + (row % s.queries);
      sum[i] = (sum[i] as number) + (data[token * branches.length + branch] as number) * (output.data[i] as number);
    }
  }
  return { type: 'float32', data: sum, dims: [s.batch, s.heads, s.queries, s.dim] };
}
