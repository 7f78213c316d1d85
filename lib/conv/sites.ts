/** Where the rows of a sparse tensor are: what maps are made from, and what tells whether a map fits a tensor. */
import { rangeError, SparseKernelsError, typeError } from '../errors.js';
import { describe } from '../validate.js';

export interface Sites {
  /** [n, 1 + axes], batch index first, in ascending linear key. */
  readonly coords: Int32Array;
  readonly spatialShape: readonly number[];
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

export function rowsOf({ coords, spatialShape }: Sites): number {
  return coords.length / (1 + spatialShape.length);
}

/** Throws ERR_SK_COORDINATES unless both name the same sites of the same grid. */
export function expectSameSites(received: Sites, expected: Sites, what: string): void {
  if (!sameGrid(received, expected)) {
    const show = ({ spatialShape, batchSize }: Sites) => `batch ${batchSize} of ${spatialShape.join(' x ')}`;
    throw new SparseKernelsError('ERR_SK_COORDINATES', `expected ${what} (${show(expected)}) but received ${show(received)}`);
  }
  if (received.coords === expected.coords || sameBytes(received.coords, expected.coords)) return;
  throw new SparseKernelsError('ERR_SK_COORDINATES', `expected ${what} but received a tensor with other coordinates`);
}

function sameGrid(a: Sites, b: Sites): boolean {
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
