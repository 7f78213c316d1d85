/** Dynamic sparse attention: exact attention over the keys that lists name, for prefill and decoding. */

export { type AntidiagonalOptions, antidiagonal } from './antidiagonal.js';
export { type Cache, type CachedTokens, type CacheOptions, cache, newPages } from './cache.js';
export { type CandidateOptions, scoreCandidates } from './candidates.js';
export { type ClusterOptions, type Clusters, cluster, moveCentroids } from './cluster.js';
export {
  type CudaLines,
  type CudaLinesOptions,
  type CudaVerticalSlash,
  type CudaVerticalSlashOptions,
  verticalSlash,
} from './cuda-lines.js';
export type { CudaAttentionResult, CudaPlan, CudaRunOptions } from './cuda-plan.js';
export type { CudaPooled, CudaPoolOptions } from './cuda-pool.js';
export { CudaRows } from './cuda-rows.js';
export type { CudaScoreOptions } from './cuda-score.js';
export type { CudaSelectOptions } from './cuda-select.js';
export { type DecodeOptions, decode, decodeSync } from './decode.js';
export { type LevelOptions, selectLevels } from './levels.js';
export { type Lines, type LinesOptions, lines } from './lines.js';
export { merge } from './merge.js';
export * as methods from './methods/index.js';
export * as orders from './orders.js';
export * as patterns from './patterns.js';
export { inverseOrder, permute } from './permute.js';
export { type Plan, plan } from './plan.js';
export { type Pooled, type PoolKind, type PoolOptions, pool, poolSync } from './pool.js';
export { type PoolScoresOptions, poolScores } from './poolscores.js';
export { type ProjectOptions, project } from './project.js';
export { type Ragged, type RaggedOptions, ragged } from './ragged.js';
export { type ScoreOptions, score, scoreSync } from './score.js';
export { type Crossing, type ForceOptions, type SelectOptions, select, selectSync } from './select.js';
export type {
  AttentionResult,
  AttentionRules,
  AttentionShape,
  CudaPattern,
  CudaPlanOptions,
  HeadSets,
  Layout,
  ListCapacity,
  Pattern,
  PlanOptions,
  Rows,
  RunOptions,
} from './types.js';
