import { expect, test } from 'vitest';
import { batch, classes, generator } from '../../examples/train-submanifold/data.js';
import { Network } from '../../examples/train-submanifold/network.js';

test('the loss falls', async () => {
  const next = generator(1);
  const network = new Network(next, [8, 12, 16], classes.length);
  const losses: number[] = [];
  for (let step = 0; step < 40; step++) losses.push((await network.step(batch(9, next), 0.01)).loss);
  const mean = (values: number[]) => values.reduce((a, b) => a + b, 0) / values.length;
  expect(mean(losses.slice(0, 5))).toBeGreaterThan(0.9); // ln 3 = 1.1 is a guess
  expect(mean(losses.slice(-5))).toBeLessThan(0.6);
});
