/** Published methods of sparse attention: each chooses keys, all attend with the same kernels. */

export { type AnchorAttention, type AnchorAttentionOptions, anchorAttention } from './anchor.js';
export { type BlockTopKOptions, blockTopK } from './blocktopk.js';
export type { MethodOptions, MethodReport, MethodResult, PrefillMethod } from './common.js';
export type { DecodeMethod, DecodeOptions } from './decoding.js';
export { type DoubleSparsityOptions, doubleSparsity, type HeavyChannelsOptions, heavyChannels } from './doublesparsity.js';
export { type FlexPrefillOptions, flexPrefill } from './flexprefill.js';
export { type InfllmV2Options, infllmV2 } from './infllm.js';
export { type MInferenceHead, type MInferenceOptions, minference } from './minference.js';
export { type MoaOptions, moa } from './moa.js';
export { type Nsa, type NsaBranches, type NsaOptions, type NsaResult, nsa } from './nsa.js';
export { type QuestOptions, quest } from './quest.js';
export {
  type GateInput,
  type SeerAttention,
  type SeerAttentionOptions,
  type SeerAttentionR,
  type SeerAttentionROptions,
  type SeerGate,
  seerAttention,
  seerAttentionR,
} from './seerattention.js';
export {
  type AShapeOptions,
  aShape,
  type StreamingLlmOptions,
  streamingLlm,
  type TriShapeOptions,
  triShape,
} from './streaming.js';
export { type TidalDecode, type TidalDecodeOptions, tidalDecode } from './tidaldecode.js';
export { type XAttentionOptions, xattention } from './xattention.js';
