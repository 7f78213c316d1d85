/** Work on many numbers that lets other turns of the event loop come in between. */
import { setImmediate } from 'node:timers/promises';

/** When the event loop has had a turn. */
export function nextTurn(): Promise<void> {
  return setImmediate();
}

/** Numbers of one slice: about a millisecond's work. */
const sliceLength = 1 << 17;

/** Slices of [0, length), as [first, end], that are whole multiples of `unit`. */
export function* slices(length: number, unit: number): Generator<readonly [first: number, end: number]> {
  const slice = Math.max(1, Math.floor(sliceLength / unit)) * unit;
  for (let first = 0; first < length; first += slice) yield [first, Math.min(first + slice, length)];
}

/** Calls work(first, end) for slices of [0, length), a turn of the event loop each. */
export async function inSlices(length: number, unit: number, work: (first: number, end: number) => void): Promise<void> {
  for (const [first, end] of slices(length, unit)) {
    if (first > 0) await nextTurn();
    work(first, end);
  }
}

/** Work that yields after every slice: for both the synchronous and the asynchronous way. */
export type Steps<R> = Generator<void, R, void>;

/** Does all of it. */
export function atOnce<R>(steps: Steps<R>): R {
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}

/** Does it a turn of the event loop at a time. */
export async function inTurns<R>(steps: Steps<R>): Promise<R> {
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
    await nextTurn();
  }
}
