/** N:M sparse matrix multiplication: y = act(x Wᵀ + b), where of every M consecutive weights at most N are non-zero. */

export { planTransposed, type TransposedOptions, type ValueGradientOptions, valueGradient } from './backward.js';
export type { CudaOutputOf, CudaPlan, CudaRunOptions } from './cuda-plan.js';
export type { GroupSize } from './int4.js';
export { deserializeKHot, type KHotOptions, type KHotPlan, type KHotRunOptions, planKHot } from './khot.js';
export type { KHotLists } from './khot-operands.js';
export { type MatmulOptions, matmul } from './matmul.js';
export type { ActivationType, OutputOf, WeightType } from './operands.js';
export type { Pattern, PlanPattern } from './pattern.js';
export { type DeserializeOptions, deserialize, type Plan, plan, type RunOptions, type RunSyncOptions } from './plan.js';
export { type PruneOptions, prune } from './prune.js';
export type { Activation, CudaPlanOptions, PlanOptions } from './settings.js';
