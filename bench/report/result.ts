import { median, quantile } from 'simple-statistics';
import type { Roofline } from '../machine.js';
import type { Outcome } from '../measure.js';
import type { BenchCase, Figures } from '../suite.js';

/** One row of the report. Figures that were not measured, because the case failed its verification, are null. */
export interface Result {
  readonly suite: string;
  readonly case: string;
  readonly shape: Readonly<Record<string, number>>;
  readonly dtype: string;
  readonly pattern: string;
  readonly kernel: string | null;
  readonly threads: number;
  readonly peer: string | null;
  /** Medians over the pairs, in milliseconds per call. */
  readonly oursMs: number | null;
  readonly peerMs: number | null;
  /** Median over the pairs of the peer's time divided by our time: above 1, we are faster. */
  readonly ratio: number | null;
  /** The 10th and the 90th percentile of the same. */
  readonly ratioMin: number | null;
  readonly ratioMax: number | null;
  /** How many pairs these figures come from, and during how many of them the cores were our own: all, if such pairs were to be had; null where nobody looked. */
  readonly pairs: number | null;
  readonly calmPairs: number | null;
  /** The least ratio that was asked for, and the one that theory allows. */
  readonly goal: number | null;
  readonly limit: number | null;
  /** Arithmetic per second: that which we do, and that which dense would have to do to finish as early. */
  readonly gflops: number | null;
  readonly denseEquivalentGflops: number | null;
  /** `bytes` per second. */
  readonly gbs: number | null;
  /** The least time that peak and bandwidth of this machine allow, divided by our time. */
  readonly rooflineFraction: number | null;
  /** The sparse operand as it is stored, and the dense one. */
  readonly bytes: number | null;
  readonly denseBytes: number | null;
  /** Bytes of what is made once, and the peaks of making it and of a call beside what it reads and returns. */
  readonly peak: Figures['peak'] | null;
  readonly verified: boolean;
}

/** What is known of a row before it is measured. */
export interface Entry {
  readonly suite: string;
  readonly case: BenchCase;
  readonly threads: number;
}

export function summarize({ suite, case: benchCase, threads }: Entry, outcome: Outcome, roofline: Roofline): Result {
  const { name, shape, dtype, pattern, goal, limit } = benchCase;
  const known = { suite, case: name, shape, dtype, pattern, threads, goal, limit };
  if ('problems' in outcome) return { ...known, ...unmeasured, verified: false };

  const { kernel, peer, flops, denseFlops, bytes, denseBytes, pairs, calmPairs } = outcome;
  const oursMs = median(pairs.map((pair) => pair.oursMs));
  const ratios = pairs.map((pair) => pair.peerMs / pair.oursMs);
  const perSecond = (amount: number) => amount / (oursMs * 1e6); // in units of 1e9
  const floorMs = Math.max(flops / roofline.peakGflops, bytes / roofline.bandwidthGBs) / 1e6;
  return {
    ...known,
    kernel,
    peer,
    oursMs: round(oursMs),
    peerMs: round(median(pairs.map((pair) => pair.peerMs))),
    ratio: round(median(ratios)),
    ratioMin: round(quantile(ratios, 0.1)),
    ratioMax: round(quantile(ratios, 0.9)),
    pairs: pairs.length,
    calmPairs: calmPairs ?? null,
    gflops: round(perSecond(flops)),
    denseEquivalentGflops: round(perSecond(denseFlops)),
    gbs: round(perSecond(bytes)),
    rooflineFraction: round(floorMs / oursMs),
    bytes,
    denseBytes,
    peak: outcome.peak ?? null,
    verified: true,
  };
}

const unmeasured = {
  kernel: null,
  peer: null,
  oursMs: null,
  peerMs: null,
  ratio: null,
  ratioMin: null,
  ratioMax: null,
  pairs: null,
  calmPairs: null,
  gflops: null,
  denseEquivalentGflops: null,
  gbs: null,
  rooflineFraction: null,
  bytes: null,
  denseBytes: null,
  peak: null,
} as const;

/** No measurement here has more than four digits of meaning. */
function round(value: number): number {
  return Number(value.toPrecision(4));
}
