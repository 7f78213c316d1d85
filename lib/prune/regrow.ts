/** Dynamic sparse training: a sparse network drops some connections and grows as many others, again and again. */
import { topKMask } from '../select.js';
import type { TensorLike } from '../tensor.js';
import { integer, options } from '../validate.js';
import { type Mask, type Matrix, maskData, matrix, matrixLike, newMask } from './matrix.js';
import { generator } from './random.js';
import { fraction } from './scope.js';
import { comparable } from './select.js';

/** What {@link set} and {@link rigl} did. */
export interface Regrown {
  /** The new mask, with as many ones as the old. */
  readonly mask: Mask;
  /** Places (row-major) that are new: their weights are 0 now, and their moments in the optimizer should be. */
  readonly grown: Int32Array;
  /** Places that are gone: their weights are 0 now. */
  readonly dropped: Int32Array;
}

/** Tensors of {@link set}. */
export interface SetTensors {
  /** float32 [out, in]; dropped and grown weights become 0 in place. */
  readonly weight: TensorLike;
  /** Which connections exist. */
  readonly mask: Mask;
}

/** Options of {@link set}. */
export interface SetOptions {
  /** Fraction of the connections to exchange, in [0, 1). Default 0.3. */
  readonly fraction?: number;
  /** Of the random choice, an integer from 0 to 2^32 - 1. Default 0; take another one each time. */
  readonly seed?: number;
}

/**
 * One update of SET, sparse evolutionary training, usually after each epoch: the smallest positive and the largest negative weights go, the
 * given fraction of each sign, and as many connections grow at random. NaN goes like 0.
 *
 * Mocanu et al., "Scalable training of artificial neural networks with adaptive sparse connectivity inspired by network science" (2018).
 *
 * @throws TypeError `ERR_SK_TYPE` / `ERR_SK_DTYPE` / `ERR_SK_BUFFER`, RangeError `ERR_SK_SHAPE` / `ERR_SK_OPTION`
 * @example
 * ```ts
 * import { prune } from 'sparse-kernels';
 * const { weight, mask } = prune.random({ data: new Float32Array(64).fill(1), dims: [8, 8] }, { scope: 'global', sparsity: 0.8 });
 * for (let epoch = 0; epoch < 3; epoch++) prune.set({ weight, mask }, { seed: epoch }); // after the steps of the epoch
 * ```
 */
export function set(tensors: SetTensors, setOptions: SetOptions = {}): Regrown {
  const t = options<SetTensors>(tensors, 'tensors', ['weight', 'mask']);
  const o = options<SetOptions>(setOptions, 'options', ['fraction', 'seed']);
  const share = fraction(o.fraction ?? 0.3, 'fraction');
  const next = generator(o.seed);
  const weight = matrix(t.weight, 'weight');
  const mask = maskData(t.mask, 'mask', weight);
  const kept = mask.slice();
  const nearness = comparable(weight.data.map((value) => -Math.abs(value) || 0)); // NaN goes like 0, before all others
  for (const negative of [false, true]) {
    const ofSign = (i: number) => mask[i] === 1 && (weight.data[i] as number) < 0 === negative;
    const scores = nearness.map((score, i) => (ofSign(i) ? score : -Infinity));
    const count = scores.reduce((sum, score) => sum + (score > -Infinity ? 1 : 0), 0);
    mark(kept, scores, Math.floor(count * share), 0);
  }
  return grow(weight, mask, kept, weight.data.map(next));
}

/** Tensors of {@link rigl}. */
export interface RiglTensors extends SetTensors {
  /** float32 [out, in]: of the loss by all weights, connected or not. */
  readonly gradient: TensorLike;
}

/** Options of {@link rigl}. */
export interface RiglOptions {
  /** Fraction of the connections to exchange, in [0, 1): {@link riglFraction}. */
  readonly fraction: number;
}

