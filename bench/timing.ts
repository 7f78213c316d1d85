import { setTimeout as sleep } from 'node:timers/promises';
import type { Calm } from './calm.js';

/** Milliseconds of a call on each side, taken one side right after the other. */
export interface Pair {
  readonly oursMs: number;
  readonly peerMs: number;
  /** The slowest probe of the cores before, between and after the two; 0 without probes. */
  readonly probeMs: number;
}

export interface Budget {
  readonly warmUpPairs: number;
  /** Both are lower bounds: timing goes on until the pairs are enough and the seconds are over. */
  readonly pairs: number;
  readonly seconds: number;
  /** But not longer than this once there are so many pairs: calls of a second say enough with a few. */
  readonly mostSeconds: number;
  readonly leastPairs: number;
  /** So long beyond `mostSeconds` for pairs that nobody disturbs: waiting for such moments, taking pairs again. At 0 nobody looks. */
  readonly patienceSeconds: number;
}

type Call = () => Promise<unknown>;

/**
 * Times the two sides in pairs, the order alternating: whatever drifts on this machine hits both.
 *
 * @param calm - where it is given, pairs during which a core was disturbed are no part of the result if there are `leastPairs` others
 */
export async function timePairs(ours: Call, peer: Call, budget: Budget, calm?: Calm): Promise<{ pairs: Pair[]; calmPairs?: number }> {
  const start = performance.now();
  const spent = () => (performance.now() - start) / 1000;
  for (let i = 0; i < budget.warmUpPairs && spent() < budget.mostSeconds / 4; i++) {
    await ours();
    await peer();
  }
  const taken: Pair[] = [];
  const good = () => (calm ? taken.filter((pair) => calm.isCalm(pair.probeMs)) : taken);
  const patient = () => spent() < budget.mostSeconds + budget.patienceSeconds;
  const warm = spent();
  const enough = (pairs: number) =>
    pairs >= budget.leastPairs && (spent() >= budget.mostSeconds || (pairs >= budget.pairs && spent() - warm >= budget.seconds));
  while (!enough(good().length) && (patient() || taken.length < budget.leastPairs)) {
    while (calm && patient() && !calm.isCalm(calm.probe())) {
      calm.move();
      await sleep(5);
    }
    taken.push(await timePair(ours, peer, taken.length % 2 === 0, calm));
  }
  const pairs = good().length >= budget.leastPairs ? good() : taken;
  return { pairs, ...(calm && { calmPairs: good().length }) };
}

async function timePair(ours: Call, peer: Call, oursFirst: boolean, calm?: Calm): Promise<Pair> {
  const probes = [calm?.probe() ?? 0];
  const turn = async (call: Call) => {
    const ms = await timeTurn(call);
    probes.push(calm?.probe() ?? 0);
    return ms;
  };
  const first = await turn(oursFirst ? ours : peer);
  const second = await turn(oursFirst ? peer : ours);
  const [oursMs, peerMs] = oursFirst ? [first, second] : [second, first];
  return { oursMs, peerMs, probeMs: Math.max(...probes) };
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
