/** Loads the library in several workers at once and compares their results. */
import { isMainThread, parentPort, Worker } from 'node:worker_threads';
import { nm } from 'sparse-kernels';
import { smallIntegers } from './random.js';

const weight = nm.prune({ data: smallIntegers(256 * 512, 1), dims: [256, 512] }, { pattern: '2:4' });
const plan = nm.plan({ weight, pattern: '2:4' });
const sum = (data: Float32Array) => data.reduce((a, b, i) => a + b * ((i % 7) + 1), 0);

async function checksum(): Promise<number> {
  const runs = Array.from({ length: 8 }, (_, i) => plan.run(smallIntegers((i * 20 + 1) * 512, i)));
  return (await Promise.all(runs)).reduce((total, y) => total + sum(y.data), 0);
}

if (isMainThread) {
  const workers = Array.from(
    { length: 4 },
    () => new Worker(new URL('boot.mjs', import.meta.url), { workerData: { script: import.meta.url } }),
  );
  const results = workers.map((worker) => new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject)));
  const mine = await checksum();
  for (const theirs of await Promise.all(results)) if (theirs !== mine) throw new Error(`${theirs} instead of ${mine}`);
  console.log(`${workers.length} workers agree`);
} else {
  parentPort?.postMessage(await checksum());
}
