/** Summaries of keys in bfloat16: the upper halves of float32. */

/**
 * Rows of bounds, the least of each channel and then the greatest, as bfloat16: the least rounded down, the greatest up, so that they are
 * bounds still. Numbers beyond the largest finite one stay there: an infinity times a zero of the query would be NaN.
 */
export function outward(bounds: Float32Array, dim: number): Uint16Array {
  const bits = new Uint32Array(bounds.buffer, bounds.byteOffset, bounds.length);
  const rounded = new Uint16Array(bits.length);
  for (let i = 0; i < bits.length; i++) {
    const word = bits[i] as number;
    const upper = word >>> 16;
    const exact = (word & 0xffff) === 0;
    const away = upper >>> 15 === (i % (2 * dim) < dim ? 1 : 0); // from zero: a negative least, a positive greatest
    if ((upper & 0x7f80) === 0x7f80)
      rounded[i] = exact ? upper : 0x7fc0; // infinity or NaN
    else rounded[i] = exact || !away || (upper & 0x7fff) === 0x7f7f ? upper : upper + 1;
  }
  return rounded;
}

/** Rounded to nearest, ties to even. Numbers beyond the largest finite one stay there, for the same reason. */
export function nearest(x: Float32Array): Uint16Array {
  const rounded = new Uint16Array(x.length);
  const bits = new Uint32Array(x.buffer, x.byteOffset, x.length);
  for (let i = 0; i < bits.length; i++) {
    const word = bits[i] as number;
    const upper = word >>> 16;
    if ((upper & 0x7f80) === 0x7f80) {
      rounded[i] = (word & 0x7fffff) === 0 ? upper : 0x7fc0; // infinity or NaN
    } else {
      const up = (word & 0xffff) + (upper & 1) > 0x8000 && (upper & 0x7fff) !== 0x7f7f;
      rounded[i] = up ? upper + 1 : upper;
    }
  }
  return rounded;
}
