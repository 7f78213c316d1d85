/** Rounding to 16-bit floating point by arithmetic: to the nearest, ties to even. Bits and values of both formats. */
export type HalfType = 'float16' | 'bfloat16';

const formats = {
  float16: { fraction: 10, lowest: -14, largest: 65504 },
  bfloat16: { fraction: 7, lowest: -126, largest: (2 - 2 ** -7) * 2 ** 127 },
};

export function roundTo(type: HalfType, x: number): number {
  const { fraction, lowest, largest } = formats[type];
  if (!Number.isFinite(x) || x === 0) return x;
  const quantum = 2 ** (Math.max(exponentOf(x), lowest) - fraction);
  const steps = x / quantum;
  const floor = Math.floor(steps);
  const up = steps - floor > 0.5 || (steps - floor === 0.5 && floor % 2 !== 0);
  const rounded = (floor + (up ? 1 : 0)) * quantum;
  return Math.abs(rounded) > largest ? Math.sign(x) * Number.POSITIVE_INFINITY : rounded;
}

/** float32 with 10 bits of fraction, ties away from zero. */
export function roundToTf32(x: number): number {
  if (!Number.isFinite(x) || x === 0) return x;
  const quantum = 2 ** (Math.max(exponentOf(x), -126) - 10);
  return Math.sign(x) * Math.floor(Math.abs(x) / quantum + 0.5) * quantum;
}

/** The bits of values that are representable. */
export function halfBits(type: HalfType, values: ArrayLike<number>): Uint16Array {
  const { fraction, lowest } = formats[type];
  return Uint16Array.from(values, (x) => {
    const exponent = x === 0 ? lowest : Math.max(exponentOf(x), lowest);
    const significand = Math.abs(x) / 2 ** (exponent - fraction); // below 2^(fraction + 1); denormals have no leading one
    const biased = significand < 2 ** fraction ? 0 : exponent - lowest + 1;
    const sign = x < 0 || Object.is(x, -0) ? 2 ** 15 : 0;
    return sign + biased * 2 ** fraction + (significand % 2 ** fraction);
  });
}

export function halfValues(type: HalfType, bits: ArrayLike<number>): Float64Array {
  const { fraction, lowest } = formats[type];
  return Float64Array.from(bits, (b) => {
    const biased = Math.floor((b % 2 ** 15) / 2 ** fraction);
    const part = b % 2 ** fraction;
    if (biased === 2 ** (15 - fraction) - 1) return part ? Number.NaN : b >= 2 ** 15 ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
    const magnitude = (biased ? 2 ** fraction + part : part) * 2 ** (Math.max(biased, 1) - 1 + lowest - fraction);
    return b >= 2 ** 15 ? -magnitude : magnitude;
  });
}

/** Every `group` inputs of a token (default: all) in 127 steps of their largest magnitude, to nearest, ties to even, in single precision as it is defined. */
export function quantiseTokens(x: Float32Array, inputs: number, group = inputs): Float32Array {
  const quantised = new Float32Array(x.length);
  for (let row = 0; row < x.length; row += inputs) {
    for (let first = row; first < row + inputs; first += group) {
      const end = Math.min(first + group, row + inputs);
      const scale = Math.fround(x.subarray(first, end).reduce((most, v) => Math.max(most, Math.abs(v)), 0) / 127);
      for (let i = first; i < end && scale > 0; i++) {
        const steps = Math.fround((x[i] as number) * Math.fround(1 / scale));
        const floor = Math.floor(steps);
        const up = steps - floor > 0.5 || (steps - floor === 0.5 && floor % 2 !== 0);
        quantised[i] = (floor + Number(up)) * scale;
      }
    }
  }
  return quantised;
}

function exponentOf(x: number): number {
  const exponent = Math.floor(Math.log2(Math.abs(x)));
  if (2 ** exponent > Math.abs(x)) return exponent - 1;
  return 2 ** (exponent + 1) <= Math.abs(x) ? exponent + 1 : exponent;
}
