// node addon.mjs <addon.node> <scenario>: what addon.test.ts runs in a process of its own, whose runtime is the simulator.
import { createRequire } from 'node:module';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';

const [path, scenario] = isMainThread ? process.argv.slice(2) : [workerData, 'thread'];
const addon = createRequire(import.meta.url)(path);

const scenarios = {
  device: async () => addon.device(),

  // Four jobs at a time on libuv's pool, and some on the event loop.
  workers: async () => {
    const jobs = Array.from({ length: 12 }, (_, i) => (i % 3 === 2 ? addon.onStream(5) : addon.onWorker()));
    return (await Promise.all(jobs)).join('') || 'all fine';
  },

  // Each thread loads the addon for itself; the device is one.
  threads: async () => {
    const jobs = Array.from({ length: 3 }, () => {
      const worker = new Worker(new URL(import.meta.url), { workerData: path });
      return new Promise((resolve, reject) => worker.on('message', resolve).on('error', reject));
    });
    return [...(await Promise.all(jobs)), await addon.onWorker()].join('') || 'all fine';
  },
  thread: async () => parentPort.postMessage((await addon.onWorker()) + (await addon.onStream(3))),

  // The event loop turns while the device works.
  loop: async () => {
    let turns = 0;
    const timer = setInterval(() => ++turns, 1);
    const start = performance.now();
    const pending = addon.onStream(200000);
    const asked = performance.now() - start;
    const problem = await pending;
    clearInterval(timer);
    return problem || (turns > 5 && asked < (performance.now() - start) / 2 ? 'turns' : `${turns} turns, asking took ${asked} ms`);
  },

  memory: async () => {
    const before = addon.allocate(1 << 20);
    process.env.GPUSIM_MEMORY = '1000000';
    const limited = `${addon.allocate(1_000_001)} ${addon.allocate(1_000_000)} ${addon.device().split(', ')[2]}`;
    delete process.env.GPUSIM_MEMORY;
    return `${before} ${limited} ${addon.allocate(1 << 20)}`;
  },

  fault: async () => addon.fault(),

  // Ends the process while a kernel runs that would take minutes.
  exit: async () => {
    addon.onStream(1 << 30);
    await new Promise((resolve) => setTimeout(resolve, 200));
    console.log('leaving');
    process.exit(0);
  },
};

const outcome = await scenarios[scenario]();
if (isMainThread) console.log(outcome);
