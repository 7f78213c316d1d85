/** The constant tensors of an ONNX model: initialisers, and the values of Constant nodes, which some exporters write instead. */
import { describe } from '../validate.js';
import { bytesField, type Field, fieldsOf, textField, varintsOf } from './protobuf.js';
import { byteArray, damaged, elementBytes, type FileTensor, type FileType, tensorOfBytes } from './tensor.js';

/** TensorProto.DataType by number. */
const typeOfNumber: Readonly<Record<number, FileType>> = {
  1: 'float32',
  2: 'uint8',
  3: 'int8',
  4: 'uint16',
  5: 'int16',
  6: 'int32',
  7: 'int64',
  9: 'bool',
  10: 'float16',
  11: 'float64',
  12: 'uint32',
  13: 'uint64',
  16: 'bfloat16',
  17: 'float8e4m3fn',
  19: 'float8e5m2',
};

/** Field numbers of onnx.proto. */
const MODEL_GRAPH = 7;
const GRAPH = { node: 1, initializer: 5 };
const NODE = { output: 2, opType: 4, attribute: 5 };
const ATTRIBUTE = { name: 1, tensor: 5 };
const TENSOR = {
  dims: 1,
  dataType: 2,
  floatData: 4,
  int32Data: 5,
  int64Data: 7,
  name: 8,
  rawData: 9,
  doubleData: 10,
  uint64Data: 11,
  dataLocation: 14,
};

/**
 * The tensors that an ONNX model carries, by name: initialisers, and Constant nodes by the name of their output. Weights of MatMul are
 * [in, out] there, of Gemm with transB and of Conv [out, in, ...]: plans take [out, in].
 *
 * @param bytes - the whole model file
 * @returns in the order of the file; types that JavaScript has no array for are kept as bits
 * @throws TypeError `ERR_SK_TYPE`, SparseKernelsError `ERR_SK_FILE` (truncated, damaged or foreign bytes, data in other files, types such as
 * string and int4)
 * @example
 * ```ts
 * import { files } from 'sparse-kernels';
 * const empty = files.readOnnx(new Uint8Array([0x3a, 0])); // in practice: await readFile('model.onnx')
 * empty.size; // 0
 * ```
 */
export function readOnnx(bytes: Uint8Array): Map<string, FileTensor> {
  const tensors = new Map<string, FileTensor>();
  const add = (name: string, tensor: FileTensor) => {
    if (tensors.has(name)) throw damaged(`expected the names of tensors to be unique but the file has ${describe(name)} twice`);
    tensors.set(name, tensor);
  };
  let graphs = 0;
  for (const model of fieldsOf(byteArray(bytes, 'bytes'))) {
    if (model.number !== MODEL_GRAPH) continue;
    graphs++;
    for (const field of fieldsOf(bytesField(model))) {
      if (field.number === GRAPH.initializer) {
        const { name, tensor } = readTensor(bytesField(field));
        add(name, tensor);
      } else if (field.number === GRAPH.node) {
        const constant = readConstant(bytesField(field));
        if (constant) add(constant.name, constant.tensor);
      }
    }
  }
  if (graphs !== 1) throw damaged(`expected an ONNX model with one graph but the file has ${graphs}`);
  return tensors;
}

/** The tensor of a Constant node; undefined for other nodes and for constants of other kinds. */
function readConstant(node: Uint8Array): { name: string; tensor: FileTensor } | undefined {
  let [name, opType, value]: [string, string, Uint8Array | undefined] = ['', '', undefined];
  for (const field of fieldsOf(node)) {
    if (field.number === NODE.output && name === '') name = textField(field);
    else if (field.number === NODE.opType) opType = textField(field);
    else if (field.number === NODE.attribute) value = tensorAttribute(bytesField(field)) ?? value;
  }
  if (opType !== 'Constant' || value === undefined) return undefined;
  return { name, tensor: readTensor(value).tensor };
}

function tensorAttribute(attribute: Uint8Array): Uint8Array | undefined {
  let [name, value]: [string, Uint8Array | undefined] = ['', undefined];
  for (const field of fieldsOf(attribute)) {
    if (field.number === ATTRIBUTE.name) name = textField(field);
    else if (field.number === ATTRIBUTE.tensor) value = bytesField(field);
  }
  return name === 'value' ? value : undefined;
}

function readTensor(message: Uint8Array): { name: string; tensor: FileTensor } {
  const dims: bigint[] = [];
  const lists: Field[] = [];
  let [name, dataType, external]: [string, bigint, boolean] = ['', 0n, false];
  let raw: Uint8Array | undefined;
  for (const field of fieldsOf(message)) {
    if (field.number === TENSOR.dims) for (const dim of varintsOf(field.value)) dims.push(dim);
    else if (field.number === TENSOR.dataType) dataType = numberField(field);
    else if (field.number === TENSOR.name) name = textField(field);
    else if (field.number === TENSOR.rawData) raw = bytesField(field);
    else if (field.number === TENSOR.dataLocation) external = numberField(field) === 1n;
    else lists.push(field);
  }
  if (external) throw damaged(`expected ${describe(name)} to have its data in the model but they are in another file`);
  const type = typeOfNumber[Number(dataType)];
  if (type === undefined) throw damaged(`expected ${describe(name)} to be of a numeric type but its ONNX type is ${dataType}`);
  const shape = dims.map((dim) => Number(BigInt.asIntN(64, dim)));
  const count = shape.reduce((product, dim) => product * dim, 1);
  if (!shape.every((dim) => Number.isSafeInteger(dim) && dim >= 0) || !Number.isSafeInteger(count)) {
    throw damaged(`expected the dims of ${describe(name)} to be non-negative but they are ${describe(shape)}`);
  }
  const bytes = raw ?? listed(lists, type);
  const expected = count * elementBytes(type);
  if (bytes.length !== expected) {
    throw damaged(`expected ${describe(name)} to have ${expected} bytes for ${type} ${describe(shape)} but it has ${bytes.length}`);
  }
  return { name, tensor: tensorOfBytes(type, shape, bytes) };
}

function numberField({ number, value }: Field): bigint {
  if (typeof value === 'bigint') return value;
  throw damaged(`expected ONNX field ${number} to be a number but it is bytes`);
}

/** Values that are a list of their own kind instead of raw bytes. */
function listed(lists: readonly Field[], type: FileType): Uint8Array {
  const chunks: Uint8Array[] = [];
  for (const field of lists) {
    if (field.number === TENSOR.floatData || field.number === TENSOR.doubleData) {
      chunks.push(bytesField(field)); // little-endian, like the arrays
    } else if (field.number === TENSOR.int32Data || field.number === TENSOR.int64Data || field.number === TENSOR.uint64Data) {
      chunks.push(narrow([...varintsOf(field.value)], elementBytes(type)));
    }
  }
  const bytes = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}

/** Each number as so many little-endian bytes: ONNX keeps int8 and float16 in lists of int32. */
function narrow(values: readonly bigint[], size: number): Uint8Array {
  const bytes = new Uint8Array(values.length * size);
  const view = new DataView(bytes.buffer);
  values.forEach((value, i) => {
    if (size === 8) view.setBigUint64(i * 8, value, true);
    else if (size === 4) view.setUint32(i * 4, Number(BigInt.asUintN(32, value)), true);
    else if (size === 2) view.setUint16(i * 2, Number(BigInt.asUintN(16, value)), true);
    else view.setUint8(i, Number(BigInt.asUintN(8, value)));
  });
  return bytes;
}
