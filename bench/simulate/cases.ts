/** A product on the device and the part of it that is simulated: whole tiles, over all inputs, so that the rest is more of the same. */
export interface SimulatedCase {
  readonly name: string;
  readonly tokens: number;
  readonly in: number;
  readonly out: number;
  readonly dtype: 'float16' | 'bfloat16' | 'float32' | 'int8';
  readonly pattern: string;
  readonly slice: { readonly tokens: number; readonly out: number };
}

//     tokens    in   out  dtype  pattern      simulated tokens, out
const rows: readonly [number, number, number, SimulatedCase['dtype'], string, number, number][] = [
  [4096, 4096, 4096, 'float16', '2:4', 128, 256],
  [4096, 8192, 1024, 'float16', '2:4', 128, 256],
  [768, 768, 768, 'float16', '2:4', 768, 768],
  [2048, 4096, 11008, 'bfloat16', '2:4', 128, 256],
  [4096, 4096, 4096, 'int8', '2:4', 128, 256],
  [16, 4096, 4096, 'float16', '2:4', 16, 4096],
  [16, 4096, 4096, 'int8', '2:4', 16, 4096],
  [1, 4096, 4096, 'float16', '2:4', 1, 4096],
  [512, 4096, 4096, 'float32', '2:4', 128, 64],
  [512, 4096, 4096, 'float32', '1:8', 128, 64],
  [512, 4096, 4096, 'float16', '1:8', 128, 64],
];

export const simulatedCases: readonly SimulatedCase[] = rows.map(([tokens, inFeatures, out, dtype, pattern, sliceTokens, sliceOut]) => ({
  name: `${{ float16: 'f16', bfloat16: 'bf16', float32: 'f32', int8: 'w8a8' }[dtype]}-${tokens}x${inFeatures}x${out}-${pattern}`,
  ...{ tokens, in: inFeatures, out, dtype, pattern },
  slice: { tokens: sliceTokens, out: sliceOut },
}));
