import { type SimulatedCase, shortTypes } from './cases.js';

type Row = [
  tokens: number,
  inputs: number,
  out: number,
  dtype: keyof typeof shortTypes,
  pattern: string,
  partTokens: number,
  partOut: number,
  sharing?: 'venom' | 'columns', // rows share 4 of m columns, or n
  rows?: 128 | 64 | 32 | 16,
];

/** Products with sparse weights against dense ones: parts are whole tiles, over all inputs. */
const rows: readonly Row[] = [
  [4096, 4096, 4096, 'float16', '2:4', 128, 256],
  [4096, 8192, 1024, 'float16', '2:4', 128, 256],
  [768, 768, 768, 'float16', '2:4', 768, 768],
  [4096, 1280, 5120, 'bfloat16', '2:4', 128, 256], // the MLP of SAM's ViT-H, one image
  [4096, 5120, 1280, 'bfloat16', '2:4', 128, 256],
  [2048, 4096, 11008, 'bfloat16', '2:4', 128, 256],
  [4096, 4096, 4096, 'int8', '2:4', 128, 128],
  [4096, 4096, 4096, 'w8a8', '2:4', 128, 256],
  [4096, 4096, 4096, 'tf32', '1:4', 128, 256],
  [4096, 4096, 4096, 'float16', '2:8', 128, 128, 'venom', 128],
  [4096, 4096, 4096, 'float16', '2:8', 128, 64, 'venom', 64],
  [4096, 4096, 4096, 'float16', '2:8', 128, 64, 'venom', 32],
  [4096, 4096, 4096, 'float16', '2:16', 128, 128, 'venom', 128],
  [4096, 4096, 4096, 'float16', '2:16', 128, 64, 'venom', 64],
  [4096, 4096, 4096, 'float16', '2:16', 128, 64, 'venom', 16],
  [4096, 4096, 4096, 'float16', '2:8', 128, 128, 'columns', 128],
  [16, 4096, 4096, 'float16', '2:4', 16, 4096],
  [16, 4096, 4096, 'int8', '2:4', 16, 4096],
  [16, 4096, 4096, 'w8a8', '2:4', 16, 4096],
  [1, 4096, 4096, 'float16', '2:4', 1, 4096],
  [1, 4096, 4096, 'int8', '2:4', 1, 4096],
  // The floor of few tokens: 3.5 bits of a dense weight in groups of 32, 2 of values, 1 of metadata, 0.5 of scales; 3.25 in groups of 128.
  [1, 4096, 4096, 'int4', '2:4', 1, 4096],
  [16, 4096, 4096, 'int4', '2:4', 16, 4096],
  [16, 4096, 4096, 'int4-128', '2:4', 16, 4096],
  [64, 4096, 4096, 'int4', '2:4', 64, 4096],
  [4096, 4096, 4096, 'int4', '2:4', 128, 128],
  [4096, 4096, 4096, 'int4-128', '2:4', 128, 128],
  [512, 4096, 4096, 'float32', '2:4', 128, 64],
  [512, 4096, 4096, 'float32', '1:8', 128, 64],
  [512, 4096, 4096, 'float16', '1:8', 128, 64],
  [512, 4096, 4096, 'int8', '1:8', 128, 64],
  [512, 4096, 4096, 'w8a8', '1:8', 128, 64],
];

export const nmCases: readonly SimulatedCase[] = rows.map(([tokens, inputs, out, dtype, pattern, partTokens, partOut, sharing, rows]) => {
  const scaleBytes = { int4: 2 / 32, 'int4-128': 2 / 64 }[dtype as string] ?? 0; // of a dense weight; a tile of 64 inputs has its own
  const elementBytes = { float32: 4, float16: 2, bfloat16: 2, int8: 1, int4: 0.5, 'int4-128': 0.5, w8a8: 1, tf32: 4 }[dtype];
  const xBytes = dtype === 'w8a8' ? 1 : Math.max(elementBytes, 2); // of the type that is multiplied
  const [n, m] = pattern.split(':').map(Number) as [number, number];
  // Tiles: values and two bits for each. Cells: values and a byte for each.
  const weightBytes = inputs * out * ((n / m) * (elementBytes + (dtype !== 'float32' && m === 4 ? 0.25 : 1)) + scaleBytes);
  const others = tokens * inputs * xBytes + tokens * out * 4; // float32 y
  return {
    name: `${shortTypes[dtype]}-${tokens}x${inputs}x${out}-${pattern}${sharing ? `-${sharing}${rows}` : ''}`,
    program: 'product.ts',
    args: [partTokens, inputs, partOut, dtype, pattern, sharing ?? '', rows ?? 1],
    onOneMultiprocessor: partTokens * partOut < tokens * out,
    scale: ((tokens / partTokens) * out) / partOut,
    operandScale: tokens / partTokens,
    bytes: weightBytes + others,
    dense: {
      multiplyAdds: tokens * inputs * out,
      type: dtype === 'float32' ? 'float' : dtype === 'w8a8' ? 'int8' : dtype === 'tf32' ? 'tf32' : 'half',
      bytes: inputs * out * xBytes + others,
    },
  };
});
