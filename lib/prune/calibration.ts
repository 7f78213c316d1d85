import { rangeError, SparseKernelsError } from '../errors.js';
import { type TensorLike, tensor } from '../tensor.js';
import { describe, integer, options } from '../validate.js';

/** Options of {@link Calibration}. */
export interface CalibrationOptions {
  /** Also sum the products of all pairs of inputs, which {@link sparsegpt} needs: in x in float64 numbers. Default: false. */
  readonly hessian?: boolean;
}

/**
 * What the inputs of one linear layer look like on calibration data: sums over tokens, from which Wanda, SparseGPT and DSnoT score its
 * weights. Run the model on real data and add the input of the layer, batch by batch. The papers use 128 samples of 2048 tokens; layers
 * are pruned in order, and the inputs of each come from the already pruned layers before it.
 *
 * @example
 * ```ts
 * import { prune } from 'sparse-kernels';
 * const calibration = new prune.Calibration(4);
 * calibration.add({ data: Float32Array.of(1, 0, 2, 0, 3, 0, 0, 1), dims: [2, 4] });
 * calibration.tokens; // 2
 * ```
 */
export class Calibration {
  /** Width of the inputs. */
  readonly inFeatures: number;
  /** Sum over tokens of x_j. */
  readonly sums: Float64Array;
  /** Sum over tokens of x_j squared. */
  readonly squares: Float64Array;
  /** Sum over tokens of x_i x_j, row-major [in, in]; undefined unless asked for. */
  readonly products: Float64Array | undefined;
  #tokens = 0;

  /**
   * @param inFeatures - width of the inputs
   * @throws TypeError `ERR_SK_TYPE`, RangeError `ERR_SK_OPTION`, SparseKernelsError `ERR_SK_MEMORY`
   */
  constructor(inFeatures: number, calibrationOptions: CalibrationOptions = {}) {
    const { hessian } = options<CalibrationOptions>(calibrationOptions, 'options', ['hessian']);
    this.inFeatures = integer(inFeatures, 'inFeatures', 1, 2 ** 24);
    try {
      this.sums = new Float64Array(inFeatures);
      this.squares = new Float64Array(inFeatures);
      this.products = hessian ? new Float64Array(inFeatures * inFeatures) : undefined;
    } catch (cause) {
      throw new SparseKernelsError('ERR_SK_MEMORY', `the Hessian of ${inFeatures} inputs does not fit in memory`, { cause });
    }
  }

  /** Tokens added so far. */
  get tokens(): number {
    return this.#tokens;
  }

  /**
   * Adds the inputs of some tokens. With `hessian` this is in^2 / 2 multiplications for each token on the calling thread: one or two ms for
   * a token of 1536 features. Spread long calibrations over turns of the event loop, or do them in a worker.
   *
   * @param x - float32 [..., in]
   * @throws TypeError `ERR_SK_TYPE` / `ERR_SK_DTYPE` / `ERR_SK_BUFFER`, RangeError `ERR_SK_SHAPE`
   */
  add(x: TensorLike): void {
    const { data, dims } = tensor(x, 'x', ['float32']);
    const { inFeatures, sums, squares, products } = this;
    if (dims.at(-1) !== inFeatures) {
      throw rangeError('ERR_SK_SHAPE', `expected x to be [..., ${inFeatures}] but received dims ${describe(dims)}`);
    }
    for (let first = 0; first < data.length; first += inFeatures) {
      for (let j = 0; j < inFeatures; j++) {
        const value = data[first + j] as number;
        sums[j] = (sums[j] as number) + value;
        squares[j] = (squares[j] as number) + value * value;
      }
    }
    if (products) addProducts(products, data, inFeatures);
    this.#tokens += data.length / inFeatures;
  }
}

/** products += xᵀ x. Four tokens and two inputs at a time, so that each load serves two or four multiplications. */
function addProducts(products: Float64Array, x: Float32Array, n: number): void {
  const tokens = [0, 1, 2, 3].map(() => new Float64Array(n + 1)) as [Float64Array, Float64Array, Float64Array, Float64Array];
  const [a, b, c, d] = tokens;
  for (let first = 0; first < x.length; first += 4 * n) {
    tokens.forEach((token, t) => {
      token.fill(0).set(x.subarray(first + t * n, first + (t + 1) * n));
    });
    for (let i = 0; i < n; i += 2) {
      const [a0, b0, c0, d0] = [a[i] as number, b[i] as number, c[i] as number, d[i] as number];
      const [a1, b1, c1, d1] = [a[i + 1] as number, b[i + 1] as number, c[i + 1] as number, d[i + 1] as number];
      const row = i * n;
      const next = i + 1 < n ? row + n : row; // an odd last input pairs with the zero behind it
      for (let j = 0; j <= Math.min(i + 1, n - 1); j++) {
        const [aj, bj, cj, dj] = [a[j] as number, b[j] as number, c[j] as number, d[j] as number];
        products[row + j] = (products[row + j] as number) + (a0 * aj + b0 * bj + c0 * cj + d0 * dj);
        products[next + j] = (products[next + j] as number) + (a1 * aj + b1 * bj + c1 * cj + d1 * dj);
      }
    }
  }
  for (let i = 0; i < n; i++) for (let j = 0; j < i; j++) products[j * n + i] = products[i * n + j] as number;
}
