import { readFileSync, writeFileSync } from 'node:fs';

/**
 * Peak resident bytes during `work` beyond what was resident before it; undefined where the system is not Linux, which alone tells the peak of
 * a part of a process.
 */
export function peakBytes(work: () => void): number | undefined {
  if (process.platform !== 'linux') return undefined;
  const bytes = (name: string) => 1024 * Number(new RegExp(`${name}:\\s*(\\d+) kB`).exec(readFileSync('/proc/self/status', 'utf8'))?.[1]);
  writeFileSync('/proc/self/clear_refs', '5'); // the peak starts from here
  const before = bytes('VmRSS');
  work();
  return bytes('VmHWM') - before;
}
