/**
 * What pooling knows of the window of every output: where a maximum starts, what a sum is divided by. native/map/cuda/windows.h has the same
 * for maps on a device.
 */
import { rangeError } from '../errors.js';
import { inSlices } from '../slices.js';
import { allocate } from '../tensor.js';
import { oneOf } from '../validate.js';
import type { ConvMap } from './conv-map.js';
import { rowsOf } from './sites.js';

/** Where the maximum of every output starts. */
export async function leastOf(map: ConvMap, inactive: 'skip' | 'zero' = 'skip'): Promise<Float32Array> {
  const zero = oneOf(inactive, 'inactive', ['skip', 'zero']) === 'zero';
  const counts = await map.countInputs();
  const inside = zero ? windowSize(map) : undefined;
  return perRow(counts.length, (row) => {
    const count = counts[row] as number;
    return count === 0 || (inside !== undefined && count < inside(row)) ? 0 : Number.NEGATIVE_INFINITY;
  });
}

/** A number for every output row, without holding the event loop. */
async function perRow(rows: number, of: (row: number) => number): Promise<Float32Array> {
  const numbers = allocate('float32', rows, 'a number for each output');
  await inSlices(4 * rows, 4, (first, end) => {
    for (let row = first / 4; row < end / 4; row++) numbers[row] = of(row);
  });
  return numbers;
}

/** What the sum of every output is multiplied by. */
export async function weightsOf(
  map: ConvMap,
  divisor: 'active' | 'inside' | 'kernel' | 'none' = 'active',
): Promise<Float32Array | undefined> {
  const rows = rowsOf(map.output);
  switch (oneOf(divisor, 'divisor', ['active', 'inside', 'kernel', 'none'])) {
    case 'none':
      return undefined;
    case 'kernel':
      return perRow(rows, () => 1 / map.kernelVolume);
    case 'inside': {
      const size = windowSize(map);
      return perRow(rows, (row) => 1 / size(row));
    }
    default: {
      const counts = await map.countInputs();
      return perRow(rows, (row) => 1 / Math.max(1, counts[row] as number));
    }
  }
}

/** Cell c of the window of output o is at o * stride + first + c * dilation, inside the grid below extent. */
export interface WindowAxis {
  readonly cells: number;
  readonly first: number;
  readonly dilation: number;
  readonly stride: number;
  readonly extent: number;
}

/** Of every axis of a map with windows, or ERR_SK_OPTION. */
export function windowAxes({
  geometry,
  mode,
  input,
  kernelSize,
}: Pick<ConvMap, 'geometry' | 'mode' | 'kernelSize'> & MapInput): WindowAxis[] {
  if (geometry === undefined || kernelSize === undefined || mode === 'transposed') {
    throw rangeError(
      'ERR_SK_OPTION',
      `expected a map with windows (of a kernelSize, not transposed or inverse) but received mode '${mode}'`,
    );
  }
  const axes = kernelSize.length;
  return kernelSize.map((cells, axis) => {
    const step = kernelSize.slice(axis + 1).reduce((a, b) => a * b, 1); // between offsets that are neighbours on this axis
    const at = (r: number) => geometry.offsets[r * step * axes + axis] as number;
    return {
      cells,
      first: at(0),
      dilation: cells > 1 ? at(1) - at(0) : 1,
      stride: geometry.stride[axis] as number,
      extent: input.spatialShape[axis] as number,
    };
  });
}

type MapInput = { readonly input: { readonly spatialShape: readonly number[] } };

/** How many cells of an output's window lie inside the grid of the input: a product over the axes. */
function windowSize(map: ConvMap): (row: number) => number {
  const axes = windowAxes(map);
  const { coords } = map.output;
  return (row) => {
    let size = 1;
    for (const [axis, { cells, first, dilation, stride, extent }] of axes.entries()) {
      const start = (coords[row * (1 + axes.length) + 1 + axis] as number) * stride + first;
      const low = Math.max(0, Math.ceil(-start / dilation));
      const high = Math.min(cells - 1, Math.floor((extent - 1 - start) / dilation));
      size *= Math.max(0, high - low + 1);
    }
    return size;
  };
}
