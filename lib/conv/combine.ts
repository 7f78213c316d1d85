import { rangeError } from '../errors.js';
import { allocate } from '../tensor.js';
import { expectSameGrid, rowsOf, type Sites } from './sites.js';
import { type SparseTensor, sparseTensor, withFeatures } from './tensor.js';

/**
 * The sum of two tensors, at the union of their sites; what is not there counts as 0.
 *
 * @throws TypeError `ERR_SK_TYPE` / `ERR_SK_BUFFER`, RangeError `ERR_SK_SHAPE` (other channels), SparseKernelsError `ERR_SK_COORDINATES` (another
 * grid)
 * @example
 * ```ts
 * import { conv } from 'sparse-kernels';
 * const a = conv.tensor({ coords: Int32Array.of(0, 1, 0, 2), features: Float32Array.of(1, 2), spatialShape: [4] });
 * const b = conv.tensor({ coords: Int32Array.of(0, 2, 0, 3), features: Float32Array.of(10, 20), spatialShape: [4] });
 * conv.add(a, b).features; // Float32Array [1, 12, 20]
 * ```
 */
export function add(a: SparseTensor, b: SparseTensor): SparseTensor {
  const [left, right] = [sparseTensor(a, 'a'), sparseTensor(b, 'b')];
  const { channels } = left;
  if (right.channels !== channels)
    throw rangeError('ERR_SK_SHAPE', `expected b to have ${channels} channels, as a, but received ${right.channels}`);
  const union = unite(left, right);
  const features = allocate('float32', rowsOf(union.sites) * channels, 'the sum');
  for (const [{ features: from }, rows] of [
    [left, union.a],
    [right, union.b],
  ] as const) {
    for (let row = 0; row < rows.length; row++) {
      const to = (rows[row] as number) * channels;
      for (let c = 0; c < channels; c++) features[to + c] = (features[to + c] as number) + (from[row * channels + c] as number);
    }
  }
  return withFeatures(union.sites, features, channels);
}

/**
 * Two tensors side by side, channels of `a` first, at the union of their sites; what is not there counts as 0.
 *
 * @throws TypeError `ERR_SK_TYPE` / `ERR_SK_BUFFER`, RangeError `ERR_SK_SHAPE`, SparseKernelsError `ERR_SK_COORDINATES` (another grid)
 * @example
 * ```ts
 * import { conv } from 'sparse-kernels';
 * const a = conv.tensor({ coords: Int32Array.of(0, 1, 0, 2), features: Float32Array.of(1, 2), spatialShape: [4] });
 * const b = conv.tensor({ coords: Int32Array.of(0, 2, 0, 3), features: Float32Array.of(10, 20), spatialShape: [4] });
 * conv.concat(a, b).features; // Float32Array [1, 0,  2, 10,  0, 20]
 * ```
 */
export function concat(a: SparseTensor, b: SparseTensor): SparseTensor {
  const [left, right] = [sparseTensor(a, 'a'), sparseTensor(b, 'b')];
  const channels = left.channels + right.channels;
  const union = unite(left, right);
  const features = allocate('float32', rowsOf(union.sites) * channels, 'the concatenation');
  for (const [from, rows, first] of [
    [left, union.a, 0],
    [right, union.b, left.channels],
  ] as const) {
    for (let row = 0; row < rows.length; row++) {
      const to = (rows[row] as number) * channels + first;
      for (let c = 0; c < from.channels; c++) features[to + c] = from.features[row * from.channels + c] as number;
    }
  }
  return withFeatures(union.sites, features, channels);
}

/** The union of two ascending lists of sites, and where the rows of each went. */
function unite(a: Sites, b: Sites): { sites: Sites; a: Int32Array; b: Int32Array } {
  expectSameGrid(b, a, 'b to be on the grid of a');
  const width = 1 + a.spatialShape.length;
  const [n, m] = [rowsOf(a), rowsOf(b)];
  const rows = { a: allocate('int32', n, 'the rows of a'), b: allocate('int32', m, 'the rows of b') };
  if (a.coords === b.coords) {
    for (let i = 0; i < n; i++) rows.a[i] = rows.b[i] = i;
    return { sites: a, ...rows };
  }
  const coords = allocate('int32', a.coords.length + b.coords.length, 'the coordinates');
  let end = 0;
  for (let i = 0, j = 0; i < n || j < m; end++) {
    const order = i === n ? 1 : j === m ? -1 : compare(a.coords, i * width, b.coords, j * width, width);
    coords.set(order <= 0 ? a.coords.subarray(i * width, (i + 1) * width) : b.coords.subarray(j * width, (j + 1) * width), end * width);
    if (order <= 0) rows.a[i++] = end;
    if (order >= 0) rows.b[j++] = end;
  }
  return { sites: { ...a, coords: end === n ? a.coords : coords.slice(0, end * width) }, ...rows };
}

function compare(a: Int32Array, i: number, b: Int32Array, j: number, width: number): number {
  for (let k = 0; k < width; k++) {
    const difference = (a[i + k] as number) - (b[j + k] as number);
    if (difference !== 0) return difference;
  }
  return 0;
}
