import type { NativeKernelMap, NativeMapmmPlan } from '../../types/conv.js';
import { cancellable, type NativeHandle } from '../handle.js';
import { inSlices } from '../slices.js';
import { allocate, typedArray } from '../tensor.js';

/** Features of so many bytes are copied in one piece by the addon. */
const onePiece = 4 << 20;

/**
 * Runs a plan off the event loop. JavaScript could transfer the features away meanwhile, so the worker reads a copy of them, and many are
 * copied a slice at a time, so that other turns of the event loop come in between.
 */
export async function runPlan(
  plan: NativeHandle<NativeMapmmPlan>,
  map: () => NativeKernelMap,
  features: Float32Array,
  y: { readonly data: Float32Array; readonly isPrivate: boolean },
  signal: AbortSignal | undefined,
): Promise<void> {
  const large = features.byteLength > onePiece;
  const { length } = y.data;
  await cancellable(signal, (token) =>
    plan.use(async (live) => {
      const fixed = map(); // of the time of the call
      const x = large ? await copied(features) : features;
      if (large) typedArray(y.data, 'float32', 'out', length);
      await live.run(fixed, x, y.data, large, y.isPrivate, token);
    }),
  );
}

async function copied(features: Float32Array): Promise<Float32Array> {
  const { length } = features;
  const copy = allocate('float32', length, 'the copy of x');
  await inSlices(length, 1, (first, end) => {
    copy.set(typedArray(features, 'float32', 'x', length).subarray(first, end), first);
  });
  return copy;
}
