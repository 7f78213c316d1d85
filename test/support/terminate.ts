/** Terminates workers while their runs are under way. */
import { setTimeout as sleep } from 'node:timers/promises';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';

if (isMainThread) {
  for (let i = 0; i < 20; i++) {
    const worker = new Worker(new URL('boot.mjs', import.meta.url), { workerData: { script: import.meta.url } });
    await new Promise((resolve) => worker.once('message', resolve));
    await sleep(i * 3);
    await worker.terminate();
  }
  console.log('20 terminations survived');
} else {
  const { plan, x } = await import('./busy.js');
  void plan.run(x);
  void plan.run(x.subarray(0, 2048 * 100), { signal: new AbortController().signal });
  parentPort?.postMessage('running');
}
