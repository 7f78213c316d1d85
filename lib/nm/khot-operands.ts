import { rangeError } from '../errors.js';
import { overlaps, type TensorView, typedArray } from '../tensor.js';
import { integer, options } from '../validate.js';
import { type ActivationType, inputOperand, outputOperand, residualOperand } from './operands.js';

/** The inputs that each token keeps, and their numbers; an input that a list names twice counts twice. */
export interface KHotLists {
  /** Inputs, the lists of all tokens one after the other. */
  readonly indices: Int32Array;
  /** A number for each index. */
  readonly values: Float32Array;
  /** Every list is so long (top-k). Either this or `offsets`. */
  readonly k?: number;
  /** One more than there are tokens: the list of token t is from `offsets[t]` to before `offsets[t + 1]` (CSR). */
  readonly offsets?: Int32Array;
}

/** A run's x, or the values of its lists; the lists, if it has any; and where it writes. */
export function khotOperands(x: unknown, out: unknown, residual: unknown, inFeatures: number, outFeatures: number) {
  const lists = typeof x === 'object' && x !== null && 'indices' in x ? listOperand(x as KHotLists) : undefined;
  const input = lists ? valuesOperand(lists) : inputOperand(x, inFeatures);
  const tokens = lists ? lists.offsets.length - 1 : input.data.length / inFeatures;
  const output = outputOperand(input, tokens, out, outFeatures);
  if (lists && (overlaps(lists.indices, output.data) || overlaps(lists.offsets, output.data))) {
    throw rangeError('ERR_SK_OVERLAP', 'expected out not to share memory with the lists');
  }
  return { input, lists, tokens, output, residual: residual === undefined ? undefined : residualOperand(residual, output) };
}

/** Dims are those of an x, so that the output has its own. */
function valuesOperand({ values, offsets }: ReturnType<typeof listOperand>): TensorView<ActivationType> {
  return { type: 'float32', data: values, dims: [offsets.length - 1, 1] };
}

function listOperand(x: KHotLists) {
  const lists = options<KHotLists>(x, 'lists', ['indices', 'values', 'k', 'offsets']);
  const indices = typedArray(lists.indices, 'int32', 'indices');
  const values = typedArray(lists.values, 'float32', 'values');
  if (values.length !== indices.length) {
    throw rangeError('ERR_SK_SHAPE', `expected a value for each of the ${indices.length} indices but received ${values.length}`);
  }
  if ((lists.k === undefined) === (lists.offsets === undefined)) {
    throw rangeError('ERR_SK_OPTION', 'expected either k or offsets beside indices and values');
  }
  const offsets = lists.offsets === undefined ? everyK(lists.k, indices.length) : typedArray(lists.offsets, 'int32', 'offsets');
  if (offsets.length === 0) throw rangeError('ERR_SK_SHAPE', 'expected offsets to hold one more than there are tokens but received none');
  return { indices, values, offsets };
}

function everyK(asked: unknown, length: number): Int32Array {
  const k = integer(asked, 'k', 1, 2 ** 31 - 1);
  if (length % k !== 0 || length > 2 ** 31 - 1) {
    throw rangeError('ERR_SK_SHAPE', `expected a multiple of k = ${k} indices but received ${length}`);
  }
  return Int32Array.from({ length: length / k + 1 }, (_, t) => t * k);
}
