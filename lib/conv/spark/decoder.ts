import { rangeError } from '../../errors.js';
import { type Tensor, type TensorLike, tensor } from '../../tensor.js';
import { describe, options } from '../../validate.js';
import { gatherSlices, toDenseAsync } from '../dense.js';
import type { RunOptions } from '../layer.js';
import { mapAsync } from '../map.js';
import { rowwise } from '../rowwise.js';
import type { SparseTensor } from '../tensor.js';
import type { Affine } from './convnext.js';
import type { ConvNorm } from './resnet.js';
import { kernelOf, Unit } from './unit.js';

/** One step of {@link LightDecoder}: twice the extents. */
export interface UpBlock {
  /** Transposed convolution of stride 2, usually [channels, 4, 4, channels] with padding 1; out, kernel, in. */
  readonly up: Affine;
  /** [channels, 3, 3, channels] and its batch norm, then ReLU6. */
  readonly first: Omit<ConvNorm, 'stride' | 'groups'>;
  /** [channels / 2, 3, 3, channels] and its batch norm. */
  readonly second: Omit<ConvNorm, 'stride' | 'groups'>;
}

/** Options of {@link lightDecoder}. */
export interface LightDecoderOptions {
  /** Coarsest first; SparK has five, of 768, 384, 192, 96 and 48 channels. */
  readonly blocks: readonly UpBlock[];
  /** The last layer, [colours, 1, 1, channels]. */
  readonly last: Affine;
}

interface Block {
  up: Unit;
  first: Unit;
  second: Unit;
}

/** The dense decoder of SparK. Made by {@link lightDecoder}. */
export class LightDecoder {
  readonly #blocks: readonly Block[];
  readonly #last: Unit;

