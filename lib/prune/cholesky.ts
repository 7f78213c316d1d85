/**
 * The upper triangular U with UᵀU = H⁻¹, positive diagonal, for a symmetric positive definite H [n, n], or undefined if H is not.
 *
 * H = R Rᵀ with R upper triangular is the Cholesky factorisation that runs from the last row up. Then H⁻¹ = R⁻ᵀ R⁻¹ and U = R⁻¹: one
 * factorisation and one triangular inverse, n³/3 multiplications in all, instead of the two factorisations and the full inverse that the
 * formula suggests. All inner loops run along rows.
 */
export function inverseFactor(h: Float64Array, n: number): Float64Array | undefined {
  const r = factor(h, n);
  return r && invertUpper(r, n);
}

/** R, from the last row up, so that each of its elements is a dot product of two rows that are there already. */
function factor(h: Float64Array, n: number): Float64Array | undefined {
  const r = new Float64Array(n * n);
  for (let i = n - 1; i >= 0; i--) {
    let j = n - 1;
    for (; j - 1 > i; j -= 2) {
      const [sum, next] = twoDots(r, i * n, j * n, (j - 1) * n, j + 1, n);
      const value = ((h[i * n + j] as number) - sum) / (r[j * n + j] as number);
      r[i * n + j] = value;
      const rest = next + value * (r[(j - 1) * n + j] as number);
      r[i * n + j - 1] = ((h[i * n + j - 1] as number) - rest) / (r[(j - 1) * n + j - 1] as number);
    }
    if (j > i) r[i * n + j] = ((h[i * n + j] as number) - dot(r, i * n, j * n, j + 1, n)) / (r[j * n + j] as number);
    const pivot = (h[i * n + i] as number) - dot(r, i * n, i * n, i + 1, n);
    if (!(pivot > 0)) return undefined;
    r[i * n + i] = Math.sqrt(pivot);
  }
  return r;
}

/** Sum over k in [from, to) of row a times row b. */
function dot(r: Float64Array, a: number, b: number, from: number, to: number): number {
  let sum = 0;
  for (let k = from; k < to; k++) sum += (r[a + k] as number) * (r[b + k] as number);
  return sum;
}

/** The dot products of row a with the rows b and c: four sums, as the latency of an addition is four cycles. */
function twoDots(r: Float64Array, a: number, b: number, c: number, from: number, to: number): [number, number] {
  let [b0, b1, c0, c1] = [0, 0, 0, 0];
  let k = from;
  for (; k + 2 <= to; k += 2) {
    const [a0, a1] = [r[a + k] as number, r[a + k + 1] as number];
    b0 += a0 * (r[b + k] as number);
    b1 += a1 * (r[b + k + 1] as number);
    c0 += a0 * (r[c + k] as number);
    c1 += a1 * (r[c + k + 1] as number);
  }
  if (k < to) {
    b0 += (r[a + k] as number) * (r[b + k] as number);
    c0 += (r[a + k] as number) * (r[c + k] as number);
  }
  return [b0 + b1, c0 + c1];
}

type Four = [number, number, number, number];

/** U = R⁻¹ row by row from below: R_ii U_i = e_i - sum over k > i of R_ik U_k. */
function invertUpper(r: Float64Array, n: number): Float64Array {
  const u = new Float64Array(n * n);
  for (let i = n - 1; i >= 0; i--) {
    const diagonal = 1 / (r[i * n + i] as number);
    for (let k = i + 1; k < n; k += 4) {
      // Four rows at a time: what is below the diagonal of U is 0, so all may begin at the first one's diagonal.
      const [a, b, c, d] = [k, k + 1, k + 2, k + 3].map((row) => (row < n ? (r[i * n + row] as number) * diagonal : 0)) as Four;
      const [ka, kb, kc, kd] = [k, k + 1, k + 2, k + 3].map((row) => Math.min(row, n - 1) * n) as Four;
      for (let j = k; j < n; j++) {
        const below = a * (u[ka + j] as number) + b * (u[kb + j] as number) + (c * (u[kc + j] as number) + d * (u[kd + j] as number));
        u[i * n + j] = (u[i * n + j] as number) - below;
      }
    }
    u[i * n + i] = diagonal;
  }
  return u;
}
