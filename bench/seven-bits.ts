/**
 * A weight [out, in] as int8 in -63 .. 63 with a scale for each output: with eight bits onnxruntime's sums of two saturate where there is no
 * VNNI (its `reduce_range`), so both sides get seven.
 */
export function sevenBits(
  weight: Float32Array,
  out: number,
  inputs: number,
): { steps: Int8Array<ArrayBuffer>; scale: Float32Array<ArrayBuffer> } {
  const scale = new Float32Array(out);
  const steps = new Int8Array(weight.length);
  for (let o = 0; o < out; o++) {
    let largest = 0;
    for (let i = o * inputs; i < (o + 1) * inputs; i++) largest = Math.max(largest, Math.abs(weight[i] as number));
    const s = Math.fround(largest / 63) || 1;
    scale[o] = s;
    for (let i = o * inputs; i < (o + 1) * inputs; i++) steps[i] = Math.round((weight[i] as number) / s);
  }
  return { steps, scale };
}
