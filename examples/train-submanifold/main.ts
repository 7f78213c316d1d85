import { batch, classes, generator } from './data.js';
import { Network } from './network.js';

const steps = Number(process.argv[2] ?? 60);
const next = generator(1);
const network = new Network(next, [16, 24, 32], classes.length);
for (let step = 1; step <= steps; step++) {
  const { loss, accuracy } = await network.step(batch(12, next), 0.005);
  if (step % 10 === 0 || step === 1) console.log(`step ${step}: loss ${loss.toFixed(3)}, ${Math.round(100 * accuracy)} % right`);
}
