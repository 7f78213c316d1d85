import { rangeError } from '../../errors.js';
import { describe, options } from '../../validate.js';
import type { RunOptions } from '../layer.js';
import { rowwise } from '../rowwise.js';
import { type SparseTensor, sparseTensor } from '../tensor.js';
import type { Affine } from './convnext.js';
import { type MaskedMaps, maskedMaps } from './maps.js';
import { kernelOf, type NormParameters, Unit } from './unit.js';

/** A convolution without bias and its batch norm. */
export interface ConvNorm extends Affine {
  /** The batch norm behind it. */
  readonly norm?: NormParameters;
  /** Default 1. */
  readonly stride?: number;
  /** Default 1. */
  readonly groups?: number;
}

/** Options of {@link resNetBlock}. */
export interface ResNetOptions {
  /**
   * The branch, weights [out, height, width, in / groups] with odd kernels: two of 3 x 3 for a basic block, 1 x 1, 3 x 3 and 1 x 1 for a
   * bottleneck. ReLU follows each but the last.
   */
  readonly branch: readonly ConvNorm[];
  /** What x goes through before it is added, where its channels or extents are not those of the branch. Default: nothing. */
  readonly shortcut?: ConvNorm;
}

/** A residual block at the sites that a mask keeps. Made by {@link resNetBlock}. */
export class ResNetBlock {
  readonly #branch: readonly { unit: Unit; stride: number }[];
  readonly #shortcut: { unit: Unit; stride: number } | undefined;

  /** @internal */
  constructor(blockOptions: ResNetOptions) {
    const o = options<ResNetOptions>(blockOptions, 'options', ['branch', 'shortcut']);
    if (!Array.isArray(o.branch) || o.branch.length === 0) {
      throw rangeError('ERR_SK_SHAPE', `expected branch to be one convolution or more but received ${describe(o.branch)}`);
    }
    this.#branch = o.branch.map((part, i) => convNorm(part, `branch[${i}]`, i + 1 < o.branch.length));
    this.#shortcut = o.shortcut && convNorm(o.shortcut, 'shortcut', false);
  }

  /**
   * relu(branch(x) + shortcut(x)), at the visible sites.
   *
   * @param x - at the sites of a stage of `maps`
   * @returns at the sites of the stage that the strides lead to
   * @throws (rejects) TypeError `ERR_SK_TYPE` / `ERR_SK_BUFFER`, RangeError `ERR_SK_SHAPE` (what is added is not alike), SparseKernelsError
   * `ERR_SK_COORDINATES` / `ERR_SK_DISPOSED` / `ERR_SK_MEMORY`, or the reason of `signal`
   */
  async run(x: SparseTensor, maps: MaskedMaps, runOptions: Pick<RunOptions, 'signal'> = {}): Promise<SparseTensor> {
    const { signal } = options<Pick<RunOptions, 'signal'>>(runOptions, 'options', ['signal']);
    const of = maskedMaps(maps);
    const through = async ({ unit, stride }: { unit: Unit; stride: number }, from: SparseTensor) =>
      unit.run(from, await of.ofAsync(from, kernelOf(unit), stride), from !== x, signal);
    let y = sparseTensor(x, 'x');
    for (const part of this.#branch) y = await through(part, y);
    const added = this.#shortcut ? await through(this.#shortcut, x) : x;
    if (added.channels !== y.channels || String(added.spatialShape) !== String(y.spatialShape)) {
      const show = (t: SparseTensor) => `${t.channels} channels of ${t.spatialShape.join(' x ')}`;
      throw rangeError('ERR_SK_SHAPE', `expected the shortcut to give ${show(y)}, as the branch, but received ${show(added)}`);
    }
    return rowwise(y, { added: added.features, activation: 'relu' }, { x: true, added: added !== x }, signal);
  }

  /** Frees the weights as soon as no run is under way. */
  dispose(): void {
    for (const { unit } of this.#branch) unit.dispose();
    this.#shortcut?.unit.dispose();
  }

  /** `using block = conv.spark.resNetBlock(...)` disposes at the end of the block. */
  [Symbol.dispose](): void {
    this.dispose();
  }
}

function convNorm(part: ConvNorm, name: string, relu: boolean): { unit: Unit; stride: number } {
  const { stride = 1, ...rest } = options<ConvNorm>(part, name, ['weight', 'bias', 'norm', 'stride', 'groups']);
  return { unit: new Unit({ ...rest, activation: relu ? 'relu' : 'none' }, name), stride };
}

/**
 * A residual block of ResNet (He et al., "Deep Residual Learning for Image Recognition", CVPR 2016), basic or bottleneck, for masked images, as
 * SparK trains it: convolutions at the visible sites, batch norms over them.
 *
 * @throws TypeError `ERR_SK_TYPE` / `ERR_SK_DTYPE` / `ERR_SK_BUFFER`, RangeError `ERR_SK_SHAPE` / `ERR_SK_OPTION`, SparseKernelsError
 * `ERR_SK_MEMORY`
 * @example
 * ```ts
 * import { conv } from 'sparse-kernels';
 * const weights = (...dims: number[]) => ({ data: new Float32Array(dims.reduce((a, b) => a * b)).fill(0.01), dims });
 * using block = conv.spark.resNetBlock({
 *   branch: [
 *     { weight: weights(4, 1, 1, 8), norm: {} },
 *     { weight: weights(4, 3, 3, 4), norm: {}, stride: 2 },
 *     { weight: weights(16, 1, 1, 4), norm: {} },
 *   ],
 *   shortcut: { weight: weights(16, 1, 1, 8), norm: {}, stride: 2 },
 * });
 * const mask = conv.spark.mask({ shape: [2, 2] });
 * const x = conv.fromDense({ data: new Float32Array(8 * 16 * 16).fill(1), dims: [1, 8, 16, 16] }, mask);
 * const y = await block.run(x, conv.spark.maps(mask)); // 16 channels on 8 x 8
 * ```
 */
export function resNetBlock(blockOptions: ResNetOptions): ResNetBlock {
  return new ResNetBlock(blockOptions);
}
