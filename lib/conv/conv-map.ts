import type { NativeKernelMap } from '../../types/map.js';
import { NativeHandle } from '../handle.js';
import { native } from '../native.js';
import { allocate } from '../tensor.js';
import type { Geometry, MapMode } from './geometry.js';
import { rowsOf, type Sites } from './sites.js';

/** The pairs of a map as {@link ConvMap.pairs} copies them out. */
export interface PairLists {
  /** int32 [offsets + 1]: those of offset k are starts[k] to starts[k + 1]. */
  readonly starts: Int32Array;
  /** int32 [pairs]: input rows, ascending under each offset. */
  readonly in: Int32Array;
  /** int32 [pairs]: output rows, ascending under each offset. */
  readonly out: Int32Array;
}

/**
 * Which input row meets which output row under which offset of the kernel (the rulebook), for the sites of one tensor. Immutable; every
 * layer on the same sites may use it. Made by `conv.map`.
 */
export class ConvMap {
  /** How it was made. */
  readonly mode: MapMode;
  /** Extents of the kernel; undefined where offsets were given. */
  readonly kernelSize: readonly number[] | undefined;
  /** Offsets of the kernel: the product of its extents. */
  readonly kernelVolume: number;
  /** Sites that a layer reads. @internal */
  readonly input: Sites;
  /** Sites that a layer writes. @internal */
  readonly output: Sites;
  /** Number of pairs: a layer does pairs x input channels x output channels multiply-adds. */
  readonly pairCount: number;
  /** Of the window of every output; none where the map is an inverse. @internal */
  readonly geometry: Geometry | undefined;
  /** @internal */
  readonly handle: NativeHandle<NativeKernelMap>;

  /** @internal */
  constructor(
    mode: MapMode,
    kernel: { kernelSize: readonly number[] | undefined; kernelVolume: number; geometry?: Geometry | undefined },
    input: Sites,
    output: Sites | undefined,
    make: () => NativeKernelMap,
    shape = input.spatialShape,
  ) {
    this.mode = mode;
    this.kernelSize = kernel.kernelSize;
    this.kernelVolume = kernel.kernelVolume;
    this.geometry = kernel.geometry;
    this.handle = new NativeHandle('the map', make);
    const live = this.handle.live();
    this.pairCount = live.pairs;
    this.input = { coords: input.coords, spatialShape: input.spatialShape, batchSize: input.batchSize };
    if (output === undefined) {
      const coords = allocate('int32', live.outRows * (1 + shape.length), 'the coordinates');
      live.readOutCoords(coords);
      this.output = { coords, spatialShape: shape, batchSize: input.batchSize };
    } else {
      this.output = { coords: output.coords, spatialShape: output.spatialShape, batchSize: output.batchSize };
    }
  }

  /** int32 [n, 1 + axes]: the output sites. Shared with the tensors that layers return: it must not change. */
  get coords(): Int32Array {
    return this.output.coords;
  }

  /** Extents of the output grid. */
  get spatialShape(): readonly number[] {
    return this.output.spatialShape;
  }

  /** Bytes of the pairs. */
  get bytes(): number {
    return this.handle.live().bytes;
  }

  /**
   * A copy of the pairs.
   *
   * @throws SparseKernelsError `ERR_SK_MEMORY` / `ERR_SK_DISPOSED`
   * @example
   * ```ts
   * import { conv } from 'sparse-kernels';
   * const x = conv.tensor({ coords: Int32Array.of(0, 2, 0, 3), features: Float32Array.of(1, 1), spatialShape: [8] });
   * conv.map(x, { kernelSize: 3 }).pairs(); // { starts: [0, 1, 3, 4], in: [0, 0, 1, 1], out: [1, 0, 1, 0] }
   * ```
   */
  pairs(): PairLists {
    const live = this.handle.live();
    const lists = {
      starts: allocate('int32', this.kernelVolume + 1, 'the starts'),
      in: allocate('int32', this.pairCount, 'the pairs'),
      out: allocate('int32', this.pairCount, 'the pairs'),
    };
    live.readPairs(lists.starts, lists.in, lists.out);
    return lists;
  }

  /** @internal int32 [output sites]: how many inputs each has. */
  async countInputs(): Promise<Int32Array> {
    const counts = allocate('int32', rowsOf(this.output), 'the counts');
    await this.handle.use((live) => live.countInputs(counts));
    return counts;
  }

  /** @internal The same pairs, in and out exchanged. */
  swapped(): NativeKernelMap {
    return new native.KernelMap({ swapped: this.handle.live() });
  }

  /** Frees the pairs as soon as no run uses them; later use throws `ERR_SK_DISPOSED`. Without it the garbage collector does. */
  dispose(): void {
    this.handle.dispose();
  }

  /** `using map = conv.map(...)` disposes at the end of the block. */
  [Symbol.dispose](): void {
    this.dispose();
  }
}
