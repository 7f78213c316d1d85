/**
 * The quantile function of the standard normal distribution, to about 1e-9 of the result.
 *
 * Rational approximations of Acklam (2003) for the centre and the tails.
 */
export function inverseNormal(p: number): number {
  if (!(p > 0 && p < 1)) return p <= 0 ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  const low = 0.02425;
  if (p > 1 - low) return -tail(Math.sqrt(-2 * Math.log(1 - p)));
  if (p < low) return tail(Math.sqrt(-2 * Math.log(p)));
  const q = p - 0.5;
  const r = q * q;
  return (q * polynomial(centre, r)) / polynomial(centreBelow, r);
}

const tail = (q: number) => polynomial(tails, q) / polynomial(tailsBelow, q);

/** Coefficients from the highest power down. */
const polynomial = (coefficients: readonly number[], x: number) => coefficients.reduce((sum, c) => sum * x + c, 0);

const centre = [
  -3.969683028665376e1, 2.209460984245205e2, -2.759285104469687e2, 1.38357751867269e2, -3.066479806614716e1, 2.506628277459239,
];
const centreBelow = [-5.447609879822406e1, 1.615858368580409e2, -1.556989798598866e2, 6.680131188771972e1, -1.328068155288572e1, 1];
const tails = [-7.784894002430293e-3, -3.223964580411365e-1, -2.400758277161838, -2.549732539343734, 4.374664141464968, 2.938163982698783];
const tailsBelow = [7.784695709041462e-3, 3.224671290700398e-1, 2.445134137142996, 3.754408661907416, 1];
