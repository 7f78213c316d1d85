import { rangeError, typeError } from '../../errors.js';
import type { TensorLike } from '../../tensor.js';
import { describe, integer, oneOf } from '../../validate.js';
import type { Shape } from '../heads.js';
import { band, dense, fromMask } from '../patterns.js';
import type { Pattern } from '../types.js';
import { joined, type PrefillMethod, prefillMethod, rowsFrom } from './common.js';
import { type MethodOptions, methodOptions } from './shape.js';

/** The mode of a head. */
export interface VditHead {
  /**
   * - `dense`: everything
   * - `skip`: nothing, the output is 0
   * - `diagonal`: the keys at most `width` away
   * - `multiDiagonal`: keys at most `width` away from any multiple of `period`
   * - `vertical`: `keys`, for all queries
   */
  readonly mode: 'dense' | 'skip' | 'diagonal' | 'multiDiagonal' | 'vertical';
  /** Tokens to both sides of a diagonal, rounded up to blocks. */
  readonly width?: number;
  /** Tokens from one diagonal to the next: those of a frame. */
  readonly period?: number;
  /** The keys of `vertical`, each once. */
  readonly keys?: ArrayLike<number>;
}

/** Options of {@link sparseVdit}. Attention is not causal unless asked for. */
export interface SparseVditOptions extends MethodOptions {
  /** The mode of each head of a layer, as an offline search found it. */
  readonly heads: readonly VditHead[];
  /** Tokens of a query and of a key block; default [64, 64]. */
  readonly blockSize?: readonly [queries: number, keys: number];
}

/**
 * Sparse-vDiT: the heads of video diffusion transformers follow a few patterns, found offline for each head. Whole blocks are
 * computed, so a band may be wider than asked for.
 *
 * Chen et al., "Sparse-vDiT: Unleashing the Power of Sparse Attention to Accelerate Video Diffusion Transformers" (2025); the authors'
 * search and code are not public.
 *
 * @throws TypeError `ERR_SK_TYPE`, RangeError `ERR_SK_OPTION` / `ERR_SK_SHAPE`
 * @example
 * ```ts
 * import { attention } from 'sparse-kernels';
 * const x = { data: new Float32Array(2 * 512 * 8), dims: [1, 2, 512, 8] };
 * const heads = [{ mode: 'diagonal', width: 64 }, { mode: 'multiDiagonal', width: 16, period: 128 }] as const;
 * const { output } = await attention.methods.sparseVdit({ heads }).prefill(x, x, x);
 * ```
 */
export function sparseVdit(vditOptions: SparseVditOptions): PrefillMethod {
  const o = { causal: false, ...methodOptions<SparseVditOptions>(vditOptions, ['heads', 'blockSize']) };
  if (!Array.isArray(o.heads)) throw rangeError('ERR_SK_OPTION', `expected heads to be a list of modes but received ${describe(o.heads)}`);
  const blockSize = o.blockSize ?? ([64, 64] as const);
  const choose = async (_q: TensorLike, _k: TensorLike, s: Shape) => {
    if (o.heads.length !== s.heads) throw rangeError('ERR_SK_SHAPE', `expected ${s.heads} heads but received ${o.heads.length}`);
    const patterns = o.heads.map((head, h) => patternOf(head, h, s, blockSize));
    return joined(Array.from({ length: s.batch }, () => patterns).flat(), s);
  };
  return prefillMethod(o, choose, { validate: true }); // keys are the caller's
}

function patternOf(head: VditHead, h: number, s: Shape, blockSize: readonly [number, number]): Pattern {
  const size = { queryLength: s.queries, keyLength: s.keys, blockSize };
  if (typeof head !== 'object' || head === null)
    throw typeError('ERR_SK_TYPE', `expected heads[${h}] to be a mode but received ${describe(head)}`);
  switch (oneOf(head.mode, `heads[${h}].mode`, ['dense', 'skip', 'diagonal', 'multiDiagonal', 'vertical'])) {
    case 'dense':
      return dense(size);
    case 'vertical': {
      const { keys } = head;
      if (keys === undefined) throw rangeError('ERR_SK_OPTION', `expected heads[${h}] to have keys`);
      const rows = Math.ceil(s.queries / blockSize[0]);
      return { ...dense({ ...size, keyLength: 0 }), keyLength: s.keys, columns: rowsFrom(Array.from({ length: rows }, () => keys)) };
    }
    case 'diagonal': {
      const width = integer(head.width, `heads[${h}].width`, 0, 2 ** 30);
      return band({ ...size, before: width, after: width });
    }
    case 'multiDiagonal':
      return diagonals(head, h, s, blockSize);
    default:
      return { ...dense({ ...size, keyLength: 0 }), keyLength: s.keys };
  }
}

/** Blocks that any of the bands touches. */
function diagonals(head: VditHead, h: number, s: Shape, [bq, bk]: readonly [number, number]): Pattern {
  const width = integer(head.width, `heads[${h}].width`, 0, 2 ** 30);
  const period = integer(head.period, `heads[${h}].period`, 1, 2 ** 30);
  const [rows, columns] = [Math.ceil(s.queries / bq), Math.ceil(s.keys / bk)];
  const mask = new Uint8Array(rows * columns);
  const shift = s.keys - s.queries;
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) {
      // Distances query - key that occur in the block; is one of them near a multiple of the period?
      const least = i * bq + shift - Math.min((j + 1) * bk, s.keys) + 1 - width;
      const most = Math.min((i + 1) * bq, s.queries) - 1 + shift - j * bk + width;
      if (Math.floor(most / period) * period >= least) mask[i * columns + j] = 1;
    }
  }
  return fromMask(mask, { queryLength: s.queries, keyLength: s.keys, blockSize: [bq, bk] });
}
