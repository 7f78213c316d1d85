/** Pruning: which weights stay. Criteria, scopes, budgets and schedules, and the update rules of sparse training. */
export { type BudgetOptions, budget } from './budget.js';
export { Calibration, type CalibrationOptions } from './calibration.js';
export { type DsnotOptions, dsnot } from './dsnot.js';
export { type EssentialOptions, essential, magnitude } from './magnitude.js';
export { apply, mask } from './mask.js';
export type { Mask, Pruned } from './matrix.js';
export { random } from './random.js';
export { type CubicOptions, cubicSparsity } from './schedule.js';
export type { Scope } from './scope.js';
export { type SparseGptOptions, sparsegpt } from './sparsegpt.js';
export { wanda } from './wanda.js';
