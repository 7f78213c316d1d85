/**
 * Sparse convolution: layers that compute at some sites of a grid only, in 1 to 4 dimensions.
 *
 * @packageDocumentation
 */
export { add, concat } from './combine.js';
export type { CudaLayer, CudaRunOptions } from './cuda-layer.js';
export { fromDense, maskSites, toDense } from './dense.js';
export type { KernelOptions, MapMode } from './geometry.js';
export { avgPoolGradient, type GradientOptions, inputGradient, maxPoolGradient, weightGradient } from './gradient.js';
export { Layer, layer, type RunOptions, type RunSyncOptions } from './layer.js';
export { ConvMap, type MapAsyncOptions, type MapOptions, map, mapAsync, type PairLists } from './map.js';
export { type BatchNormOptions, batchNorm, type LayerNormOptions, layerNorm, type Moments, moments } from './norm.js';
export { type Pointwise, type PointwiseOptions, type PointwiseRunOptions, pointwise } from './pointwise.js';
export { type AvgPoolOptions, avgPool, globalPool, type MaxPoolOptions, maxPool } from './pool.js';
export type { Activation, CudaLayerOptions, LayerOptions } from './settings.js';
export type { Sites } from './sites.js';
export * as spark from './spark/index.js';
export { type SparseTensor, type TensorOptions, tensor } from './tensor.js';
