/** Published methods of sparse attention: each chooses keys, all attend with the same kernels. */

export { type AdaSpaOptions, adaSpa } from './adaspa.js';
export { type AnchorAttention, type AnchorAttentionOptions, anchorAttention } from './anchor.js';
export { type BlockTopKOptions, blockTopK } from './blocktopk.js';
export { type Combiner, type CombinerOptions, combiner } from './combiner.js';
export type { PrefillMethod } from './common.js';
export type { DecodeMethod, DecodeOptions } from './decoding.js';
export { type DhsaOptions, dhsa } from './dhsa.js';
export type { DenoisingMethod } from './diffusion.js';
export { type DoubleSparsityOptions, doubleSparsity, type HeavyChannelsOptions, heavyChannels } from './doublesparsity.js';
export { type FlexPrefillOptions, flexPrefill } from './flexprefill.js';
export { type InfllmV2Options, infllmV2 } from './infllm.js';
export { type Llsa, type LlsaOptions, llsa } from './llsa.js';
export { type MInferenceHead, type MInferenceOptions, minference } from './minference.js';
export { type MoaOptions, moa } from './moa.js';
export { type Nosa, type NosaOptions, type NosaResult, nosa } from './nosa.js';
export { type Nsa, type NsaBranches, type NsaOptions, type NsaResult, nsa } from './nsa.js';
export { type PbsAttn, type PbsAttnOptions, type PbsAttnResult, pbsAttn } from './pbs.js';
export { type PowerAttentionOptions, powerAttention } from './power.js';
export { type ProxyAttnOptions, proxyAttn } from './proxyattn.js';
export { type Psa, type PsaOptions, type PsaResult, psa } from './psa.js';
export { type QuestOptions, quest } from './quest.js';
export type { MethodReport, MethodResult } from './report.js';
export { type ReTtentionOptions, reTtention } from './rettention.js';
export { type RoutingResult, type RoutingTransformer, type RoutingTransformerOptions, routingTransformer } from './routing.js';
export { type GateInput, type SeerAttention, type SeerAttentionOptions, seerAttention } from './seerattention.js';
export { type SeerAttentionR, type SeerAttentionROptions, seerAttentionR } from './seerattentionr.js';
export type { SeerGate } from './seergate.js';
export type { MethodOptions } from './shape.js';
export { type SpargeAttnOptions, spargeAttn } from './sparge.js';
export { type SparkAttentionOptions, sparkAttention } from './spark.js';
export { type SparseDOptions, sparseD } from './sparsed.js';
export { type SparseVditOptions, sparseVdit, type VditHead } from './sparsevdit.js';
export { type SparsifinerOptions, sparsifiner } from './sparsifiner.js';
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
