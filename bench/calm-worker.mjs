// A thread that probes its core each time that it is asked; see calm.ts. Plain JavaScript: tsx does not reach into threads on Node 20.
import { parentPort, workerData } from 'node:worker_threads';

const { asked, answer } = workerData;
const numbers = new Int32Array(2048).fill(1);
const rounds = 100;

/** Milliseconds of a short loop that keeps a core as busy as it can be: four loads and four additions at a time, out of L1. */
function probe() {
  const start = performance.now();
  let [a, b, c, d] = [0, 0, 0, 0];
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < numbers.length; i += 4) {
      a = (a + numbers[i]) | 0;
      b = (b + numbers[i + 1]) | 0;
      c = (c + numbers[i + 2]) | 0;
      d = (d + numbers[i + 3]) | 0;
    }
  }
  const elapsed = performance.now() - start;
  if (a + b + c + d !== rounds * numbers.length) throw new Error('the probe was not computed');
  return elapsed;
}

for (let i = 0; i < 200; i++) probe(); // by then it is compiled
parentPort.postMessage('ready');
for (;;) {
  Atomics.wait(asked, 0, 0);
  answer[0] = Math.min(probe(), probe(), probe()); // the first may find the core asleep
  Atomics.store(asked, 0, 0);
  Atomics.notify(asked, 0);
}
