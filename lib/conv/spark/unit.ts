/** A convolution with its normalisation and activation: what all blocks are made of. */
import { rangeError } from '../../errors.js';
import { type TensorLike, tensor, typedArray } from '../../tensor.js';
import { describe } from '../../validate.js';
import type { ConvMap } from '../conv-map.js';
import { type Layer, layer } from '../layer.js';
import { rowwise } from '../rowwise.js';
import type { Activation } from '../settings.js';
import type { SparseTensor } from '../tensor.js';

/**
 * A batch normalisation. With mean and variance they are those of the data that it was trained on; without, those of the visible sites of this
 * batch, as in training.
 */
export interface NormParameters {
  /** float32 [channels]; default 1. */
  readonly weight?: Float32Array;
  /** float32 [channels]; default 0. */
  readonly bias?: Float32Array;
  /** float32 [channels]. */
  readonly mean?: Float32Array;
  /** float32 [channels]. */
  readonly variance?: Float32Array;
  /** Added to the variance; default 1e-5. */
  readonly epsilon?: number;
}

export interface UnitOptions {
  /** [out, ...kernel, in / groups] */
  readonly weight: TensorLike;
  readonly bias?: Float32Array;
  readonly norm?: NormParameters;
  readonly activation?: Activation;
  readonly groups?: number;
}

/** y = activation(norm(convolution)); a norm with given moments becomes part of the weight. */
export class Unit {
  readonly layer: Layer;
  readonly #norm: NormParameters | undefined;
  readonly #activation: Activation;

  constructor({ weight, bias, norm, activation = 'none', groups = 1 }: UnitOptions, name: string) {
    const { data, dims } = tensor(weight, `${name}.weight`, ['float32']);
    const out = dims[0] ?? 0;
    const perChannel = (value: Float32Array | undefined, what: string) => {
      if (value === undefined || typedArray(value, 'float32', `${name}.${what}`).length === out) return value;
      throw rangeError('ERR_SK_SHAPE', `expected ${name}.${what} to hold ${out} numbers but received ${value.length}`);
    };
    const n = norm && {
      weight: perChannel(norm.weight, 'norm.weight'),
      bias: perChannel(norm.bias, 'norm.bias'),
      mean: perChannel(norm.mean, 'norm.mean'),
      variance: perChannel(norm.variance, 'norm.variance'),
      epsilon: norm.epsilon ?? 1e-5,
    };
    perChannel(bias, 'bias');
    if (n && (typeof n.epsilon !== 'number' || !(n.epsilon >= 0))) {
      throw rangeError('ERR_SK_OPTION', `expected ${name}.norm.epsilon to be a number of at least 0 but received ${describe(n.epsilon)}`);
    }
    if (n && (n.mean === undefined) !== (n.variance === undefined)) {
      throw rangeError('ERR_SK_OPTION', `expected both ${name}.norm.mean and ${name}.norm.variance or neither`);
    }
    const { mean, variance } = n ?? {};
    if (n === undefined || mean === undefined || variance === undefined) {
      this.#norm = norm;
      this.#activation = norm ? activation : 'none';
      this.layer = layer({ weight, groups, ...(bias && { bias }), activation: norm ? 'none' : activation });
      return;
    }
    const scale = Float64Array.from(variance, (v, c) => (n.weight?.[c] ?? 1) / Math.sqrt(v + n.epsilon));
    const each = data.length / out;
    this.#norm = undefined;
    this.#activation = 'none';
    this.layer = layer({
      ...{ weight: { data: data.map((w, i) => w * (scale[Math.floor(i / each)] as number)), dims }, groups, activation },
      bias: Float32Array.from(scale, (s, c) => (n.bias?.[c] ?? 0) + ((bias?.[c] ?? 0) - (mean[c] as number)) * s),
    });
  }

  /** `own`: no caller has seen the features of x. */
  async run(x: SparseTensor, map: ConvMap, own: boolean, signal: AbortSignal | undefined): Promise<SparseTensor> {
    const y = own ? await this.layer.runOwn(x, map, signal) : await this.layer.run(x, map, signal && { signal });
    if (this.#norm === undefined) return y;
    const { weight, bias, epsilon = 1e-5 } = this.#norm;
    return rowwise(y, { norm: 'batch', weight, bias, epsilon, activation: this.#activation }, { x: true }, signal);
  }

  dispose(): void {
    this.layer.dispose();
  }
}

/** Kernel extents of a weight [out, ...kernel, in]. */
export function kernelOf(unit: Unit): readonly number[] {
  return unit.layer.kernelSize;
}
