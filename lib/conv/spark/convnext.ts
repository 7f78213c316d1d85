import { rangeError } from '../../errors.js';
import { type TensorLike, tensor, typedArray } from '../../tensor.js';
import { describe, options } from '../../validate.js';
import { type Layer, layer, type RunOptions } from '../layer.js';
import { type LayerNormOptions, layerNormOf } from '../norm.js';
import { type Rowwise, rowwise } from '../rowwise.js';
import { type SparseTensor, sparseTensor } from '../tensor.js';
import { type MaskedMaps, maskedMaps } from './maps.js';

/** A weight and what is added. */
export interface Affine {
  /** float32, its shape as the member says. */
  readonly weight: TensorLike;
  /** float32 [out]; default: none. */
  readonly bias?: Float32Array;
}

/** Options of {@link convNextBlock}. */
export interface ConvNextOptions {
  /** [channels, 7, 7, 1] or another odd kernel: one filter a channel. */
  readonly depthwise: Affine;
  /** The layer norm behind it: float32 [channels] each; default 1 and 0, epsilon 1e-6. */
  readonly norm?: LayerNormOptions;
  /** [wide, channels], usually four times as wide. */
  readonly expand: Affine;
  /** [channels, wide] */
  readonly project: Affine;
  /** float32 [channels]: the scale of the branch before it is added, of which ConvNeXt starts with 1e-6; default 1. */
  readonly gamma?: Float32Array;
}

/** A block of ConvNeXt at the sites that a mask keeps. Made by {@link convNextBlock}. */
export class ConvNextBlock {
  readonly #depthwise: Layer;
  readonly #expand: Layer;
  readonly #project: Layer;
  readonly #norm: Rowwise;
  /** Channels of input and output. */
  readonly channels: number;

  /** @internal */
  constructor(blockOptions: ConvNextOptions) {
    const o = options<ConvNextOptions>(blockOptions, 'options', ['depthwise', 'norm', 'expand', 'project', 'gamma']);
    const { dims } = tensor(o.depthwise.weight, 'depthwise.weight', ['float32']);
    const channels = dims[0] ?? 0;
    this.channels = channels;
    if (dims.length !== 4 || dims[3] !== 1) {
      throw rangeError('ERR_SK_SHAPE', `expected depthwise.weight to be [channels, height, width, 1] but received dims ${describe(dims)}`);
    }
    const expand = linear(o.expand, 'expand', undefined, channels);
    const project = linear(o.project, 'project', channels, expand.out);
    const gamma = o.gamma && typedArray(o.gamma, 'float32', 'gamma');
    if (gamma && gamma.length !== channels) {
      throw rangeError('ERR_SK_SHAPE', `expected gamma to hold ${channels} numbers but received ${gamma.length}`);
    }
    this.#norm = layerNormOf(o.norm ?? {}, channels, 'norm');
    this.#depthwise = layer({ ...o.depthwise, groups: channels });
    this.#expand = layer(expand.layer);
    // gamma (W h + b) is a layer of its own.
    const { bias } = o.project;
    const data = gamma ? project.data.map((w, i) => w * (gamma[Math.floor(i / expand.out)] as number)) : project.data;
    this.#project = layer({
      weight: { data, dims: project.layer.weight.dims },
      ...(bias && { bias: gamma ? bias.map((b, c) => b * (gamma[c] as number)) : bias }),
    });
  }

  /**
   * x + gamma project(gelu(expand(norm(depthwise(x))))), at the sites of x and nowhere else. Without
   * stochastic depth (drop path), which is the identity outside training.
   *
   * @param x - at the sites of a stage of `maps`
   * @throws (rejects) TypeError `ERR_SK_TYPE` / `ERR_SK_BUFFER`, RangeError `ERR_SK_SHAPE`, SparseKernelsError `ERR_SK_COORDINATES` /
   * `ERR_SK_DISPOSED` / `ERR_SK_MEMORY`, or the reason of `signal`
   */
  async run(x: SparseTensor, maps: MaskedMaps, runOptions: Pick<RunOptions, 'signal'> = {}): Promise<SparseTensor> {
    const { signal } = options<Pick<RunOptions, 'signal'>>(runOptions, 'options', ['signal']);
    const { features } = sparseTensor(x, 'x');
    const of = maskedMaps(maps);
    const sites = await of.ofAsync(x, [1, 1]);
    const spread = await this.#depthwise.run(x, await of.ofAsync(x, this.#depthwise.kernelSize), signal && { signal });
    const normed = await rowwise(spread, this.#norm, { x: true }, signal);
    const wide = await this.#expand.runOwn(normed, sites, signal);
    const active = await rowwise(wide, { activation: 'gelu' }, { x: true }, signal);
    const y = await this.#project.runOwn(active, sites, signal);
    return rowwise(y, { added: features }, { x: true, added: false }, signal);
  }

  /** Frees the weights as soon as no run is under way. */
  dispose(): void {
    for (const part of [this.#depthwise, this.#expand, this.#project]) part.dispose();
  }

  /** `using block = conv.spark.convNextBlock(...)` disposes at the end of the block. */
  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** A linear layer [out, in] as a convolution with a kernel of one cell. */
function linear({ weight, bias }: Affine, name: string, out: number | undefined, inputs: number) {
  const { data, dims } = tensor(weight, `${name}.weight`, ['float32']);
  if (dims.length === 2 && dims[1] === inputs && (out === undefined || dims[0] === out) && data.length > 0) {
    const rows = dims[0] as number;
    return { out: rows, data, layer: { weight: { data, dims: [rows, 1, inputs] }, ...(bias && { bias }) } };
  }
  throw rangeError('ERR_SK_SHAPE', `expected ${name}.weight to be [${out ?? 'wide'}, ${inputs}] but received dims ${describe(dims)}`);
}

/**
 * A block of ConvNeXt (Liu et al., "A ConvNet for the 2020s", CVPR 2022) for masked images, as SparK trains it: every convolution, norm and sum
 * at the visible sites only.
 *
 * @throws TypeError `ERR_SK_TYPE` / `ERR_SK_DTYPE` / `ERR_SK_BUFFER`, RangeError `ERR_SK_SHAPE` / `ERR_SK_OPTION`, SparseKernelsError
 * `ERR_SK_MEMORY`
 * @example
 * ```ts
 * import { conv } from 'sparse-kernels';
 * const weights = (...dims: number[]) => ({ data: new Float32Array(dims.reduce((a, b) => a * b)).fill(0.01), dims });
 * using block = conv.spark.convNextBlock({
 *   depthwise: { weight: weights(8, 7, 7, 1) },
 *   expand: { weight: weights(32, 8) },
 *   project: { weight: weights(8, 32), bias: new Float32Array(8) },
 *   gamma: new Float32Array(8).fill(1e-6),
 * });
 * const mask = conv.spark.mask({ shape: [2, 2] });
 * const x = conv.fromDense({ data: new Float32Array(8 * 16 * 16).fill(1), dims: [1, 8, 16, 16] }, mask);
 * const y = await block.run(x, conv.spark.maps(mask)); // at the sites of x
 * ```
 */
export function convNextBlock(blockOptions: ConvNextOptions): ConvNextBlock {
  return new ConvNextBlock(blockOptions);
}
