import { rangeError, typeError } from '../errors.js';
import type { Tensor } from '../tensor.js';
import { type TensorLike, tensor, typedArray } from '../tensor.js';
import { describe, integer, options } from '../validate.js';
import { damaged } from './tensor.js';

/**
 * A weight in the order of XNNPACK's sparse kernels: output channels in blocks that share their input channels, and a stream of
 * differences between the input channels that follow each other.
 *
 * @example
 * ```ts
 * import { files } from 'sparse-kernels';
 * const packed: files.XnnpackWeight = files.toXnnpack({ data: Float32Array.of(0, 7, 0, 0, 8, 0), dims: [1, 6] });
 * packed.differences; // Int32Array [12, -12]: bytes from input 1 to 4, and back
 * ```
 */
export interface XnnpackWeight {
  /** [out, in]. */
  readonly dims: readonly [number, number];
  /** Output channels of a block; those left over at the end are blocks of one. */
  readonly block: 1 | 2 | 4;
  /** Of each block: its biases, then for each kept input channel a weight of each of its outputs. */
  readonly values: Float32Array;
  /** From each kept input channel to the next of the whole stream, in bytes of float32; the last leads back to the first. */
  readonly differences: Int32Array;
  /** How many input channels each block keeps. */
  readonly counts: Uint32Array;
  /** The first kept input channel; 0 if there is none. */
  readonly first: number;
}

/** What {@link fromXnnpack} gives. */
export interface XnnpackDense {
  /** float32 [out, in]. */
  readonly weight: Tensor;
  /** float32 [out]. */
  readonly bias: Tensor;
}

/** Options of {@link toXnnpack}. */
export interface XnnpackOptions {
  /** [out]. Default: zeros. */
  readonly bias?: TensorLike | Float32Array;
  /** Output channels that share their inputs. Default: 4 or 2 if at least 90 % of the weights in such blocks are not 0, else 1. */
  readonly block?: 1 | 2 | 4;
}

const ELEMENT_BYTES = 4;

/**
 * Brings a sparse weight into XNNPACK's order.
 *
 * Elsen et al., "Fast Sparse ConvNets" (CVPR 2020).
 *
 * @param weight - float32 [out, in]
 * @throws TypeError `ERR_SK_TYPE` / `ERR_SK_DTYPE` / `ERR_SK_BUFFER`, RangeError `ERR_SK_SHAPE` / `ERR_SK_OPTION`
 * @example
 * ```ts
 * import { files } from 'sparse-kernels';
 * const { counts } = files.toXnnpack({ data: Float32Array.of(1, 0, 2, 0), dims: [2, 2] }, { block: 2 }); // [1]
 * ```
 */
export function toXnnpack(weight: TensorLike, xnnpackOptions: XnnpackOptions = {}): XnnpackWeight {
  const o = options<XnnpackOptions>(xnnpackOptions, 'options', ['bias', 'block']);
  const { data, dims } = tensor(weight, 'weight', ['float32']);
  const [out, inputs] = dims;
  if (dims.length !== 2 || out === undefined || inputs === undefined || inputs > (2 ** 31 - 1) / ELEMENT_BYTES) {
    throw rangeError('ERR_SK_SHAPE', `expected weight to be [out, in] with in below 2^29 but received dims ${describe(dims)}`);
  }
  const bias = biasOf(o.bias, out);
  const block = o.block === undefined ? denseBlock(data, out, inputs) : checkBlock(o.block);
  const [values, kept, counts]: [number[], number[], number[]] = [[], [], []];
  for (const rows of blocksOf(out, block)) {
    values.push(...rows.map((r) => bias[r] as number));
    const before = kept.length;
    for (let c = 0; c < inputs; c++) {
      if (rows.every((r) => data[r * inputs + c] === 0)) continue;
      kept.push(c);
      for (const r of rows) values.push(data[r * inputs + c] as number);
    }
    counts.push(kept.length - before);
  }
  const differences = kept.map((c, i) => ((kept[(i + 1) % kept.length] as number) - c) * ELEMENT_BYTES);
  return {
    dims: [out, inputs],
    block,
    values: Float32Array.from(values),
    differences: Int32Array.from(differences),
    counts: Uint32Array.from(counts),
    first: kept[0] ?? 0,
  };
}

/**
 * The dense weight and the bias of XNNPACK's order.
 *
 * @throws TypeError `ERR_SK_TYPE`, RangeError `ERR_SK_OPTION`, SparseKernelsError `ERR_SK_FILE` where the stream leaves the matrix, does not
 * ascend within a block, does not return to its beginning, or does not fit its lengths
 * @example
 * ```ts
 * import { files } from 'sparse-kernels';
 * const packed = files.toXnnpack({ data: Float32Array.of(0, 7, 0, 8), dims: [2, 2] }, { bias: Float32Array.of(1, 2) });
 * files.fromXnnpack(packed).bias.data; // Float32Array [1, 2]
 * ```
 */
