import { randomSource } from './random.js';

/** y = x · Wᵀ with x [tokens, in] and W [out, in], dense, row by row. */
export interface Product {
  readonly x: Float32Array;
  readonly weight: Float32Array;
  readonly tokens: number;
  readonly in: number;
  readonly out: number;
  /** The most by which x may be off where it is quantised. */
  readonly xError?: number;
}

/** Deviations of a sum of rounding errors, each equally likely within its range, that no output reaches. */
const SIGMAS = 7;
/** Up to this many multiply-adds every output is checked, beyond it a sample. */
const CHEAP = 2 ** 24;
const SAMPLES = 2048;
const FLOAT32_ROUNDOFF = 2 ** -24;

/**
 * Returns a comparator of float32 outputs with float64 sums over the dense operands.
 *
 * Rounding errors of K added terms grow like sqrt(K) times their magnitude; a term left out or taken twice is far larger.
 * The comparator says in words what is wrong, or returns undefined.
 */
export function productOracle(product: Product): (y: Float32Array) => string | undefined {
  const places = placesToCheck(product);
  const expected = new Float64Array(places.length);
  const tolerance = new Float64Array(places.length);
  places.forEach((place, i) => {
    const { sum, magnitude, norm } = dot(product, Math.floor(place / product.out), place % product.out);
    expected[i] = sum;
    tolerance[i] = 2 * FLOAT32_ROUNDOFF * Math.sqrt(product.in) * magnitude + (SIGMAS / Math.sqrt(3)) * (product.xError ?? 0) * norm;
  });
  return (y) => {
    const unwritten = y.findIndex(Number.isNaN);
    if (unwritten >= 0) return `output ${unwritten} is NaN`;
    const off = (place: number, i: number) => !(Math.abs((y[place] as number) - (expected[i] as number)) <= (tolerance[i] as number));
    const first = places.findIndex(off);
    if (first < 0) return undefined;
    const place = places[first] as number;
    const where = `y[${Math.floor(place / product.out)}, ${place % product.out}]`;
    const bad = places.filter(off).length;
    return `${where} is ${y[place]}, expected ${expected[first]}; ${bad} of ${places.length} checked outputs differ`;
  };
}

function placesToCheck({ tokens, in: inFeatures, out }: Product): number[] {
  const outputs = tokens * out;
  if (outputs * inFeatures <= CHEAP) return Array.from({ length: outputs }, (_, place) => place);
  const corners = [0, out - 1, (tokens - 1) * out, outputs - 1];
  const next = randomSource(7);
  return [...corners, ...Array.from({ length: SAMPLES }, () => next() % outputs)];
}

function dot({ x, weight, in: inFeatures }: Product, token: number, output: number) {
  let sum = 0;
  let magnitude = 0;
  let squares = 0;
  for (let k = 0; k < inFeatures; k++) {
    const w = weight[output * inFeatures + k] as number;
    const term = (x[token * inFeatures + k] as number) * w;
    squares += w * w;
    sum += term;
    magnitude += Math.abs(term);
  }
  return { sum, magnitude, norm: Math.sqrt(squares) };
}
