/** CAST: dense training that ends in an N:M weight, as weights outside the mask decay to 0. */
import { rangeError } from '../errors.js';
import { allocate, type Tensor, type TensorLike } from '../tensor.js';
import { describe, integer, options } from '../validate.js';
import { type Mask, type Matrix, maskData, matrix, matrixLike } from './matrix.js';
import { fraction, nonNegative } from './scope.js';

/** What {@link adamS} updates and from what. All but the mask are float32 [out, in]. */
export interface AdamSTensors {
  /** The weight; changed in place. */
  readonly weight: TensorLike;
  /** Gradient of the loss by the weight. */
  readonly gradient: TensorLike;
  /** The magnitude N:M mask, renewed every 10 steps. */
  readonly mask: Mask;
  /** First moments, zeros at the beginning; changed in place. */
  readonly first: TensorLike;
  /** Second moments, zeros at the beginning; changed in place. */
  readonly second: TensorLike;
}

/** Options of {@link adamS}. */
export interface AdamSOptions {
  /** This step, from 0. */
  readonly step: number;
  /** Steps of the training: the decay grows up to the last one. */
  readonly steps: number;
  /** Learning rate. */
  readonly rate: number;
  /** Strength of the L1 decay. Default 4e-7, the value for LLaMA2. */
  readonly lambda?: number;
  /** Decay of the moments. Default [0.9, 0.999]. */
  readonly betas?: readonly [number, number];
  /** Keeps the quotient finite. Default 1e-8. */
  readonly epsilon?: number;
}

/**
 * One step of AdamS, the optimizer of CAST. With `a = step / steps`, the momentum of a weight outside the mask becomes
 * `(1 - a) first + a lambda sign(w)`, that of the others stays; second moments are of that sum, so that the decay is as strong for weights
 * of large gradients as for others. The forward pass is dense all the time.
 *
 * Huang et al., "CAST: Continuous and Differentiable Semi-Structured Sparsity-Aware Training for Large Language Models" (2025), Algorithm 1.
 *
 * @throws TypeError `ERR_SK_TYPE` / `ERR_SK_DTYPE` / `ERR_SK_BUFFER`, RangeError `ERR_SK_SHAPE` / `ERR_SK_OPTION`
 * @example
 * ```ts
 * import { prune } from 'sparse-kernels';
 * const zeros = () => ({ data: new Float32Array(4), dims: [1, 4] });
 * const weight = { data: Float32Array.of(1, -2, 3, -4), dims: [1, 4] };
 * const { mask } = prune.magnitude(weight, { scope: 'nm', pattern: '2:4' });
 * const [gradient, first, second] = [zeros(), zeros(), zeros()];
 * prune.adamS({ weight, gradient, mask, first, second }, { step: 500, steps: 1000, rate: 1e-3 });
 * ```
 */
export function adamS(tensors: AdamSTensors, adamSOptions: AdamSOptions): void {
  const t = options<AdamSTensors>(tensors, 'tensors', ['weight', 'gradient', 'mask', 'first', 'second']);
  const o = options<AdamSOptions>(adamSOptions, 'options', ['step', 'steps', 'rate', 'lambda', 'betas', 'epsilon']);
  const steps = integer(o.steps, 'steps', 1, Number.MAX_SAFE_INTEGER);
  const step = integer(o.step, 'step', 0, Number.MAX_SAFE_INTEGER);
  const rate = nonNegative(o.rate, 'rate');
  const lambda = nonNegative(o.lambda ?? 4e-7, 'lambda');
  const epsilon = nonNegative(o.epsilon ?? 1e-8, 'epsilon');
  const [beta1, beta2] = [fraction(o.betas?.[0] ?? 0.9, 'betas[0]'), fraction(o.betas?.[1] ?? 0.999, 'betas[1]')];
  const weight = matrix(t.weight, 'weight');
  const { data: w } = weight;
  const { data: g } = matrixLike(t.gradient, 'gradient', weight);
  const { data: first } = matrixLike(t.first, 'first', weight);
  const { data: second } = matrixLike(t.second, 'second', weight);
  const mask = maskData(t.mask, 'mask', weight);

  const decay = Math.min(step / steps, 1);
  const [correction1, correction2] = [1 - beta1 ** (step + 1), 1 - beta2 ** (step + 1)];
  for (let i = 0; i < w.length; i++) {
    const momentum = beta1 * (first[i] as number) + (1 - beta1) * (g[i] as number);
    const value = w[i] as number;
    const moved = mask[i] === 1 ? momentum : (1 - decay) * momentum + decay * lambda * Math.sign(value);
    const variance = beta2 * (second[i] as number) + (1 - beta2) * moved * moved;
    first[i] = momentum;
    second[i] = variance;
    w[i] = value - (rate * (moved / correction1)) / (Math.sqrt(variance / correction2) + epsilon);
  }
}