export function fromXnnpack(packed: XnnpackWeight): XnnpackDense {
  const o = options<XnnpackWeight>(packed, 'packed', ['dims', 'block', 'values', 'differences', 'counts', 'first']);
  const block = checkBlock(o.block);
  const [out, inputs] = Array.isArray(o.dims) && o.dims.length === 2 ? o.dims : [];
  const limits = { out: integer(out, 'dims[0]', 0, 2 ** 31 - 1), inputs: integer(inputs, 'dims[1]', 0, (2 ** 31 - 1) / ELEMENT_BYTES) };
  const values = typedArray(o.values, 'float32', 'values');
  const { differences, counts } = o;
  if (!(differences instanceof Int32Array) || !(counts instanceof Uint32Array)) {
    throw typeError('ERR_SK_TYPE', 'expected differences to be an Int32Array and counts a Uint32Array');
  }
  checkLengths(limits.out, block, values.length, differences.length, counts);
  const weight = new Float32Array(limits.out * limits.inputs);
  const bias = new Float32Array(limits.out);
  let [at, step, channel] = [0, 0, integer(o.first, 'first', 0, 2 ** 31 - 1)];
  for (const [b, rows] of blocksOf(limits.out, block).entries()) {
    for (const r of rows) bias[r] = values[at++] as number;
    let before = -1;
    for (let i = 0; i < (counts[b] as number); i++) {
      if (!(channel > before && channel < limits.inputs)) {
        throw damaged(`expected ascending input channels below ${limits.inputs} but block ${b} has ${channel} after ${before}`);
      }
      for (const r of rows) weight[r * limits.inputs + channel] = values[at++] as number;
      before = channel;
      channel += (differences[step++] as number) / ELEMENT_BYTES;
      if (!Number.isInteger(channel)) throw damaged(`expected differences to be multiples of ${ELEMENT_BYTES} bytes but one is not`);
    }
  }
  if (channel !== o.first) throw damaged(`expected the differences to lead back to channel ${o.first} but they end at ${channel}`);
  return {
    weight: { type: 'float32', data: weight, dims: [limits.out, limits.inputs] },
    bias: { type: 'float32', data: bias, dims: [limits.out] },
  };
}

function checkLengths(out: number, block: number, values: number, differences: number, counts: Uint32Array): void {
  const full = Math.floor(out / block);
  const blocks = full + (out % block);
  let [kept, weights] = [0, out];
  for (const [b, count] of counts.entries()) {
    kept += count;
    weights += count * (b < full ? block : 1);
  }
  if (counts.length === blocks && kept === differences && weights === values) return;
  const got = `${counts.length} counts, ${differences} differences and ${values} values`;
  throw damaged(`expected ${blocks} counts, ${kept} differences and ${weights} values but received ${got}`);
}

function checkBlock(value: unknown): 1 | 2 | 4 {
  if (value === 1 || value === 2 || value === 4) return value;
  throw rangeError('ERR_SK_OPTION', `expected block to be 1, 2 or 4 but received ${describe(value)}`);
}

function biasOf(bias: TensorLike | Float32Array | undefined, out: number): Float32Array {
  if (bias === undefined) return new Float32Array(out);
  const data =
    typeof bias === 'object' && bias !== null && 'dims' in bias
      ? tensor(bias, 'bias', ['float32']).data
      : typedArray(bias, 'float32', 'bias');
  if (data.length === out) return data;
  throw rangeError('ERR_SK_SHAPE', `expected bias to hold ${out} elements but received ${data.length}`);
}

/** The rows of each block: whole blocks, then the rows left over one by one. */
function blocksOf(out: number, block: number): number[][] {
  const full = Math.floor(out / block);
  const whole = Array.from({ length: full }, (_, b) => Array.from({ length: block }, (_, i) => b * block + i));
  return [...whole, ...Array.from({ length: out % block }, (_, i) => [full * block + i])];
}

/** The widest block whose kept input channels are at least 90 % full. */
function denseBlock(data: Float32Array, out: number, inputs: number): 1 | 2 | 4 {
  for (const block of [4, 2] as const) {
    let [nonZeros, kept] = [0, 0];
    for (const rows of blocksOf(out - (out % block), block)) {
      for (let c = 0; c < inputs; c++) {
        const count = rows.filter((r) => data[r * inputs + c] !== 0).length;
        nonZeros += count;
        if (count > 0) kept++;
      }
    }
    if (kept > 0 && nonZeros * 10 >= kept * block * 9) return block;
  }
  return 1;
}
