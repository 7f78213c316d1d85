import { rangeError } from '../errors.js';
import { atOnce, inTurns, type Steps, slices } from '../slices.js';
import { allocate, typedArray } from '../tensor.js';
import { rowwise, rowwiseSync } from './rowwise.js';
import { expectSameGrid, rowsOf, type Sites, sameSites } from './sites.js';
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
  const [left, right] = summands(a, b);
  if (sameSites(left, right)) return rowwiseSync(left, { added: right.features });
  return atOnce(combined(left, right, left.channels, 0));
}

/**
 * {@link add} off the event loop, or a slice at a time: for many sites. Features must not change until the promise settles.
 *
 * @throws (rejects) as {@link add}
 * @example
 * ```ts
 * import { conv } from 'sparse-kernels';
 * const a = conv.tensor({ coords: Int32Array.of(0, 1, 0, 2), features: Float32Array.of(1, 2), spatialShape: [4] });
 * (await conv.addAsync(a, a)).features; // Float32Array [2, 4]
 * ```
 */
export async function addAsync(a: SparseTensor, b: SparseTensor): Promise<SparseTensor> {
  const [left, right] = summands(a, b);
  if (sameSites(left, right)) return rowwise(left, { added: right.features }, { x: false }, undefined);
  return inTurns(combined(left, right, left.channels, 0));
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
  return atOnce(joined(a, b));
}

/**
 * {@link concat}, a slice at a time, so that other turns of the event loop come in between: for many sites.
 *
 * @throws (rejects) as {@link concat}
 * @example
 * ```ts
 * import { conv } from 'sparse-kernels';
 * const a = conv.tensor({ coords: Int32Array.of(0, 1, 0, 2), features: Float32Array.of(1, 2), spatialShape: [4] });
 * (await conv.concatAsync(a, a)).channels; // 2
 * ```
 */
export async function concatAsync(a: SparseTensor, b: SparseTensor): Promise<SparseTensor> {
  return inTurns(joined(a, b));
}

function summands(a: SparseTensor, b: SparseTensor): [SparseTensor, SparseTensor] {
  const [left, right] = [sparseTensor(a, 'a'), sparseTensor(b, 'b')];
  if (right.channels !== left.channels) {
    throw rangeError('ERR_SK_SHAPE', `expected b to have ${left.channels} channels, as a, but received ${right.channels}`);
  }
  expectSameGrid(right, left, 'b to be on the grid of a');
  return [left, right];
}

function joined(a: SparseTensor, b: SparseTensor): Steps<SparseTensor> {
  const [left, right] = [sparseTensor(a, 'a'), sparseTensor(b, 'b')];
  expectSameGrid(right, left, 'b to be on the grid of a');
  return combined(left, right, left.channels + right.channels, left.channels);
}

/** Both at the union of their sites; the channels of `b` begin at `firstOfB`, 0: on those of `a`, which they are added to. */
function* combined(a: SparseTensor, b: SparseTensor, channels: number, firstOfB: number): Steps<SparseTensor> {
  const [n, m] = [rowsOf(a), rowsOf(b)];
  const union = yield* unite(a, b);
  const features = allocate('float32', rowsOf(union.sites) * channels, 'the features');
  for (const [x, count, rows, offset, name] of [
    [a, n, union.a, 0, 'a'],
    [b, m, union.b, firstOfB, 'b'],
  ] as const) {
    for (const [first, end] of slices(count * x.channels, x.channels)) {
      const from = typedArray(x.features, 'float32', `${name}.features`); // it may have been transferred away
      for (let at = first; at < end; at += x.channels) {
        const row = at / x.channels;
        const to = (rows?.[row] ?? row) * channels + offset;
        if (name === 'b' && offset === 0) {
          for (let c = 0; c < x.channels; c++) features[to + c] = (features[to + c] as number) + (from[at + c] as number);
        } else {
          for (let c = 0; c < x.channels; c++) features[to + c] = from[at + c] as number;
        }
      }
      yield;
    }
  }
  return withFeatures(union.sites, features, channels);
}

/** The union of two ascending lists of sites, and where the rows of each went; none: where they were. */
function* unite(a: Sites, b: Sites): Steps<{ sites: Sites; a?: Int32Array; b?: Int32Array }> {
  if (sameSites(a, b)) return { sites: a };
  const width = 1 + a.spatialShape.length;
  const [n, m] = [rowsOf(a), rowsOf(b)];
  const rows = { a: allocate('int32', n, 'the rows of a'), b: allocate('int32', m, 'the rows of b') };
  const coords = allocate('int32', a.coords.length + b.coords.length, 'the coordinates');
  let [i, j, end] = [0, 0, 0];
  for (const [, stop] of slices(n + m, 1)) {
    const [left, right] = [typedArray(a.coords, 'int32', 'a.coords'), typedArray(b.coords, 'int32', 'b.coords')];
    for (; end < stop && (i < n || j < m); end++) {
      const order = i === n ? 1 : j === m ? -1 : compare(left, i * width, right, j * width, width);
      const [from, row] = order <= 0 ? [left, i] : [right, j];
      for (let k = 0; k < width; k++) coords[end * width + k] = from[row * width + k] as number;
      if (order <= 0) rows.a[i++] = end;
      if (order >= 0) rows.b[j++] = end;
    }
    yield;
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
