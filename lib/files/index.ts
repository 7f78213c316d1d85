/** Weights in and out of files: safetensors with packed tensors, ONNX, and the orders of PyTorch and XNNPACK. Bytes in, bytes out. */
export { toFloat32 } from './float32.js';
export { readOnnx } from './onnx.js';
export { pack, unpack } from './packed.js';
export type { PackedTensor, PackFormat } from './packed-format.js';
export { readSafetensors, type Safetensors, type WriteOptions, writeSafetensors } from './safetensors.js';
export { fromSemiStructured, type SemiStructured, toSemiStructured } from './semi-structured.js';
export type { FileArray, FileTensor, FileType } from './tensor.js';
export { fromXnnpack, toXnnpack, type XnnpackDense, type XnnpackOptions, type XnnpackWeight } from './xnnpack.js';
