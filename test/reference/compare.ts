/** What a comparison found: the worst element, or null where everything is within tolerance. */
export interface Mismatch {
  index: number;
  actual: number;
  expected: number;
  tolerance: number;
}

/**
 * First element with !(|actual - expected| <= tolerance): written so that NaN fails, unless both are NaN; equal infinities pass.
 * A length that differs is a mismatch at the shorter length.
 */
export function firstMismatch(actual: ArrayLike<number>, expected: ArrayLike<number>, tolerance: number): Mismatch | null {
  for (let index = 0; index < Math.max(actual.length, expected.length); index++) {
    const a = index < actual.length ? (actual[index] as number) : Number.NaN;
    const e = index < expected.length ? (expected[index] as number) : Number.NaN;
    const missing = index >= actual.length || index >= expected.length;
    if (!missing && (Object.is(a, e) || a === e)) continue;
    if (missing || !(Math.abs(a - e) <= tolerance)) return { index, actual: a, expected: e, tolerance };
  }
  return null;
}

/** Largest absolute value, 0 for none. */
export function maxAbs(values: ArrayLike<number>): number {
  let max = 0;
  for (let i = 0; i < values.length; i++) max = Math.max(max, Math.abs(values[i] as number));
  return max;
}

/** float32 error bound of a dot product of k terms: the classic k * eps * max|x| * max|w|, plus the rounding of the bias. */
export function dotTolerance(k: number, maxX: number, maxW: number, maxBias: number): number {
  const eps = 2 ** -23;
  return (k + 1) * eps * (maxX * maxW) + eps * maxBias + Number.MIN_VALUE;
}
