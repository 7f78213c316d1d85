/**
 * Sparse neural network kernels for Node.js.
 *
 * @packageDocumentation
 */
export * as attention from './attention/index.js';
export * as conv from './conv/index.js';
export {
  type CpuInfo,
  type CudaInfo,
  type CudaKernelInfo,
  cpu,
  type DeviceInfo,
  devices,
  getNumThreads,
  type Isa,
  type KernelInfo,
  kernels,
  setNumThreads,
} from './device.js';
export { type DeviceDType, type DeviceTensor, toDevice } from './device-tensor.js';
export { type ErrorCode, SparseKernelsError } from './errors.js';
export * as files from './files/index.js';
export * as nm from './nm/index.js';
export * as prune from './prune/index.js';
export { Stream, type StreamOption } from './stream.js';
export type { ArrayOf, DType, Tensor, TensorLike } from './tensor.js';
