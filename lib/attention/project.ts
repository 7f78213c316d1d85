import { rangeError } from '../errors.js';
import { cancellable } from '../handle.js';
import { native } from '../native.js';
import { allocate, type Tensor, type TensorLike, tensor, typedArray } from '../tensor.js';
import { describe, number, options } from '../validate.js';
import { type Heads, headsOf } from './heads.js';
import { callOf, output } from './scoring.js';

/** Options of {@link project}. */
export interface ProjectOptions {
  /** RMS norm of each projected row, with these weights, float32 [out]; default: none. */
  readonly norm?: Float32Array;
  /** Rotary embedding of the projected rows: position of each token, int32 [tokens]; channel i turns with channel i + out / 2. */
  readonly positions?: Int32Array;
  /** Base of the rotary frequencies; default 10000. */
  readonly ropeBase?: number;
}

/**
 * Multiplies the rows of each head by a matrix of that head: the learned gates of trained methods.
 *
 * @param x - float32 [batch, heads, tokens, in]
 * @param weight - float32 [weightHeads, in, out], weightHeads a divisor of heads: head h uses matrix floor(h / (heads / weightHeads))
 * @returns float32 [batch, heads, tokens, out]
 * @throws (rejects) TypeError `ERR_SK_TYPE` / `ERR_SK_DTYPE` / `ERR_SK_BUFFER`, RangeError `ERR_SK_SHAPE` / `ERR_SK_OPTION`
 * @example
 * ```ts
 * import { attention } from 'sparse-kernels';
 * const x = { data: Float32Array.of(1, 2), dims: [1, 1, 1, 2] };
 * const weight = { data: Float32Array.of(1, 0, 1, 0, 1, 1), dims: [1, 2, 3] };
 * (await attention.project(x, weight)).data; // Float32Array [1, 2, 3]
 * ```
 */
export async function project(x: TensorLike, weight: TensorLike, projectOptions: ProjectOptions = {}): Promise<Tensor> {
  const o = options<ProjectOptions>(projectOptions, 'options', ['norm', 'positions', 'ropeBase']);
  return normedAndRotated(await product(headsOf(x, 'x', 'BHSD'), weight), o);
}

/** The rows of each head, which may overlap, times the matrix of that head: [batch, heads, tokens, out]. */
export async function product(input: Heads, weight: TensorLike): Promise<Tensor> {
  const { data, dims } = tensor(weight, 'weight', ['float32']);
  const [heads = 0, inputs = 0, out = 0] = dims;
  if (dims.length !== 3 || inputs !== input.dim || heads === 0 || input.heads % heads !== 0) {
    throw rangeError(
      'ERR_SK_SHAPE',
      `expected weight to be [a divisor of ${input.heads}, ${input.dim}, out] but received dims ${describe(dims)}`,
    );
  }
  // Rows of the transposed matrices are "keys"; every batch entry has its own copy of them.
  const keys = allocate('float32', input.batch * data.length, 'the matrices');
  for (let i = 0; i < data.length; i++) {
    const [h, r, c] = [Math.floor(i / (inputs * out)), Math.floor(i / out) % inputs, i % out];
    keys[(h * out + c) * inputs + r] = data[i] as number;
  }
  for (let b = 1; b < input.batch; b++) keys.copyWithin(b * data.length, 0, data.length);
  const matrices = headsOf({ data: keys, dims: [input.batch, heads, out, inputs] }, 'weight', 'BHSD');
  const result = output([input.batch, input.heads, input.tokens, out], 'the projected rows');
  const call = { ...callOf({ q: input, k: matrices }, 'dot', { scale: 1 }), out: result.data };
  await cancellable(undefined, (token) => native.score(call, token));
  return result;
}

/** What comes after the product, in place: rows [batch, heads, tokens, out]. */
export function normedAndRotated(rows: Tensor, o: ProjectOptions): Tensor {
  const [tokens, width] = rows.dims.slice(2) as [number, number];
  if (o.norm !== undefined) normalise(rows.data, typedArray(o.norm, 'float32', 'norm'), width);
  if (o.positions !== undefined) {
    const base = number(o.ropeBase ?? 10000, 'ropeBase', Number.MIN_VALUE);
    rotate(rows.data, typedArray(o.positions, 'int32', 'positions'), width, base, tokens);
  }
  return rows;
}

/** x / sqrt(mean x² + 1e-6) * weight, row by row. */
function normalise(x: Float32Array, weight: Float32Array, width: number): void {
  if (weight.length !== width) throw rangeError('ERR_SK_SHAPE', `expected norm to hold ${width} numbers but received ${weight.length}`);
  for (let row = 0; row < x.length; row += width) {
    let squares = 0;
    for (let c = 0; c < width; c++) squares += (x[row + c] as number) ** 2;
    const factor = 1 / Math.sqrt(squares / width + 1e-6);
    for (let c = 0; c < width; c++) x[row + c] = (x[row + c] as number) * factor * (weight[c] as number);
  }
}

function rotate(x: Float32Array, positions: Int32Array, width: number, base: number, tokens: number): void {
  if (positions.length !== tokens)
    throw rangeError('ERR_SK_SHAPE', `expected positions to hold ${tokens} numbers but received ${positions.length}`);
  if (width % 2 !== 0) throw rangeError('ERR_SK_SHAPE', `expected an even number of channels to rotate but received ${width}`);
  const half = width / 2;
  for (let row = 0; row * width < x.length; row++) {
    for (let i = 0; i < half; i++) {
      const angle = (positions[row % tokens] as number) * base ** (-i / half);
      const [a, b] = [x[row * width + i] as number, x[row * width + half + i] as number];
      x[row * width + i] = a * Math.cos(angle) - b * Math.sin(angle);
      x[row * width + half + i] = a * Math.sin(angle) + b * Math.cos(angle);
    }
  }
}
