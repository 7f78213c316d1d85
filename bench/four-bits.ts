/** Inputs that share a scale. */
export const FOUR_BIT_GROUP = 32;

/**
 * A weight [out, in] in 4 bits, -8 .. 7 with a scale of 11 bits for each group of inputs of an output, symmetric and to nearest: numbers that
 * both sides hold as they are.
 */
export function fourBits(weight: Float32Array, out: number, inputs: number) {
  const groups = Math.ceil(inputs / FOUR_BIT_GROUP);
  const scale = new Float32Array(out * groups);
  const steps = new Int8Array(weight.length);
  for (let o = 0; o < out; o++) {
    for (let g = 0; g < groups; g++) {
      const first = o * inputs + g * FOUR_BIT_GROUP;
      const end = Math.min(first + FOUR_BIT_GROUP, (o + 1) * inputs);
      let largest = 0;
      for (let i = first; i < end; i++) largest = Math.max(largest, Math.abs(weight[i] as number));
      const s = elevenBits(largest / 7.5);
      scale[o * groups + g] = s;
      for (let i = first; i < end && s > 0; i++) steps[i] = Math.min(7, Math.max(-8, Math.round((weight[i] as number) / s)));
    }
  }
  return { steps, scale };
}

function elevenBits(x: number): number {
  if (x === 0) return 0;
  const unit = 2 ** (Math.floor(Math.log2(x)) - 10);
  return Math.round(x / unit) * unit;
}
