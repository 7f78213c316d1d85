/** Sizes and operands that tests of attention's companions on a device share. */
import { type TensorLike, toDevice } from 'sparse-kernels';
import { halfBits } from '../reference/round.js';
import { uniform } from '../support/random.js';

export const [heads, kvHeads, headDim, tokens, page] = [4, 2, 64, 300, 16];
export const random = (dims: number[], seed: number): TensorLike => {
  const values = uniform(
    dims.reduce((a, b) => a * b, 1),
    seed,
  );
  return {
    data: halfBits(
      'float16',
      values.map((x) => Math.round(x * 64) / 64),
    ),
    dims,
    type: 'float16',
  };
};
export const there = (dims: number[], seed: number) => toDevice(random(dims, seed), 'cuda');
export const floats = (data: Float32Array, dims: number[]) => toDevice({ data, dims }, 'cuda');
export const size = { queryLength: 1, keyLength: tokens, blockSize: [1, page], batch: 1, unit: 'block' } as const;
export const shape = { heads, kvHeads, headDim, dtype: 'float16', device: 'cuda' } as const;
