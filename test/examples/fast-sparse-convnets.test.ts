import { expect, test } from 'vitest';
import { experiment } from '../../examples/fast-sparse-convnets/experiment.js';

test('all layers of a pruned MobileNet give what onnxruntime gives', { timeout: 60_000 }, async () => {
  const { crops, outcomes } = await experiment([0, 0.9], 1, 2);
  expect(crops).toBe(4);
  for (const { error } of outcomes) expect(error).toBeLessThan(1e-4);
  expect(outcomes[0]).toMatchObject({ kept: 1, agreement: 1 });
  expect(outcomes[1]?.kept).toBeCloseTo(0.1, 2);
});
