/** Small seeded generator (mulberry32), so that every case is the same on every machine. */
export function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Integers from -4 to 4: sums of their products are exact in float32, so results must agree bit for bit. */
export function smallIntegers(length: number, seed: number): Float32Array {
  const next = generator(seed);
  return Float32Array.from({ length }, () => Math.floor(next() * 9) - 4);
}

/** Uniform in [-1, 1). */
export function uniform(length: number, seed: number): Float32Array {
  const next = generator(seed);
  return Float32Array.from({ length }, () => 2 * next() - 1);
}

/** A copy that starts `floats` elements into a larger buffer: aligned to 4 bytes only. */
export function misaligned(data: Float32Array, floats = 1): Float32Array {
  const view = new Float32Array(data.length + floats).subarray(floats);
  view.set(data);
  return view;
}
