/**
 * Singular value decomposition by one-sided Jacobi rotations (Hestenes 1958): pairs of rows are rotated until all are orthogonal; their
 * lengths are then the singular values. Accurate to the last digits, and short; about n² m multiplications for each of some 8 sweeps.
 */
export interface Svd {
  /** Descending. */
  readonly values: Float64Array;
  /** For each singular value a left vector of length n. */
  readonly left: readonly Float64Array[];
  /** For each singular value a right vector of length m; zeros where the value is 0. */
  readonly right: readonly Float64Array[];
}

const SWEEPS = 40;
const TOLERANCE = 1e-14;

/** Of the matrix with these rows, at most as many as columns. `rows` become scratch memory. */
export function svd(rows: readonly Float64Array[]): Svd {
  const n = rows.length;
  const turns = rows.map((_, i) => {
    const unit = new Float64Array(n);
    unit[i] = 1;
    return unit;
  });
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    let rotated = false;
    for (let i = 0; i < n; i++) {
      for (let j = i + 1; j < n; j++) {
        const [a, b] = [rows[i] as Float64Array, rows[j] as Float64Array];
        const [aa, bb, ab] = products(a, b);
        if (Math.abs(ab) <= TOLERANCE * Math.sqrt(aa * bb)) continue;
        rotated = true;
        const slope = (bb - aa) / (2 * ab);
        const tangent = (slope < 0 ? -1 : 1) / (Math.abs(slope) + Math.sqrt(1 + slope * slope));
        const cosine = 1 / Math.sqrt(1 + tangent * tangent);
        rotate(a, b, cosine, cosine * tangent);
        rotate(turns[i] as Float64Array, turns[j] as Float64Array, cosine, cosine * tangent);
      }
    }
    if (!rotated) break;
  }
  const lengths = rows.map((row) => Math.sqrt(products(row, row)[0]));
  const order = lengths.map((_, i) => i).sort((i, j) => (lengths[j] as number) - (lengths[i] as number));
  return {
    values: Float64Array.from(order, (i) => lengths[i] as number),
    left: order.map((i) => turns[i] as Float64Array),
    right: order.map((i) => (rows[i] as Float64Array).map((value) => (lengths[i] ? value / (lengths[i] as number) : 0))),
  };
}

/** a·a, b·b, a·b. */
function products(a: Float64Array, b: Float64Array): [number, number, number] {
  let [aa, bb, ab] = [0, 0, 0];
  for (let k = 0; k < a.length; k++) {
    const [x, y] = [a[k] as number, b[k] as number];
    aa += x * x;
    bb += y * y;
    ab += x * y;
  }
  return [aa, bb, ab];
}

function rotate(a: Float64Array, b: Float64Array, cosine: number, sine: number): void {
  for (let k = 0; k < a.length; k++) {
    const [x, y] = [a[k] as number, b[k] as number];
    a[k] = cosine * x - sine * y;
    b[k] = sine * x + cosine * y;
  }
}
