/** Runs of whole key-value heads, so that what the addon copies at a time stays small. */
import type { NativeAttendOperands, NativeAttendPlan } from '../../types/attention.js';
import type { NativeCancelToken } from '../../types/cancel.js';
import { typedArray } from '../tensor.js';
import { resultKeys } from './operands.js';
import type { Layout } from './types.js';

/** Most that one native run copies of q, k and v; one key-value head at least. */
const sliceBytes = 8 << 20;

/** Runs a plan in slices where heads lie outermost, else whole. One after the other: two at once would take more threads than the run may. */
export async function runSlices(
  plan: NativeAttendPlan,
  all: NativeAttendOperands,
  layout: Layout,
  token: NativeCancelToken | undefined,
): Promise<void> {
  const { units } = all;
  const bytes = all.q.byteLength + 2 * (all.k?.byteLength ?? 0);
  const slice = Math.max(1, Math.floor(sliceBytes / (bytes / units)));
  if (layout === 'BSHD' || slice >= units) return plan.run(all, token);
  const sliced = (['q', 'k', 'v', ...resultKeys] as const).flatMap((key) => {
    const whole = all[key];
    return whole === undefined ? [] : [{ key, whole, perUnit: whole.length / units }];
  });
  for (let first = 0; first < units; first += slice) {
    const count = Math.min(slice, units - first);
    const part: NativeAttendOperands = { ...all, firstUnit: first, units: count };
    for (const { key, whole, perUnit } of sliced) {
      typedArray(whole, whole instanceof Uint16Array ? 'float16' : 'float32', key, perUnit); // it may have been transferred away
      Object.assign(part, { [key]: whole.subarray(first * perUnit, (first + count) * perUnit) });
    }
    await plan.run(part, token);
  }
}
