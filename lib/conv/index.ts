/**
 * Sparse convolution: layers that compute at some sites of a grid only, in 1 to 4 dimensions.
 *
 * @packageDocumentation
 */
export { add, addAsync, concat, concatAsync } from './combine.js';
export { ConvMap, type PairLists } from './conv-map.js';
export { CudaMap, type CudaMapOptions } from './cuda-conv-map.js';
export type { CudaLayer, CudaRunOptions } from './cuda-layer.js';
export { fromDense, fromDenseAsync, toDense, toDenseAsync } from './dense.js';
export type { KernelOptions, MapMode } from './geometry.js';
export { globalPool, globalPoolAsync } from './global-pool.js';
export { type GradientOptions, inputGradient, weightGradient } from './gradient.js';
export { Layer, layer, type RunOptions, type RunSyncOptions } from './layer.js';
export { type MapAsyncOptions, type MapOptions, map, mapAsync } from './map.js';
export { maskSites } from './mask-sites.js';
export { type MomentPoolOptions, momentPool, momentPoolGradient, type WindowMoments } from './moment-pool.js';
export {
  type BatchNormOptions,
  batchNorm,
  batchNormAsync,
  type Cancellable,
  type LayerNormOptions,
  layerNorm,
  layerNormAsync,
  type Moments,
  moments,
  momentsAsync,
} from './norm.js';
export { type Pointwise, type PointwiseOptions, type PointwiseRunOptions, pointwise } from './pointwise.js';
export { type AvgPoolOptions, avgPool, type MaxPoolOptions, maxPool } from './pool.js';
export { avgPoolGradient, maxPoolGradient } from './pool-gradient.js';
export type { Activation, CudaLayerOptions, LayerOptions } from './settings.js';
export type { DeviceSites, Sites } from './sites.js';
export * as spark from './spark/index.js';
export { type SparseTensor, type TensorOptions, tensor, tensorAsync } from './tensor.js';
