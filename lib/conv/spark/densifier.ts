import { rangeError } from '../../errors.js';
import { inSlices } from '../../slices.js';
import { allocate, type Tensor, tensor, typedArray } from '../../tensor.js';
import { describe, options } from '../../validate.js';
import { toDenseAsync } from '../dense.js';
import type { RunOptions } from '../layer.js';
import { mapAsync } from '../map.js';
import { allSites } from '../mask-sites.js';
import { type BatchNormOptions, batchNormOf, type LayerNormOptions, layerNormOf } from '../norm.js';
import { type Rowwise, rowwise } from '../rowwise.js';
import { rowsOf, type Sites } from '../sites.js';
import { type SparseTensor, sparseTensor } from '../tensor.js';
import type { Affine } from './convnext.js';
import { Unit } from './unit.js';

/** Options of {@link densifier}. */
export interface DensifierOptions {
  /** float32 [channels]: what masked sites hold. */
  readonly token: Float32Array;
  /** A batch norm over the visible sites before them, as for ResNet; without moments those of this batch. */
  readonly batchNorm?: BatchNormOptions;
  /** A layer norm of each visible site before them, as for ConvNeXt. */
  readonly layerNorm?: LayerNormOptions;
  /** The convolution behind them, [out, height, width, channels] of odd extents: 1 x 1 at the coarsest stage, else 3 x 3. Default: none. */
  readonly projection?: Affine;
}

/** From the visible sites of a stage to what the decoder reads of it. Made by {@link densifier}. */
export class Densifier {
  /** Channels of x. */
  readonly channels: number;
  readonly #token: Float32Array;
  readonly #norm: Rowwise | undefined;
  readonly #projection: Unit | undefined;

  /** @internal */
  constructor(densifierOptions: DensifierOptions) {
    const o = options<DensifierOptions>(densifierOptions, 'options', ['token', 'batchNorm', 'layerNorm', 'projection']);
    this.#token = typedArray(o.token, 'float32', 'token').slice();
    this.channels = this.#token.length;
    if (this.channels === 0) throw rangeError('ERR_SK_SHAPE', 'expected token to hold at least one number');
    if (o.batchNorm && o.layerNorm) throw rangeError('ERR_SK_OPTION', 'expected batchNorm or layerNorm, not both');
    const batch = o.batchNorm && batchNormOf(o.batchNorm, this.channels, 'batchNorm');
    this.#norm = batch ?? (o.layerNorm && layerNormOf(o.layerNorm, this.channels, 'layerNorm'));
    if (o.projection === undefined) return;
    const { dims } = tensor(o.projection.weight, 'projection.weight', ['float32']);
    if (dims.at(-1) !== this.channels || dims.slice(1, -1).some((k) => k % 2 === 0)) {
      const wanted = `[out, odd extents, ${this.channels}]`;
      throw rangeError('ERR_SK_SHAPE', `expected projection.weight to be ${wanted} but received dims ${describe(dims)}`);
    }
    this.#projection = new Unit(o.projection, 'projection');
  }

  /**
   * projection(norm(x) where sites are, the token elsewhere).
   *
   * @param x - at the sites of a stage
   * @returns float32 [batch, out, ...spatial]
   * @throws (rejects) TypeError `ERR_SK_TYPE` / `ERR_SK_BUFFER`, RangeError `ERR_SK_SHAPE`, SparseKernelsError `ERR_SK_DISPOSED` /
   * `ERR_SK_MEMORY`, or the reason of `signal`
   */
  async run(x: SparseTensor, runOptions: Pick<RunOptions, 'signal'> = {}): Promise<Tensor> {
    const { signal } = options<Pick<RunOptions, 'signal'>>(runOptions, 'options', ['signal']);
    const input = sparseTensor(x, 'x');
    if (input.channels !== this.channels) {
      throw rangeError('ERR_SK_SHAPE', `expected x to have ${this.channels} channels but received ${input.channels}`);
    }
    const normed = this.#norm ? await rowwise(input, this.#norm, { x: false }, signal) : input;
    const dense = await filled(normed, this.#token);
    if (this.#projection === undefined) return toDenseAsync(dense);
    using map = await mapAsync(dense, { kernelSize: this.#projection.layer.kernelSize, ...(signal && { signal }) });
    return toDenseAsync(await this.#projection.run(dense, map, true, signal));
  }

  /** Frees the weight as soon as no run is under way. */
  dispose(): void {
    this.#projection?.dispose();
  }

  /** `using densifier = conv.spark.densifier(...)` disposes at the end of the block. */
  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** All sites of the grid: those of x as they are, the others with the token. */
async function filled(x: SparseTensor, token: Float32Array): Promise<SparseTensor> {
  const { channels, batchSize, spatialShape } = x;
  const rows = rowsOf(x);
  const { coords } = allSites(batchSize, spatialShape);
  const features = allocate('float32', (coords.length / (1 + spatialShape.length)) * channels, 'the dense features');
  await inSlices(features.length, channels, (first, end) => {
    for (let i = first; i < end; i += channels) features.set(token, i);
  });
  const place = linearKey(x);
  await inSlices(rows * channels, channels, (first, end) => {
    const from = typedArray(x.features, 'float32', 'x.features'); // it may have been transferred away
    typedArray(x.coords, 'int32', 'x.coords');
    for (let row = first / channels; row * channels < end; row++) {
      features.set(from.subarray(row * channels, (row + 1) * channels), place(row) * channels);
    }
  });
  return { coords, features, channels, spatialShape, batchSize };
}

/** The row of a site among all of its grid. */
function linearKey({ coords, spatialShape }: Sites): (row: number) => number {
  const width = 1 + spatialShape.length;
  return (row) => {
    let key = coords[row * width] as number;
    for (let axis = 1; axis < width; axis++) key = key * (spatialShape[axis - 1] as number) + (coords[row * width + axis] as number);
    return key;
  };
}

/**
 * What stands between SparK's encoder and its decoder, one for each stage: a norm over the visible sites, the mask token at all others, and a
 * convolution to the channels that the decoder takes.
 *
 * @throws TypeError `ERR_SK_TYPE` / `ERR_SK_DTYPE` / `ERR_SK_BUFFER`, RangeError `ERR_SK_SHAPE` / `ERR_SK_OPTION`, SparseKernelsError
 * `ERR_SK_MEMORY`
 * @example
 * ```ts
 * import { conv } from 'sparse-kernels';
 * const weight = { data: new Float32Array(4 * 9 * 8).fill(0.01), dims: [4, 3, 3, 8] };
 * using densifier = conv.spark.densifier({ token: new Float32Array(8), layerNorm: {}, projection: { weight } });
 * const stage = conv.fromDense({ data: new Float32Array(8 * 16 * 16), dims: [1, 8, 16, 16] }, conv.spark.mask({ shape: [2, 2] }));
 * (await densifier.run(stage)).dims; // [1, 4, 16, 16], for conv.spark.lightDecoder
 * ```
 */
export function densifier(densifierOptions: DensifierOptions): Densifier {
  return new Densifier(densifierOptions);
}
