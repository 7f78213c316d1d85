/** What pooling knows of the window of every output: where a maximum starts, what a sum is divided by. */
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

/** How many cells of an output's window lie inside the grid of the input: a product over the axes. */
function windowSize({ geometry, mode, input, output, kernelSize }: ConvMap): (row: number) => number {
  if (geometry === undefined || kernelSize === undefined || mode === 'transposed') {
    throw rangeError(
      'ERR_SK_OPTION',
      `expected a map with windows (of a kernelSize, not transposed or inverse) but received mode '${mode}'`,
    );
  }
  const axes = kernelSize.length;
  const of = kernelSize.map((k, axis) => {
    const step = kernelSize.slice(axis + 1).reduce((a, b) => a * b, 1); // between offsets that are neighbours on this axis
    const at = (r: number) => geometry.offsets[r * step * axes + axis] as number;
    return {
      k,
      first: at(0),
      dilation: k > 1 ? at(1) - at(0) : 1,
      stride: geometry.stride[axis] as number,
      extent: input.spatialShape[axis] as number,
    };
  });
  return (row) => {
    let size = 1;
    for (let axis = 0; axis < axes; axis++) {
      const { k, first, dilation, stride, extent } = of[axis] as (typeof of)[number];
      const start = (output.coords[row * (1 + axes) + 1 + axis] as number) * stride + first;
      const low = Math.max(0, Math.ceil(-start / dilation));
      const high = Math.min(k - 1, Math.floor((extent - 1 - start) / dilation));
      size *= Math.max(0, high - low + 1);
    }
    return size;
  };
}
