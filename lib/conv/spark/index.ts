/**
 * SparK: masked pre-training of convolutional networks (Tian et al., "Designing BERT for Convolutional Networks: Sparse and Hierarchical Masked
 * Modeling", ICLR 2023). The mask is drawn at the coarsest stage; each stage computes at the sites that it keeps ({@link maskSites}).
 *
 * @packageDocumentation
 */
export { type Affine, type ConvNextBlock, type ConvNextOptions, convNextBlock } from './convnext.js';
export { type LightDecoder, type LightDecoderOptions, lightDecoder, type UpBlock } from './decoder.js';
export { type Densifier, type DensifierOptions, densifier } from './densifier.js';
export { densify } from './densify.js';
export { loss } from './loss.js';
export { type MaskedMaps, maps } from './maps.js';
export { type Mask, type MaskOptions, mask } from './mask.js';
export { type ConvNorm, type ResNetBlock, type ResNetOptions, resNetBlock } from './resnet.js';
export type { NormParameters } from './unit.js';
