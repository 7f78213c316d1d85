import { DeviceTensor, deviceCall, filled } from '../device-tensor.js';
import { rangeError, typeError } from '../errors.js';
import { native } from '../native.js';
import { maskGroups } from '../select.js';
import type { Stream, StreamOption } from '../stream.js';
import { type Tensor, type TensorLike, tensor } from '../tensor.js';
import { describe, options } from '../validate.js';
import { type Pattern, parsePattern } from './pattern.js';

/** Options of {@link prune}. */
export interface PruneOptions {
  /** The pattern to prune to. */
  readonly pattern: Pattern;
}

/**
 * Magnitude pruning to N:M: of every M consecutive weights of a row, the N of largest absolute value stay, the others become 0. Among
 * equals the lower index stays; NaN counts as smallest. The last group of a row may be shorter than M.
 *
 * The one-shot criterion of Mishra et al., "Accelerating Sparse Deep Neural Networks" (2021), and Zhou et al., "Learning N:M Fine-grained
 * Structured Sparse Neural Networks From Scratch" (ICLR 2021).
 *
 * @param weight - float32 [out, in]; left as it is
 * @returns a new float32 [out, in]; for a weight on a device a promise of one there, which settles when the work is on its stream
 * @throws TypeError `ERR_SK_TYPE` / `ERR_SK_DTYPE` / `ERR_SK_BUFFER`, RangeError `ERR_SK_SHAPE` / `ERR_SK_PATTERN` / `ERR_SK_OPTION`
 * @example
 * ```ts
 * import { nm } from 'sparse-kernels';
 * const weight = { data: Float32Array.of(0.1, -3, 2, 0.5), dims: [1, 4] };
 * nm.prune(weight, { pattern: '2:4' }).data; // Float32Array [0, -3, 2, 0]
 * ```
 */
export function prune(weight: DeviceTensor, pruneOptions: PruneOptions & StreamOption): Promise<DeviceTensor<'float32'>>;
export function prune(weight: TensorLike, pruneOptions: PruneOptions): Tensor;
export function prune(
  weight: TensorLike | DeviceTensor,
  pruneOptions: PruneOptions & StreamOption,
): Tensor | Promise<DeviceTensor<'float32'>> {
  const known = weight instanceof DeviceTensor ? (['pattern', 'stream'] as const) : (['pattern'] as const);
  const { pattern, stream } = options<PruneOptions & StreamOption>(pruneOptions, 'options', known);
  const { n, m } = parsePattern(pattern);
  if (weight instanceof DeviceTensor) return pruneOnDevice(weight, n, m, stream);
  const { data, dims } = tensor(weight, 'weight', ['float32']);
  if (dims.length !== 2) throw rangeError('ERR_SK_SHAPE', `expected weight to be [out, in] but received dims ${describe(dims)}`);
  const [out, inputs] = dims as [number, number];
  const scores = { data, rows: out, columns: inputs };
  return { type: 'float32', data: maskGroups(data, scores, { n, m, magnitude: true }), dims: [out, inputs] };
}

async function pruneOnDevice(weight: DeviceTensor, n: number, m: number, stream: Stream | undefined): Promise<DeviceTensor<'float32'>> {
  if (weight.type !== 'float32') throw typeError('ERR_SK_DTYPE', `expected weight to be float32 but received ${weight.type}`);
  const [rows, columns] = weight.dims as [number, number];
  if (weight.dims.length !== 2)
    throw rangeError('ERR_SK_SHAPE', `expected weight to be [out, in] but received dims ${describe(weight.dims)}`);
  const masked = new DeviceTensor('float32', [rows, columns], stream);
  await filled({ masked }, () =>
    deviceCall({ stream }, { weight, masked }, (arrays, call) => native.maskGroupsCuda({ ...arrays, rows, columns, n, m }, call)),
  );
  return masked;
}
