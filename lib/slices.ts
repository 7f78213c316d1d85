import { setImmediate } from 'node:timers/promises';

/** Numbers of one slice: about a millisecond's work. */
const sliceLength = 1 << 17;

/** Calls work(first, end) for slices of [0, length) that are whole multiples of `unit`; other turns of the event loop come in between. */
export async function inSlices(length: number, unit: number, work: (first: number, end: number) => void): Promise<void> {
  const slice = Math.max(1, Math.floor(sliceLength / unit)) * unit;
  for (let first = 0; first < length; first += slice) {
    if (first > 0) await setImmediate();
    work(first, Math.min(first + slice, length));
  }
}