  /** @internal */
  constructor(decoderOptions: LightDecoderOptions) {
    const o = options<LightDecoderOptions>(decoderOptions, 'options', ['blocks', 'last']);
    if (!Array.isArray(o.blocks) || o.blocks.length === 0) {
      throw rangeError('ERR_SK_SHAPE', `expected blocks to be one or more but received ${describe(o.blocks)}`);
    }
    this.#blocks = o.blocks.map((block, i) => {
      const { up, first, second } = options<UpBlock>(block, `blocks[${i}]`, ['up', 'first', 'second']);
      return {
        up: upwards(up, `blocks[${i}].up`),
        first: new Unit({ ...first, activation: 'relu' }, `blocks[${i}].first`),
        second: new Unit(second, `blocks[${i}].second`),
      };
    });
    this.#last = new Unit(o.last, 'last');
  }

  /**
   * The picture that the maps of the encoder lead to: before block i, map i is added to what came so far.
   *
   * @param maps - float32 [batch, channels, height, width], dense (see {@link densifier}), coarsest first; each has the channels and the extents
   * that its block takes. There may be fewer than blocks
   * @returns float32 [batch, colours, height, width], of 2^blocks times the extents of the coarsest map
   * @throws (rejects) TypeError `ERR_SK_TYPE` / `ERR_SK_DTYPE` / `ERR_SK_BUFFER`, RangeError `ERR_SK_SHAPE`, SparseKernelsError
   * `ERR_SK_DISPOSED` / `ERR_SK_MEMORY`, or the reason of `signal`
   */
  async run(maps: readonly TensorLike[], runOptions: Pick<RunOptions, 'signal'> = {}): Promise<Tensor> {
    const { signal } = options<Pick<RunOptions, 'signal'>>(runOptions, 'options', ['signal']);
    if (!Array.isArray(maps) || maps.length < 1 || maps.length > this.#blocks.length) {
      throw rangeError('ERR_SK_SHAPE', `expected 1 to ${this.#blocks.length} maps but received ${describe(maps)}`);
    }
    let x: SparseTensor | undefined;
    for (const [i, block] of this.#blocks.entries()) {
      if (i < maps.length) x = await sum(x, maps[i] as TensorLike, `maps[${i}]`, signal);
      x = await step(block, x as SparseTensor, signal);
    }
    using sites = await mapAsync(x as SparseTensor, { kernelSize: [1, 1], ...(signal && { signal }) });
    return toDenseAsync(await this.#last.run(x as SparseTensor, sites, true, signal));
  }

  /** Frees the weights as soon as no run is under way. */
  dispose(): void {
    for (const { up, first, second } of this.#blocks) for (const unit of [up, first, second]) unit.dispose();
    this.#last.dispose();
  }

  /** `using decoder = conv.spark.lightDecoder(...)` disposes at the end of the block. */
  [Symbol.dispose](): void {
    this.dispose();
  }
}

function upwards(up: Affine, name: string): Unit {
  const { dims } = tensor(up.weight, `${name}.weight`, ['float32']);
  if (dims.slice(1, -1).every((k) => k % 2 === 0)) return new Unit(up, name);
  throw rangeError('ERR_SK_SHAPE', `expected ${name}.weight to have a kernel of even extents but received dims ${describe(dims)}`);
}

async function sum(x: SparseTensor | undefined, dense: TensorLike, name: string, signal: AbortSignal | undefined): Promise<SparseTensor> {
  const { dims } = tensor(dense, name, ['float32']);
  if (dims.length !== 4)
    throw rangeError('ERR_SK_SHAPE', `expected ${name} to be [batch, channels, height, width] but received dims ${describe(dims)}`);
  const wanted = x && [x.batchSize, x.channels, ...x.spatialShape];
  if (wanted && String(wanted) !== String(dims)) {
    throw rangeError('ERR_SK_SHAPE', `expected ${name} to have dims ${describe(wanted)} but received ${describe(dims)}`);
  }
  const added = await gatherSlices(dense, name, x);
  return x === undefined ? added : rowwise(x, { added: added.features }, { x: true, added: true }, signal);
}

async function step({ up, first, second }: Block, x: SparseTensor, signal: AbortSignal | undefined): Promise<SparseTensor> {
  const kernelSize = kernelOf(up);
  const abort = signal && { signal };
  const padding = kernelSize.map((k) => (k - 2) / 2); // doubles the extents
  using upwards = await mapAsync(x, { mode: 'transposed', kernelSize, stride: 2, padding, ...abort });
  const wide = await up.run(x, upwards, true, signal);
  using same = await mapAsync(wide, { kernelSize: kernelOf(first), ...abort });
  const middle = await first.run(wide, same, true, signal);
  const clipped = await rowwise(middle, { activation: 'relu6' }, { x: true }, signal);
  using last = await mapAsync(wide, { kernelSize: kernelOf(second), ...abort });
  return second.run(clipped, last, true, signal);
}

/**
 * The light decoder of SparK: blocks of a transposed convolution and two 3 x 3 ones that double the extents, with the maps of the encoder added
 * on the way. All of it is dense; the layers are those of sparse tensors with all sites.
 *
 * @throws TypeError `ERR_SK_TYPE` / `ERR_SK_DTYPE` / `ERR_SK_BUFFER`, RangeError `ERR_SK_SHAPE` / `ERR_SK_OPTION`, SparseKernelsError
 * `ERR_SK_MEMORY`
 * @example
 * ```ts
 * import { conv } from 'sparse-kernels';
 * const weights = (...dims: number[]) => ({ data: new Float32Array(dims.reduce((a, b) => a * b)).fill(0.01), dims });
 * const block = (c: number) => ({
 *   up: { weight: weights(c, 4, 4, c), bias: new Float32Array(c) },
 *   first: { weight: weights(c, 3, 3, c), norm: {} },
 *   second: { weight: weights(c / 2, 3, 3, c), norm: {} },
 * });
 * using decoder = conv.spark.lightDecoder({ blocks: [block(8), block(4)], last: { weight: weights(3, 1, 1, 2) } });
 * const picture = await decoder.run([weights(1, 8, 4, 4), weights(1, 4, 8, 8)]);
 * picture.dims; // [1, 3, 16, 16]
 * ```
 */
export function lightDecoder(decoderOptions: LightDecoderOptions): LightDecoder {
  return new LightDecoder(decoderOptions);
}