/**
 * One update of RigL, usually every 100 steps: the connections of smallest magnitude go, and as many grow where the gradient is largest. A
 * connection that would go and come back stays as it is.
 *
 * Evci et al., "Rigging the Lottery: Making All Tickets Winners" (ICML 2020).
 *
 * @throws TypeError `ERR_SK_TYPE` / `ERR_SK_DTYPE` / `ERR_SK_BUFFER`, RangeError `ERR_SK_SHAPE` / `ERR_SK_OPTION`
 * @example
 * ```ts
 * import { prune } from 'sparse-kernels';
 * const weight = { data: Float32Array.of(5, 1, 0, 0), dims: [1, 4] };
 * const mask: prune.Mask = { type: 'uint8', data: Uint8Array.of(1, 1, 0, 0), dims: [1, 4] };
 * const gradient = { data: Float32Array.of(0, 0, 3, -9), dims: [1, 4] };
 * prune.rigl({ weight, mask, gradient }, { fraction: 0.5 }).mask.data; // Uint8Array [1, 0, 0, 1]
 * ```
 */
export function rigl(tensors: RiglTensors, riglOptions: RiglOptions): Regrown {
  const t = options<RiglTensors>(tensors, 'tensors', ['weight', 'mask', 'gradient']);
  const share = fraction(options<RiglOptions>(riglOptions, 'options', ['fraction']).fraction, 'fraction');
  const weight = matrix(t.weight, 'weight');
  const mask = maskData(t.mask, 'mask', weight);
  const { data: gradient } = matrixLike(t.gradient, 'gradient', weight);
  const count = mask.reduce((sum, one) => sum + one, 0);
  const kept = new Uint8Array(mask.length);
  const magnitudes = comparable(weight.data.map(Math.abs)).map((value, i) => (mask[i] === 1 ? value : -Infinity));
  mark(kept, magnitudes, count - Math.floor(count * share), 1);
  return grow(weight, mask, kept, gradient.map(Math.abs));
}

/** Options of {@link riglFraction}. */
export interface RiglFractionOptions {
  /** Step from which on nothing changes any more; usual: 75 % of training. */
  readonly end: number;
  /** Fraction at step 0, in [0, 1). Default 0.3. */
  readonly initial?: number;
}

/**
 * The fraction of connections that RigL exchanges at a step: a cosine from `initial` to 0.
 *
 * Evci et al. (ICML 2020), see {@link rigl}.
 *
 * @param step - training step, from 0
 * @throws TypeError `ERR_SK_TYPE`, RangeError `ERR_SK_OPTION`
 * @example
 * ```ts
 * import { prune } from 'sparse-kernels';
 * prune.riglFraction(500, { end: 1000 }); // 0.15
 * ```
 */
export function riglFraction(step: number, riglFractionOptions: RiglFractionOptions): number {
  const o = options<RiglFractionOptions>(riglFractionOptions, 'options', ['end', 'initial']);
  const end = integer(o.end, 'end', 1, Number.MAX_SAFE_INTEGER);
  const initial = fraction(o.initial ?? 0.3, 'initial');
  const now = integer(step, 'step', 0, Number.MAX_SAFE_INTEGER);
  return now >= end ? 0 : (initial / 2) * (1 + Math.cos((Math.PI * now) / end));
}

/** Gives the k places of the largest scores a value; -Infinity is no candidate. */
function mark(mask: Uint8Array, scores: Float32Array, k: number, value: number): void {
  if (k === 0) return;
  topKMask({ data: scores, rows: 1, columns: scores.length }, { k }).forEach((one, i) => {
    if (one === 1) mask[i] = value;
  });
}

/** Fills the kept connections up to the old number by the largest scores, and clears what is new or gone. */
function grow(weight: Matrix, old: Uint8Array, kept: Uint8Array, scores: Float32Array): Regrown {
  const ones = (mask: Uint8Array) => mask.reduce((sum, one) => sum + one, 0);
  const mask = kept.slice();
  const candidates = comparable(scores).map((score, i) => (kept[i] === 1 ? -Infinity : score));
  mark(mask, candidates, ones(old) - ones(kept), 1);
  const places = [...mask.keys()];
  const grown = Int32Array.from(places.filter((i) => mask[i] === 1 && old[i] === 0));
  const dropped = Int32Array.from(places.filter((i) => mask[i] === 0 && old[i] === 1));
  for (const i of [...grown, ...dropped]) weight.data[i] = 0;
  return { mask: newMask(mask, weight), grown, dropped };
}
