import { experiment } from './experiment.js';

const { crops, upright, outcomes } = await experiment([0, 0.8, 0.9], 4);
const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
console.log(`${crops} crops of photos; the dense network calls ${percent(upright)} of them upright`);
for (const { sparsity, kept, error, agreement, shift } of outcomes) {
  const pruned = sparsity === 0 ? 'not pruned' : `1x1 layers pruned to ${percent(sparsity)} zeros (${percent(kept)} kept)`;
  console.log(`${pruned}:`);
  console.log(`  largest difference from onnxruntime on the same weights ${error.toExponential(1)}`);
  console.log(`  top-1 agreement with the dense network ${percent(agreement)}, mean shift of a probability ${shift.toFixed(3)}`);
}
process.exitCode = outcomes.every(({ error }) => error < 1e-4) ? 0 : 1;
