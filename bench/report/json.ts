import type { Result } from './result.js';

export interface Machine {
  readonly cpu: string;
  /** The best instruction set that the library uses here. */
  readonly isa: string;
  /** The largest thread count of this run; peak and bandwidth were measured with it. */
  readonly threads: number;
  readonly peakGflops: number;
  readonly bandwidthGBs: number;
  readonly node: string;
}

export interface Report {
  readonly machine: Machine;
  readonly results: readonly Result[];
}

export function renderJson(report: Report): string {
  return JSON.stringify(report, null, 2);
}
