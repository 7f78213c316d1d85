/** Pruning: which weights stay. Criteria, scopes, budgets and schedules, and the update rules of sparse training. */
export { type BdwpMasks, type BdwpOptions, bdwp } from './bdwp.js';
export { type BudgetOptions, budget } from './budget.js';
export { Calibration, type CalibrationOptions } from './calibration.js';
export { type AdamSOptions, type AdamSTensors, adamS, type ScaleGradients, scaleGradients, scaleWeight } from './cast.js';
export { type DsnotOptions, dsnot } from './dsnot.js';
export { type LostOptions, type LostParts, lost } from './lost.js';
export { type EssentialOptions, essential, magnitude } from './magnitude.js';
export { apply, mask } from './mask.js';
export type { Mask, Pruned } from './matrix.js';
export { type Permutation, type PermutationOptions, permutationSearch } from './permutation.js';
export { permuteColumns, permuteRows } from './permute.js';
export { type MdgfOptions, mdgfBeta, type SdgfOptions, sdgfPattern, soften } from './progressive.js';
export { random } from './random.js';
export {
  type Regrown,
  type RiglFractionOptions,
  type RiglOptions,
  type RiglTensors,
  rigl,
  riglFraction,
  type SetOptions,
  type SetTensors,
  set,
} from './regrow.js';
export { type S2ftOptions, s2ft } from './s2ft.js';
export { type CubicOptions, cubicSparsity } from './schedule.js';
export type { Scope } from './scope.js';
export { type SparseGptOptions, sparsegpt } from './sparsegpt.js';
export { type SrSteOptions, type SrSteTensors, sad, srSte } from './sr-ste.js';
export { wanda } from './wanda.js';
