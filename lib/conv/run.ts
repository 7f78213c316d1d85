import type { NativeMapmmPlan } from '../../types/conv.js';
import type { NativeKernelMap } from '../../types/map.js';
import { cancellable, type NativeHandle } from '../handle.js';
import { inSlices } from '../slices.js';
import { allocate, typedArray } from '../tensor.js';
import { lend } from './staging.js';

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

/** {@link withCopy} of x, and of y the other way round: what is not private is written at the end. */
export function onCopies(x: Operand, y: Operand, run: (x: Operand, y: Operand) => Promise<void>): Promise<void> {
  const { length } = y.data;
  const out = () => typedArray(y.data, 'float32', 'out', length); // it may have been transferred away
  return withCopy(x, 'x', async (from) => {
    out();
    if (!isLarge(y)) return run(from, y);
    await lend(length, 'the copy of out', async (data) => {
      await run(from, { data, isPrivate: true });
      await inSlices(length, 1, (first, end) => out().set(data.subarray(first, end), first));
    });
  });
}

/**
 * Features that are not private could be transferred away while a worker uses them, so it reads a copy: of large ones that which `use` is
 * called with and has until its promise settles, of small ones that of the addon.
 */
export function withCopy<T>(features: Operand, name: string, use: (features: Operand) => Promise<T>): Promise<T> {
  if (!isLarge(features)) return use(features);
  return lend(features.data.length, `the copy of ${name}`, async (room) => use(await copied(features, name, room)));
}

/**
 * Whether features must be copied here, a slice at a time: the addon would copy them in one piece, before it returns. Small ones it should copy
 * without an `await` before, so that they may change as soon as the run has been called.
 */
export function isLarge({ data, isPrivate }: Operand): boolean {
  return !isPrivate && data.byteLength > onePiece;
}

/** A copy made in slices, so that other turns of the event loop come in between. */
export async function copied({ data: features }: Operand, name: string, room?: Float32Array): Promise<Operand> {
  const { length } = features;
  const data = room ?? allocate('float32', length, `the copy of ${name}`);
  await inSlices(length, 1, (first, end) => {
    data.set(typedArray(features, 'float32', name, length).subarray(first, end), first);
  });
  return { data, isPrivate: true };
}
