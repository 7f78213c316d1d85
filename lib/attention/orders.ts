/** Orders of tokens that bring together what attends to the same keys, for {@link permute}. */
import { rangeError } from '../errors.js';
import { typedArray } from '../tensor.js';
import { describe, integer } from '../validate.js';

/**
 * Each segment of tokens by descending score; ties keep their order.
 *
 * @param scores - float32 [tokens]
 * @param segment - tokens of a segment; the last may be shorter
 * @throws TypeError `ERR_SK_TYPE`, RangeError `ERR_SK_OPTION`
 * @example
 * ```ts
 * import { attention } from 'sparse-kernels';
 * attention.orders.segments(Float32Array.of(1, 2, 3, 9), 2); // Int32Array [1, 0, 3, 2]
 * ```
 */
export function segments(scores: Float32Array, segment: number): Int32Array {
  const values = typedArray(scores, 'float32', 'scores');
  const width = integer(segment, 'segment', 1, 2 ** 31 - 1);
  const order = Int32Array.from(values, (_, t) => t);
  for (let first = 0; first < order.length; first += width) {
    order.subarray(first, first + width).sort((a, b) => (values[b] as number) - (values[a] as number) || a - b);
  }
  return order;
}

/** Sizes of a grid of tokens, the fastest axis last: [height, width] or [frames, height, width]. */
export type GridSize = readonly [number, number] | readonly [number, number, number];

/**
 * The tokens of a grid along the Z-order curve: tokens of an aligned square (cube) of 2^n lie together.
 *
 * Morton, "A computer oriented geodetic data base and a new technique in file sequencing" (1966).
 *
 * @throws TypeError `ERR_SK_TYPE`, RangeError `ERR_SK_OPTION`
 * @example
 * ```ts
 * import { attention } from 'sparse-kernels';
 * attention.orders.morton([2, 4]); // Int32Array [0, 1, 4, 5, 2, 3, 6, 7]
 * ```
 */
export function morton(grid: GridSize): Int32Array {
  const sizes = sizesOf(grid);
  const tokens = sizes.reduce((a, b) => a * b, 1);
  const codes = new Float64Array(tokens);
  for (let t = 0; t < tokens; t++) {
    let rest = t;
    for (let axis = sizes.length - 1; axis >= 0; axis--) {
      const at = rest % (sizes[axis] as number);
      rest = Math.floor(rest / (sizes[axis] as number));
      // 17 bits of three axes fit exactly into a double.
      for (let bit = 0; bit < 17; bit++)
        if ((at >> bit) & 1) codes[t] = (codes[t] as number) + 2 ** (bit * sizes.length + sizes.length - 1 - axis);
    }
  }
  return Int32Array.from({ length: tokens }, (_, t) => t).sort((a, b) => (codes[a] as number) - (codes[b] as number));
}

/**
 * The tokens of a plane along a generalised Hilbert curve: neighbours in the order are neighbours in the plane, whatever its sides (one
 * diagonal step where both are odd or the larger one is).
 *
 * Gilbert, after Červený, "Generalized Hilbert space-filling curve for rectangular domains" (2018).
 *
 * @throws TypeError `ERR_SK_TYPE`, RangeError `ERR_SK_OPTION`
 * @example
 * ```ts
 * import { attention } from 'sparse-kernels';
 * attention.orders.gilbert([2, 2]); // Int32Array [0, 2, 3, 1]
 * ```
 */
export function gilbert(grid: readonly [height: number, width: number]): Int32Array {
  const [height, width] = sizesOf(grid) as [number, number];
  const order: number[] = [];
  // A rectangle from (x, y) along the major axis a and the minor axis b.
  const walk = (x: number, y: number, ax: number, ay: number, bx: number, by: number): void => {
    const [w, h] = [Math.abs(ax + ay), Math.abs(bx + by)];
    const [dax, day, dbx, dby] = [ax, ay, bx, by].map(Math.sign) as [number, number, number, number];
    if (h === 1 || w === 1) {
      const [n, dx, dy] = h === 1 ? [w, dax, day] : [h, dbx, dby];
      for (let i = 0; i < n; i++) order.push((y + i * dy) * width + x + i * dx);
      return;
    }
    let [ax2, ay2, bx2, by2] = [ax, ay, bx, by].map((n) => Math.trunc(n / 2)) as [number, number, number, number];
    if (2 * w > 3 * h) {
      if (Math.abs(ax2 + ay2) % 2 === 1 && w > 2) [ax2, ay2] = [ax2 + dax, ay2 + day]; // even steps are preferred
      walk(x, y, ax2, ay2, bx, by);
      walk(x + ax2, y + ay2, ax - ax2, ay - ay2, bx, by);
      return;
    }
    if (Math.abs(bx2 + by2) % 2 === 1 && h > 2) [bx2, by2] = [bx2 + dbx, by2 + dby];
    walk(x, y, bx2, by2, ax2, ay2);
    walk(x + bx2, y + by2, ax, ay, bx - bx2, by - by2);
    walk(x + ax - dax + bx2 - dbx, y + ay - day + by2 - dby, -bx2, -by2, -(ax - ax2), -(ay - ay2));
  };
  if (width >= height) walk(0, 0, width, 0, 0, height);
  else walk(0, 0, 0, height, width, 0);
  return Int32Array.from(order);
}

function sizesOf(grid: readonly number[]): number[] {
  if (!Array.isArray(grid) || grid.length < 2 || grid.length > 3) {
    throw rangeError('ERR_SK_OPTION', `expected the sizes of two or three axes but received ${describe(grid)}`);
  }
  return grid.map((size, axis) => integer(size, `grid[${axis}]`, 1, 2 ** 17));
}
