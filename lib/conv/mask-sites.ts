/** The sites of a grid that a mask of cells keeps, and all sites of a grid. */
import { rangeError } from '../errors.js';
import { allocate, type TensorLike, type TensorView, tensor } from '../tensor.js';
import { describe } from '../validate.js';
import { mostExtent, perAxis, type Sites } from './sites.js';

/**
 * The sites that a mask keeps: the stages of a masked network (SparK) are its mask on grids of different extents.
 *
 * @param mask - [batch, ...cells], as {@link fromDense} takes it
 * @param spatialShape - extents of the grid, multiples of the cells
 * @throws TypeError `ERR_SK_TYPE` / `ERR_SK_DTYPE` / `ERR_SK_BUFFER`, RangeError `ERR_SK_SHAPE` / `ERR_SK_OPTION`
 * @example
 * ```ts
 * import { conv } from 'sparse-kernels';
 * const mask = { data: Uint8Array.of(0, 1), dims: [1, 1, 2] };
 * conv.maskSites(mask, [1, 4]).coords; // Int32Array [0, 0, 2,  0, 0, 3]
 * ```
 */
export function maskSites(mask: TensorLike, spatialShape: readonly number[], batchSize?: number): Sites {
  const shape = perAxis(spatialShape, 'spatialShape', 1, mostExtent);
  const cells = cellsOf(mask, shape, batchSize);
  return { coords: keptSites(cells.batch, shape, cells), spatialShape: shape, batchSize: cells.batch };
}

/** A mask, and how many sites of a grid a cell of it covers along each axis. */
export interface Cells {
  readonly batch: number;
  /** Cells along each axis. */
  readonly counts: readonly number[];
  /** Extents of a cell. */
  readonly tile: readonly number[];
  readonly data: TensorView<'float32' | 'uint8' | 'int32'>['data'];
}

/** Checks that a mask fits a grid. */
export function cellsOf(mask: TensorLike, shape: readonly number[], batchSize?: number): Cells {
  const { data, dims } = tensor(mask, 'mask', ['float32', 'uint8', 'int32']);
  const [batch = 0, ...counts] = dims;
  const fits = counts.length === shape.length && counts.every((n, axis) => n > 0 && (shape[axis] as number) % n === 0);
  if (fits && batch > 0 && (batchSize ?? batch) === batch) {
    return { batch, counts, tile: counts.map((n, axis) => (shape[axis] as number) / n), data };
  }
  throw rangeError(
    'ERR_SK_SHAPE',
    `expected mask to be [${batchSize ?? 'batch'}, ...cells] with cells that divide ${shape.join(' x ')} but received dims ${describe(dims)}`,
  );
}

/** All sites of a grid. */
export function allSites(batchSize: number, spatialShape: readonly number[]): Sites {
  const whole = { batch: batchSize, counts: spatialShape.map(() => 1), tile: spatialShape, data: new Uint8Array(batchSize).fill(1) };
  return { coords: keptSites(batchSize, spatialShape, whole), spatialShape, batchSize };
}

/** Coordinates in ascending order, line by line along the last axis. */
function keptSites(batchSize: number, shape: readonly number[], { counts, tile, data }: Cells): Int32Array {
  const axes = shape.length;
  let kept = 0;
  for (let i = 0; i < data.length; i++) if (data[i] !== 0) kept++;
  const coords = allocate('int32', kept * tile.reduce((a, b) => a * b, 1) * (1 + axes), 'the coordinates');
  const [cellsOfLine, width] = [counts[axes - 1] as number, tile[axes - 1] as number];
  const lines = batchSize * shape.slice(0, -1).reduce((a, b) => a * b, 1);
  const site = new Int32Array(1 + axes); // of a line
  let to = 0;
  for (let line = 0; line < lines && to < coords.length; line++) {
    let cell = site[0] as number;
    for (let axis = 0; axis < axes - 1; axis++) {
      cell = cell * (counts[axis] as number) + Math.floor((site[1 + axis] as number) / (tile[axis] as number));
    }
    for (let i = 0; i < cellsOfLine; i++) {
      if (data[cell * cellsOfLine + i] === 0) continue;
      for (let last = i * width; last < (i + 1) * width; last++) {
        for (let a = 0; a < axes; a++) coords[to++] = site[a] as number;
        coords[to++] = last;
      }
    }
    for (let a = axes - 1; a >= 0; a--) {
      site[a] = (site[a] as number) + 1;
      if (a === 0 || (site[a] as number) < (shape[a - 1] as number)) break;
      site[a] = 0;
    }
  }
  return coords;
}
