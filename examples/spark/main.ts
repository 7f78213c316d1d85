import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { experiment } from './experiment.js';

const folder = process.argv[2] ?? join(tmpdir(), 'sparse-kernels-spark');
const { visible, layers, files } = await experiment('locomotion-house-cat', 448, folder);
console.log(`${(100 * visible).toFixed(1)} % of the pixels are visible; ${layers.length} layers`);
for (const { name, size, gathered, error } of layers) {
  console.log(`  ${size} x ${size}, ${name}, over ${gathered}: error against dense ${error.toExponential(1)}`);
}
console.log(files.map((file) => `wrote ${file}`).join('\n'));
process.exitCode = layers.every(({ error }) => error < 1e-4) ? 0 : 1;
