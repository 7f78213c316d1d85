/**
 * A weight [out, in] as int8 in -63 .. 63 with a scale for each output: with eight bits onnxruntime's sums of two saturate where there is no
 * VNNI (its `reduce_range`), so both sides get seven.
 */
export function sevenBits(
  weight: Float32Array,
  out: number,
  inputs: number,
): { steps: Int8Array<ArrayBuffer>; scale: Float32Array<ArrayBuffer> } {
  const largest = (o: number) => weight.subarray(o * inputs, (o + 1) * inputs).reduce((most, w) => Math.max(most, Math.abs(w)), 0);
  const scale = Float32Array.from({ length: out }, (_, o) => largest(o) / 63 || 1);
  const steps = new Int8Array(weight.length);
  for (let i = 0; i < weight.length; i++) steps[i] = Math.round((weight[i] as number) / (scale[Math.floor(i / inputs)] as number));
  return { steps, scale };
}
