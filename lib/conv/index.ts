/**
 * Sparse convolution: layers that compute at some sites of a grid only, in 1 to 4 dimensions.
 *
 * @packageDocumentation
 */
export { fromDense, toDense } from './dense.js';
export type { KernelOptions, MapMode } from './geometry.js';
export { type Activation, Layer, type LayerOptions, layer, type RunOptions, type RunSyncOptions } from './layer.js';
export { ConvMap, type MapOptions, map, type PairLists } from './map.js';
export { type SparseTensor, type TensorOptions, tensor } from './tensor.js';
