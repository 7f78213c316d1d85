/** q, k and v as the addon takes them: heads of tokens with strides; what their sizes are called. */
import { rangeError } from '../errors.js';
import { type TensorLike, tensor } from '../tensor.js';
import { describe } from '../validate.js';
import type { Layout } from './types.js';

/** A checked [batch, heads, tokens, dim], in either layout. */
export interface Heads {
  readonly data: Float32Array;
  readonly batch: number;
  readonly heads: number;
  readonly tokens: number;
  readonly dim: number;
  /** Floats from one batch entry, head and token to the next. */
  readonly strides: Int32Array;
}

/** Sizes of q and k. */
export interface Shape {
  readonly batch: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly queries: number;
  readonly keys: number;
  readonly dim: number;
}

/** Checks a float32 tensor of four axes. */
export function headsOf(value: TensorLike, name: string, layout: Layout): Heads {
  const { data, dims } = tensor(value, name, ['float32']);
  if (dims.length !== 4) {
    const axes = layout === 'BHSD' ? '[batch, heads, tokens, dim]' : '[batch, tokens, heads, dim]';
    throw rangeError('ERR_SK_SHAPE', `expected ${name} to be ${axes} but received dims ${describe(dims)}`);
  }
  const [batch, a, b, dim] = dims as [number, number, number, number];
  const [heads, tokens] = layout === 'BHSD' ? [a, b] : [b, a];
  const strides = [heads * tokens * dim, layout === 'BHSD' ? tokens * dim : dim, layout === 'BHSD' ? dim : heads * dim];
  return { data, batch, heads, tokens, dim, strides: stridesOf([batch, heads, tokens], strides, name) };
}

/** Strides of three axes of such sizes: one of one element needs none, and a large one might not fit. */
export function stridesOf(sizes: readonly number[], strides: readonly number[], name: string): Int32Array {
  const needed = strides.map((stride, axis) => (sizes[axis] === 1 ? 0 : stride));
  if (needed.every((stride) => stride < 2 ** 31)) return Int32Array.from(needed);
  throw rangeError(
    'ERR_SK_SHAPE',
    `expected ${name} to have less than 2^31 numbers a batch entry but received strides ${describe(strides)}`,
  );
}

/** Some channels of every token, packed. */
export function channelsOf(x: Heads, channels: Int32Array): Heads {
  const { batch, heads, tokens } = x;
  const [byBatch, byHead, byToken] = x.strides as unknown as [number, number, number];
  const dim = channels.length;
  const data = new Float32Array(batch * heads * tokens * dim);
  for (let row = 0; row < batch * heads * tokens; row++) {
    const s = Math.floor(row / tokens);
    const from = Math.floor(s / heads) * byBatch + (s % heads) * byHead + (row % tokens) * byToken;
    for (let c = 0; c < dim; c++) data[row * dim + c] = x.data[from + (channels[c] as number)] as number;
  }
  return headsOf({ data, dims: [batch, heads, tokens, dim] }, 'x', 'BHSD');
}

/** Some tokens of every head, [batch, heads, tokens, dim]. */
export function takeTokens(x: Heads, tokens: ArrayLike<number>): Float32Array {
  const [byBatch, byHead, byToken] = x.strides as unknown as [number, number, number];
  const taken = new Float32Array(x.batch * x.heads * tokens.length * x.dim);
  for (let s = 0; s < x.batch * x.heads; s++) {
    const first = Math.floor(s / x.heads) * byBatch + (s % x.heads) * byHead;
    for (let i = 0; i < tokens.length; i++) {
      const from = first + (tokens[i] as number) * byToken;
      taken.set(x.data.subarray(from, from + x.dim), (s * tokens.length + i) * x.dim);
    }
  }
  return taken;
}
