import type { NativeKernelMap, NativeMapmmPlan } from '../../types/conv.js';
import { cancellable, type NativeHandle } from '../handle.js';
import { inSlices } from '../slices.js';
import { allocate, typedArray } from '../tensor.js';
import { borrow, giveBack } from './staging.js';

/** Features of so many bytes are copied in one piece by the addon. */
const onePiece = 4 << 20;

export interface Operand {
  readonly data: Float32Array;
  /** No caller has seen its buffer, so nobody can take it away. */
  readonly isPrivate: boolean;
}

/** Runs a plan off the event loop. */
export async function runPlan(
  plan: NativeHandle<NativeMapmmPlan>,
  map: () => NativeKernelMap,
  x: Operand,
  y: Operand,
  signal: AbortSignal | undefined,
): Promise<void> {
  await cancellable(signal, (token) =>
    plan.use((live) => {
      const fixed = map(); // of the time of the call
      return onCopies(x, y, (from, to) => live.run(fixed, from.data, to.data, from.isPrivate, to.isPrivate, token));
    }),
  );
}

/**
 * Features and results that are not private could be transferred away while a worker uses them, so it reads a copy of the ones, and the others are
 * copied at the end: large ones here, small ones by the addon.
 */
export async function onCopies(x: Operand, y: Operand, run: (x: Operand, y: Operand) => Promise<void>): Promise<void> {
  const { length } = y.data;
  const lent: Float32Array[] = [];
  const lend = (of: number, name: string) => {
    const data = borrow(of, name);
    lent.push(data);
    return data;
  };
  try {
    const from = isLarge(x) ? await copied(x, 'x', lend) : x;
    const out = () => typedArray(y.data, 'float32', 'out', length); // it may have been transferred away
    out();
    const to = isLarge(y) ? { data: lend(length, 'the copy of out'), isPrivate: true } : y;
    await run(from, to);
    if (to !== y) await inSlices(length, 1, (first, end) => out().set(to.data.subarray(first, end), first));
  } finally {
    for (const data of lent) giveBack(data); // the run has ended, aborted or not
  }
}

/**
 * Whether features must be copied here, a slice at a time: the addon would copy them in one piece, before it returns. Small ones it should copy
 * without an `await` before, so that they may change as soon as the run has been called.
 */
export function isLarge({ data, isPrivate }: Operand): boolean {
  return !isPrivate && data.byteLength > onePiece;
}

/** A copy made in slices, so that other turns of the event loop come in between. */
export async function copied(
  { data: features }: Operand,
  name: string,
  room = (length: number, what: string): Float32Array => allocate('float32', length, what),
): Promise<Operand> {
  const { length } = features;
  const data = room(length, `the copy of ${name}`);
  await inSlices(length, 1, (first, end) => {
    data.set(typedArray(features, 'float32', name, length).subarray(first, end), first);
  });
  return { data, isPrivate: true };
}
