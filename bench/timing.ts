import { setTimeout as sleep } from 'node:timers/promises';

/** Milliseconds of a call on each side, taken one side right after the other. */
export interface Pair {
  readonly oursMs: number;
  readonly peerMs: number;
}

export interface Budget {
  readonly warmUpPairs: number;
  /** Both are lower bounds: timing goes on until the pairs are enough and the seconds are over. */
  readonly pairs: number;
  readonly seconds: number;
  /** But not longer than this once there are so many pairs: calls of a second say enough with a few. */
  readonly mostSeconds: number;
  readonly leastPairs: number;
}

type Call = () => Promise<unknown>;

/** Times the two sides in pairs, the order alternating: whatever drifts on this machine hits both. */
export async function timePairs(ours: Call, peer: Call, budget: Budget): Promise<Pair[]> {
  const start = performance.now();
  const spent = () => (performance.now() - start) / 1000;
  for (let i = 0; i < budget.warmUpPairs && spent() < budget.mostSeconds / 4; i++) {
    await ours();
    await peer();
  }
  const pairs: Pair[] = [];
  const warm = spent();
  while (
    pairs.length < budget.leastPairs ||
    (spent() < budget.mostSeconds && (pairs.length < budget.pairs || spent() - warm < budget.seconds))
  ) {
    if (pairs.length % 2 === 0) {
      const oursMs = await timeTurn(ours);
      pairs.push({ oursMs, peerMs: await timeTurn(peer) });
    } else {
      const peerMs = await timeTurn(peer);
      pairs.push({ oursMs: await timeTurn(ours), peerMs });
    }
  }
  return pairs;
}

/**
 * Milliseconds per call in a stream of calls: the first ones wake the side's threads and are not counted, unless they take
 * so long that waking is nothing beside it.
 */
async function timeTurn(call: Call): Promise<number> {
  await quiet();
  const waking = await repeat(call, 2);
  return waking > 50 ? waking : repeat(call, 5);
}

/** Milliseconds per call, repeated for so long: one short call alone says more about the clock than about the kernel. */
async function repeat(call: Call, leastMs: number): Promise<number> {
  const start = performance.now();
  for (let calls = 1; ; calls++) {
    await call();
    const elapsed = performance.now() - start;
    if (elapsed >= leastMs) return elapsed / calls;
  }
}

/**
 * Waits until this process rests. Thread pools spin for a while after a call in the hope of the next (onnxruntime's for
 * some 40 ms); the rival would have to share its cores with them.
 */
async function quiet(): Promise<void> {
  const windowMs = 3;
  const patienceMs = 500;
  for (let waited = 0; waited < patienceMs; waited += windowMs) {
    const start = performance.now();
    const before = process.cpuUsage();
    await sleep(windowMs);
    const { user, system } = process.cpuUsage(before);
    const busy = (user + system) / 1000 / (performance.now() - start);
    if (busy < 0.25) return;
  }
}
