import type { NativeAttendMergeCudaOptions } from '../../types/attention.js';
import { DeviceTensor } from '../device-tensor.js';
import { rangeError } from '../errors.js';
import { native } from '../native.js';
import { enqueue } from './cuda-call.js';
import type { CudaAttentionResult } from './cuda-plan.js';

/** native/attend/cuda/merge.h, kMostMerged. */
const mostMerged = 16;

/** Results of the same shapes, checked; nothing waits for the merged one. */
export function mergeOnDevice(
  results: readonly { output: DeviceTensor; lse: DeviceTensor }[],
): Promise<Omit<CudaAttentionResult, 'layout'>> {
  const [first] = results;
  if (first === undefined || results.length > mostMerged) {
    throw rangeError('ERR_SK_SHAPE', `expected 1 to ${mostMerged} results on the device but received ${results.length}`);
  }
  const merged = { output: new DeviceTensor('float32', first.output.dims), lse: new DeviceTensor('float32', first.lse.dims) };
  const operands = Object.fromEntries(
    results.flatMap(({ output, lse }, i) => Object.entries({ [`output${i}`]: output, [`lse${i}`]: lse })),
  );
  const sizes = { count: results.length, rows: first.lse.dims.reduce((a, b) => a * b, 1), headDim: first.output.dims.at(-1) as number };
  return enqueue({}, merged, operands, (arrays, call) =>
    native.attendMergeCuda({ ...arrays, ...sizes } as unknown as NativeAttendMergeCudaOptions, call),
  );
}
