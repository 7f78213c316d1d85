import { rangeError } from '../errors.js';
import type { TensorLike } from '../tensor.js';
import { integer } from '../validate.js';
import type { Calibration } from './calibration.js';
import { type Mask, maskData, matrix, type Pruned, pruned } from './matrix.js';
import { nonNegative, type ParsedScope, parseScope, type Scope } from './scope.js';
import { selectMask } from './select.js';
import { calibrationOf, wandaScores } from './wanda.js';

/** Options of {@link dsnot}, beside the scope. */
export interface DsnotOptions {
  /** Inputs of the layer. */
  readonly calibration: Calibration;
  /** The mask to start from, of the same scope; default: that of {@link wanda}. */
  readonly mask?: Mask;
  /** Most swaps in a row. Default 50. */
  readonly cycles?: number;
  /** A row whose expected error of a token is at most this is left alone. Default 0.1 / 2048: 0.1 for a sample of 2048 tokens. */
  readonly threshold?: number;
  /** Power of the variance in the growing score. Default 1. */
  readonly power?: number;
}

/**
 * DSnoT (Dynamic Sparse no Training): swaps pruned for kept weights, without changing any, to shrink the error that a mask is expected to
 * make in each output. The expected error of a row is `sum of W_ij E[x_j]` over its pruned weights. Each swap grows the pruned weight that
 * reduces it most, by `W_ij E[x_j] / Var[x_j]^power`, and prunes a kept one of smallest Wanda score: for the scope `row` among those whose
 * removal reduces the error, too; for `nm` within the same group. A row ends when its error would change sign or is small.
 *
 * Zhang et al., "Dynamic Sparse No Training: Training-Free Fine-tuning for Sparse LLMs" (ICLR 2024).
 *
 * @param weight - float32 [out, in]; left as it is
 * @param dsnotOptions - a scope (`row` without blocks, or `nm` without bands), `calibration`, and optionally the rest
 * @throws TypeError `ERR_SK_TYPE` / `ERR_SK_DTYPE` / `ERR_SK_BUFFER`, RangeError `ERR_SK_SHAPE` / `ERR_SK_PATTERN` / `ERR_SK_OPTION`
 * @example
 * ```ts
 * import { prune } from 'sparse-kernels';
 * const calibration = new prune.Calibration(4);
 * calibration.add({ data: Float32Array.of(1, 2, 3, 4, 2, 1, 0, 1), dims: [2, 4] });
 * const weight = { data: Float32Array.of(1, -2, 3, -4), dims: [1, 4] };
 * const { mask } = prune.dsnot(weight, { scope: 'row', sparsity: 0.5, calibration });
 * ```
 */
export function dsnot(weight: TensorLike, dsnotOptions: Scope & DsnotOptions): Pruned {
  const scope = parseScope(dsnotOptions, ['calibration', 'mask', 'cycles', 'threshold', 'power']);
  const rowScope = scope.kind === 'row' && scope.block[0] * scope.block[1] === 1;
  if (!rowScope && !(scope.kind === 'nm' && scope.rows === 1)) {
    throw rangeError('ERR_SK_OPTION', 'expected the scope row without blocks, or nm without bands, as swaps are made within one row');
  }
  const cycles = integer(dsnotOptions.cycles ?? 50, 'cycles', 0, 2 ** 31);
  const threshold = nonNegative(dsnotOptions.threshold ?? 0.1 / 2048, 'threshold');
  const power = nonNegative(dsnotOptions.power ?? 1, 'power');
  const w = matrix(weight, 'weight');
  const calibration = calibrationOf(dsnotOptions.calibration, w);
  const scores = wandaScores(w, calibration);
  const start = dsnotOptions.mask && maskData(dsnotOptions.mask, 'mask', w);
  const mask = start ? start.slice() : selectMask(scores, w.rows, w.columns, scope);

  const { mean, variance } = moments(calibration);
  for (let r = 0; r < w.rows; r++) {
    const at = r * w.columns;
    const row = w.data.subarray(at, at + w.columns);
    swapRow({
      mask: mask.subarray(at, at + w.columns),
      effect: Float64Array.from(row, (value, j) => value * (mean[j] as number)),
      grow: (effect, j) => effect / (variance[j] as number) ** power,
      scores: scores.subarray(at, at + w.columns),
      scope,
      cycles,
      threshold,
    });
  }
  return pruned(w, mask);
}

/** Mean and variance over tokens; constant inputs get the smallest variance, so that they sort first rather than as NaN. */
function moments({ sums, squares, tokens }: Calibration) {
  const mean = sums.map((sum) => sum / tokens);
  const variance = squares.map((square, j) => Math.max(square / tokens - (mean[j] as number) ** 2, Number.MIN_VALUE));
  return { mean, variance };
}

interface Row {
  mask: Uint8Array;
  /** W_ij E[x_j]: what leaves the output if the weight goes. */
  effect: Float64Array;
  grow: (effect: number, j: number) => number;
  scores: Float32Array;
  scope: ParsedScope;
  cycles: number;
  threshold: number;
}

/** Weights that the start mask kept may go once, those that it pruned may come back once. */
function swapRow({ mask, effect, grow, scores, scope, cycles, threshold }: Row): void {
  const growth = effect.map(grow);
  const columns = Array.from(mask, (_, j) => j);
  const growable = columns.filter((j) => mask[j] === 0).sort((a, b) => (growth[a] as number) - (growth[b] as number) || a - b);
  const prunable = columns.filter((j) => mask[j] === 1).sort((a, b) => (scores[a] as number) - (scores[b] as number) || a - b);
  let error = growable.reduce((sum, j) => sum + (effect[j] as number), 0);
  const sign = Math.sign(error);

  for (let cycle = 0; cycle < cycles && Math.abs(error) > threshold; cycle++) {
    const grown = error > 0 ? growable.pop() : growable.shift();
    if (grown === undefined || Math.sign(effect[grown] as number) !== Math.sign(error)) return; // no weight left whose return helps
    const group = scope.kind === 'nm' ? Math.floor(grown / scope.m) : undefined;
    const fits = (j: number) =>
      group === undefined ? Math.sign(effect[j] as number) === -Math.sign(error) : Math.floor(j / (scope as { m: number }).m) === group;
    const at = prunable.findIndex(fits);
    if (at < 0) {
      if (group === undefined) return; // no weight left whose removal helps
      continue; // this group has had its swaps
    }
    const gone = prunable.splice(at, 1)[0] as number;
    const after = error + (effect[gone] as number) - (effect[grown] as number);
    if (Math.sign(after) !== sign) return;
    error = after;
    mask[grown] = 1;
    mask[gone] = 0;
  }
}
