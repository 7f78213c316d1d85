/** Shapes of spmm, chosen against the tiles: vectors of 4, 8 and 16 lanes, groups of 4 vectors, panels of 8 vectors, k blocks of 64 and 128. */
export interface NmCase {
  name: string;
  tokens: number;
  inputs: number;
  outputs: number;
  /** What the weight looks like before pruning. */
  fill?: 'dense' | 'zero' | 'one dense row' | 'half zero';
  activation?: 'relu' | 'gelu' | 'gelu-tanh' | 'silu';
  residual?: boolean;
  gated?: boolean;
  bias?: boolean;
  /** x, weight and out start 4 bytes into their buffers. */
  misaligned?: boolean;
}

export const nmCases: readonly NmCase[] = [
  { name: 'no tokens', tokens: 0, inputs: 8, outputs: 8 },
  { name: 'one of everything', tokens: 1, inputs: 1, outputs: 1, bias: true },
  { name: 'smaller than a group', tokens: 2, inputs: 3, outputs: 2 },
  { name: 'one token, one vector', tokens: 1, inputs: 64, outputs: 8, bias: true },
  { name: 'one token, group of vectors + tail', tokens: 1, inputs: 129, outputs: 75, activation: 'relu', bias: true },
  { name: 'two tokens', tokens: 2, inputs: 65, outputs: 33, misaligned: true },
  { name: 'three tokens', tokens: 3, inputs: 127, outputs: 31, bias: true },
  { name: 'four tokens, several row blocks', tokens: 4, inputs: 128, outputs: 521, activation: 'relu' },
  { name: 'five tokens: two strips', tokens: 5, inputs: 100, outputs: 40, bias: true },
  { name: 'eight tokens', tokens: 8, inputs: 192, outputs: 64 },
  { name: 'nine tokens: first panel', tokens: 9, inputs: 61, outputs: 17, bias: true, misaligned: true },
  { name: 'panel of three vectors', tokens: 23, inputs: 256, outputs: 67 },
  { name: 'panel of four vectors', tokens: 32, inputs: 70, outputs: 16, activation: 'relu', bias: true },
  { name: 'panel of five vectors', tokens: 37, inputs: 130, outputs: 23 },
  { name: 'panel of six vectors', tokens: 47, inputs: 33, outputs: 129, bias: true },
  { name: 'panel of seven vectors', tokens: 56, inputs: 64, outputs: 41 },
  { name: 'one full panel', tokens: 64, inputs: 260, outputs: 96, activation: 'relu' },
  { name: 'panel and one token', tokens: 65, inputs: 64, outputs: 32, bias: true },
  { name: 'several panels and a tail', tokens: 205, inputs: 97, outputs: 101, misaligned: true, bias: true },
  { name: 'GELU and a residual', tokens: 70, inputs: 60, outputs: 53, activation: 'gelu', residual: true, bias: true },
  { name: 'GELU by tanh, two tokens', tokens: 2, inputs: 60, outputs: 53, activation: 'gelu-tanh' },
  { name: 'SwiGLU', tokens: 37, inputs: 100, outputs: 43, activation: 'silu', gated: true, bias: true },
  { name: 'SwiGLU, three tokens, a residual', tokens: 3, inputs: 130, outputs: 75, activation: 'silu', gated: true, residual: true },
  { name: 'GEGLU, several row blocks', tokens: 5, inputs: 33, outputs: 300, activation: 'gelu', gated: true, bias: true, residual: true },
  { name: 'all weights zero', tokens: 19, inputs: 64, outputs: 24, fill: 'zero', bias: true },
  { name: 'one dense row', tokens: 19, inputs: 128, outputs: 24, fill: 'one dense row' },
  { name: 'half of the weights zero already', tokens: 12, inputs: 96, outputs: 48, fill: 'half zero' },
];

/** Shapes for the tiles of the CUDA kernels: 128 outputs, 32 or 128 tokens, 64 inputs of 16 bits, eight outputs a store, splits of the inputs. */
export const nmCudaCases: readonly NmCase[] = [
  ...nmCases.filter((c) => [0, 1, 2, 9, 32, 65].includes(c.tokens)),
  { name: 'a tile less one of everything', tokens: 127, inputs: 63, outputs: 127, bias: true },
  { name: 'exactly one tile', tokens: 128, inputs: 64, outputs: 128, activation: 'gelu' },
  { name: 'a tile and one of everything', tokens: 129, inputs: 65, outputs: 129, bias: true },
  { name: 'more k tiles than stages', tokens: 130, inputs: 520, outputs: 136, bias: true, activation: 'relu' },
  { name: 'split inputs', tokens: 3, inputs: 1100, outputs: 72, bias: true, activation: 'relu' },
  { name: 'split inputs, two token tiles', tokens: 33, inputs: 1024, outputs: 260 },
  { name: 'two row tiles and a part of a third', tokens: 200, inputs: 200, outputs: 300, bias: true, activation: 'silu' },
  { name: 'three token tiles, rows of 16 bytes', tokens: 300, inputs: 72, outputs: 24, bias: true, activation: 'gelu-tanh' },
  { name: 'a residual, rows of 16 bytes', tokens: 40, inputs: 72, outputs: 48, activation: 'gelu', residual: true },
  { name: 'a residual, odd rows', tokens: 130, inputs: 40, outputs: 131, bias: true, residual: true },
  { name: 'one gated output', tokens: 2, inputs: 9, outputs: 1, activation: 'silu', gated: true, bias: true },
  {
    name: 'GEGLU, a residual, split inputs',
    tokens: 5,
    inputs: 1100,
    outputs: 75,
    activation: 'gelu',
    gated: true,
    bias: true,
    residual: true,
  },
  { name: 'SwiGLU over several row tiles', tokens: 150, inputs: 130, outputs: 210, activation: 'silu', gated: true, residual: true },
];

/** Patterns that every row of M is tried with: named rows, both ends, odd N, more kept weights than a word has fields. */
export const patternsOfM: Readonly<Record<number, readonly number[]>> = {
  4: [1, 2, 3],
  8: [1, 2, 3, 4, 5, 7],
  16: [1, 2, 5, 8, 11, 15],
  32: [1, 3, 4, 16, 21, 31],
};
