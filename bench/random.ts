/** Uniform 32-bit numbers, the same for the same seed (xorshift32). */
export function randomSource(seed: number): () => number {
  let state = seed | 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}

/** The matrix of some sixteen million made last: one case after another wants the same. */
let large: { readonly count: number; readonly seed: number; readonly values: Float32Array } | undefined;

/**
 * Normal random numbers, drawn from a pool of 65536 of them: a matrix of sixteen million elements should not take longer
 * to make than to multiply. Not to be written to.
 */
export function normals(count: number, seed: number): Float32Array {
  if (count === large?.count && seed === large.seed) return large.values;
  const next = randomSource(seed);
  const pool = Float32Array.from({ length: 1 << 16 }, () => {
    const radius = Math.sqrt(-2 * Math.log((next() + 1) / 2 ** 32));
    return radius * Math.cos((2 * Math.PI * next()) / 2 ** 32);
  });
  const values = new Float32Array(count);
  for (let i = 0; i < count; i++) values[i] = pool[next() >>> 16] as number;
  if (count >= 1 << 24 && count < 1 << 26) large = { count, seed, values };
  return values;
}
