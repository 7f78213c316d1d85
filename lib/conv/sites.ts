/** Where the rows of a sparse tensor are: what maps are made from, and what tells whether a map fits a tensor. */
import { DeviceTensor } from '../device-tensor.js';
import { rangeError, SparseKernelsError, typeError } from '../errors.js';
import { typedArray } from '../tensor.js';
import { describe, integer } from '../validate.js';

/**
 * Sites of a grid: every sparse tensor is one. Rows are in ascending linear key (batch, then the axes, last axis fastest).
 *
 * @example
 * ```ts
 * import { conv } from 'sparse-kernels';
 * const sites: conv.Sites = conv.maskSites({ data: Uint8Array.of(1, 0), dims: [1, 2] }, [4]);
 * sites.coords; // Int32Array [0, 0,  0, 1]
 * ```
 */
export interface Sites {
  /** int32 [n, 1 + axes]: batch index, then one coordinate per axis, in the order of `spatialShape`. */
  readonly coords: Int32Array;
  /** Extents of the grid. */
  readonly spatialShape: readonly number[];
  /** Samples in the batch. */
  readonly batchSize: number;
}

/**
 * Sites whose coordinates are on a CUDA device: what `conv.mapAsync` makes maps there from. Whether they ascend inside the grid is checked
 * there, too.
 *
 * @example
 * ```ts
 * import { conv, type DeviceTensor } from 'sparse-kernels';
 * export async function downsampled(coords: DeviceTensor<'int32'>): Promise<conv.DeviceSites> {
 *   const x = { coords, spatialShape: [64, 64, 64], batchSize: 1 };
 *   using map = await conv.mapAsync(x, { mode: 'sparse', kernelSize: 3, stride: 2, padding: 1 });
 *   return map.output;
 * }
 * ```
 */
export interface DeviceSites {
  /** int32 [n, 1 + axes]: batch index, then one coordinate per axis, in the order of `spatialShape`. It must not be disposed meanwhile. */
  readonly coords: DeviceTensor<'int32'>;
  /** Extents of the grid. */
  readonly spatialShape: readonly number[];
  /** Samples in the batch. */
  readonly batchSize: number;
}

const mostAxes = 4;
export const mostExtent = 2 ** 31 - 1;

/** A list of 1 to 4 integers in [low, high]; a single number stands for every axis where `axes` is given. */
export function perAxis(value: unknown, name: string, low: number, high: number, axes?: number): number[] {
  const list = typeof value === 'number' && axes !== undefined ? new Array<number>(axes).fill(value) : value;
  if (!Array.isArray(list)) {
    throw typeError(
      'ERR_SK_TYPE',
      `expected ${name} to be ${axes ? 'a number or ' : ''}an array of numbers but received ${describe(value)}`,
    );
  }
  const right = axes === undefined ? list.length >= 1 && list.length <= mostAxes : list.length === axes;
  if (!right) {
    throw rangeError('ERR_SK_SHAPE', `expected ${name} to have ${axes ?? `1 to ${mostAxes}`} axes but received ${describe(list)}`);
  }
  for (const number of list) {
    if (typeof number !== 'number') throw typeError('ERR_SK_TYPE', `expected ${name} to be numbers but received ${describe(list)}`);
    if (!Number.isInteger(number) || number < low || number > high) {
      throw rangeError('ERR_SK_OPTION', `expected ${name} to be integers from ${low} to ${high} but received ${describe(list)}`);
    }
  }
  return [...list];
}

/** Checks sites that are an argument. That they ascend inside the grid is checked where a map is made from them. */
export function sitesOf(value: unknown, name: string): Sites {
  if (typeof value !== 'object' || value === null || !('coords' in value)) {
    throw typeError('ERR_SK_TYPE', `expected ${name} to be a sparse tensor (conv.tensor) but received ${describe(value)}`);
  }
  const { coords, spatialShape, batchSize } = value as Sites;
  const width = 1 + perAxis(spatialShape, `${name}.spatialShape`, 1, mostExtent).length;
  integer(batchSize, `${name}.batchSize`, 1, mostExtent);
  if (typedArray(coords, 'int32', `${name}.coords`).length % width === 0) return value as Sites;
  throw rangeError('ERR_SK_SHAPE', `expected ${name}.coords to be [n, ${width}] but received ${coords.length} numbers`);
}

/** Whether sites, or what is passed for them, are on a device. */
export function areOnDevice(value: Sites | DeviceSites): value is DeviceSites {
  return typeof value === 'object' && value !== null && value.coords instanceof DeviceTensor;
}

/** Checks sites on a device that are an argument, all but the coordinates themselves. */
export function deviceSitesOf(value: unknown, name: string): DeviceSites {
  if (typeof value !== 'object' || value === null || !areOnDevice(value as Sites)) {
    throw typeError('ERR_SK_TYPE', `expected ${name} to be sites on the device, as x, but received ${describe(value)}`);
  }
  const { coords, spatialShape, batchSize } = value as DeviceSites;
  const width = 1 + perAxis(spatialShape, `${name}.spatialShape`, 1, mostExtent).length;
  integer(batchSize, `${name}.batchSize`, 1, mostExtent);
  if (coords.type !== 'int32') throw typeError('ERR_SK_DTYPE', `expected ${name}.coords to be int32 but received ${coords.type}`);
  if (coords.dims.length === 2 && coords.dims[1] === width) return { coords, spatialShape, batchSize };
  throw rangeError('ERR_SK_SHAPE', `expected ${name}.coords to be [n, ${width}] but received dims ${describe(coords.dims)}`);
}

export function rowsOf({ coords, spatialShape }: Sites | DeviceSites): number {
  return coords instanceof DeviceTensor ? (coords.dims[0] as number) : coords.length / (1 + spatialShape.length);
}

/** Whether two lists name the same sites of one grid. */
export function sameSites(a: Sites, b: Sites): boolean {
  return a.coords === b.coords || sameBytes(a.coords, b.coords);
}

/** Throws ERR_SK_COORDINATES unless both are on the same grid. */
export function expectSameGrid(received: Sites | DeviceSites, expected: Sites | DeviceSites, what: string): void {
  if (sameGrid(received, expected)) return;
  const show = ({ spatialShape, batchSize }: Sites | DeviceSites) => `batch ${batchSize} of ${spatialShape.join(' x ')}`;
  throw new SparseKernelsError('ERR_SK_COORDINATES', `expected ${what} (${show(expected)}) but received ${show(received)}`);
}

/** Throws ERR_SK_COORDINATES unless both name the same sites of the same grid. */
export function expectSameSites(received: Sites, expected: Sites, what: string): void {
  expectSameGrid(received, expected, what);
  if (sameSites(received, expected)) return;
  throw new SparseKernelsError('ERR_SK_COORDINATES', `expected ${what} but received a tensor with other coordinates`);
}

/** Throws ERR_SK_COORDINATES unless a tensor is at the sites of one side of a map. */
export function expectMapOf(received: Sites, expected: Sites, name = 'x'): void {
  expectSameSites(received, expected, `${name} to be at the sites that the map was made for`);
}

function sameGrid(a: Sites | DeviceSites, b: Sites | DeviceSites): boolean {
  return (
    a.batchSize === b.batchSize &&
    a.spatialShape.length === b.spatialShape.length &&
    a.spatialShape.every((extent, axis) => extent === b.spatialShape[axis])
  );
}

function sameBytes(a: Int32Array, b: Int32Array): boolean {
  const bytes = (c: Int32Array) => Buffer.from(c.buffer, c.byteOffset, c.byteLength);
  return a.length === b.length && bytes(a).equals(bytes(b));
}