/**
 * The forward weight of CAST's weight scaling, which makes up for the magnitude that decay takes: each row is cut into as many parts of
 * equal width as `scale` has columns, and each part is multiplied with its own trained factor (all 1 at the beginning). Zeros stay zero, so
 * at the end `prune.apply(prune.scaleWeight(weight, scale), mask)` is the plain N:M weight.
 *
 * Huang et al. (2025), see {@link adamS}; two parts for LLaMA.
 *
 * @param weight - float32 [out, in]; left as it is
 * @param scale - float32 [out, parts]; parts divides in
 * @returns a new float32 [out, in]
 * @throws TypeError `ERR_SK_TYPE` / `ERR_SK_DTYPE` / `ERR_SK_BUFFER`, RangeError `ERR_SK_SHAPE`
 * @example
 * ```ts
 * import { prune } from 'sparse-kernels';
 * const weight = { data: Float32Array.of(1, 2, 3, 4), dims: [1, 4] };
 * prune.scaleWeight(weight, { data: Float32Array.of(1, 10), dims: [1, 2] }).data; // Float32Array [1, 2, 30, 40]
 * ```
 */
export function scaleWeight(weight: TensorLike, scale: TensorLike): Tensor {
  const w = matrix(weight, 'weight');
  const { factors, part } = scaleOf(scale, w);
  const data = allocate('float32', w.data.length, 'the scaled weight');
  for (let i = 0; i < data.length; i++) data[i] = (w.data[i] as number) * (factors[Math.floor(i / part)] as number);
  return { type: 'float32', data, dims: [...w.dims] };
}

/** The gradients of {@link scaleWeight}. */
export interface ScaleGradients {
  /** Of the loss by the weight, float32 [out, in]. */
  readonly weight: Tensor;
  /** Of the loss by the scale, float32 [out, parts]. */
  readonly scale: Tensor;
}

/**
 * From the gradient by the scaled weight to those by weight and scale.
 *
 * @param weight - float32 [out, in], as it was scaled
 * @param scale - float32 [out, parts]
 * @param gradient - float32 [out, in]: of the loss by the scaled weight
 * @throws TypeError `ERR_SK_TYPE` / `ERR_SK_DTYPE` / `ERR_SK_BUFFER`, RangeError `ERR_SK_SHAPE`
 * @example
 * ```ts
 * import { prune } from 'sparse-kernels';
 * const tensor = (...data: number[]) => ({ data: Float32Array.from(data), dims: [1, data.length] });
 * const gradients = prune.scaleGradients(tensor(1, 2, 3, 4), tensor(1, 10), tensor(1, 1, 1, 1));
 * [gradients.weight.data, gradients.scale.data]; // [1, 1, 10, 10] and [3, 7]
 * ```
 */
export function scaleGradients(weight: TensorLike, scale: TensorLike, gradient: TensorLike): ScaleGradients {
  const w = matrix(weight, 'weight');
  const { factors, part } = scaleOf(scale, w);
  const { data: g } = matrixLike(gradient, 'gradient', w);
  const sums = new Float64Array(factors.length);
  for (let i = 0; i < g.length; i++) {
    const at = Math.floor(i / part);
    sums[at] = (sums[at] as number) + (g[i] as number) * (w.data[i] as number);
  }
  return {
    weight: scaleWeight({ data: g, dims: w.dims }, scale),
    scale: { type: 'float32', data: Float32Array.from(sums), dims: [w.rows, w.columns / part] },
  };
}

/** The factors, and how many neighbouring weights share one. */
function scaleOf(scale: TensorLike, { rows, columns }: Matrix): { factors: Float32Array; part: number } {
  const { data, dims, rows: scaleRows, columns: parts } = matrix(scale, 'scale');
  if (scaleRows === rows && parts > 0 && columns % parts === 0) return { factors: data, part: columns / parts };
  throw rangeError('ERR_SK_SHAPE', `expected scale to be [${rows}, a divisor of ${columns}] but received dims ${describe(dims)}`);
}
