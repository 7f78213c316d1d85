/** Plans as bytes: a safetensors file of the packed weight in the order of files, and JSON in its metadata that says what it is of. */
import { SparseKernelsError } from '../errors.js';
import { pack, unpack } from '../files/packed.js';
import type { PackedTensor, PackFormat } from '../files/packed-format.js';
import { readChecked, writeSafetensors } from '../files/safetensors.js';
import type { FileTensor } from '../files/tensor.js';
import type { TensorLike } from '../tensor.js';
import { describe } from '../validate.js';
import type { WeightType } from './operands.js';
import type { PlanOptions, SavedOptions } from './settings.js';
import { float32, halfBits, halves, toSteps, unwrapSteps, wrapSteps } from './steps.js';

const KEY = 'sparse-kernels.plan';
const VERSION = 1;

/** A weight or gate of a plan: float32 [out, in] with the numbers that the plan holds, and the scales of int8 [out] or int4 [out, groups]. */
export interface SavedWeight {
  readonly dense: Float32Array;
  readonly scale: Float32Array | undefined;
  readonly bias: Float32Array | undefined;
}

export function writePlan(saved: SavedOptions, dims: readonly [number, number], weights: readonly SavedWeight[]): Uint8Array<ArrayBuffer> {
  const tensors: Record<string, FileTensor | PackedTensor> = {};
  weights.forEach(({ dense, scale, bias }, i) => {
    const prefix = i === 0 ? 'weight' : 'gate';
    const { dtype, groupSize = dims[1] } = saved;
    if (dtype === 'int4' && scale) {
      const perGroup = [dims[0], scale.length / dims[0]];
      const steps = toSteps(dense, scale, dims[1], groupSize);
      if (saved.zeroPoint) tensors[`${prefix}.zero`] = { type: 'uint8', data: wrapSteps(steps, dims[1], groupSize), dims: perGroup };
      tensors[prefix] = pack({ type: 'int8', data: steps, dims }, { ...formatOf(saved), bits: 4 });
      tensors[`${prefix}.scale`] = halves(scale, perGroup);
    } else {
      const data = scale ? toSteps(dense, scale, dims[1], dims[1]) : narrowed(dense, dtype);
      tensors[prefix] = pack({ type: dtype as Exclude<WeightType, 'int4'>, data, dims }, formatOf(saved));
      if (scale) tensors[`${prefix}.scale`] = { type: 'float32', data: scale, dims: [dims[0]] };
    }
    if (bias) tensors[`${prefix}.bias`] = { type: 'float32', data: bias, dims: [dims[0]] };
  });
  return writeSafetensors(tensors, { metadata: { [KEY]: description(saved) }, checksum: true });
}

/** The options that make the plan again. What they mean is checked by the plan itself. */
export function readPlan(bytes: Uint8Array): PlanOptions {
  const { tensors, metadata } = readChecked(bytes, true);
  const saved = described(metadata[KEY]);
  const dense = (name: string) => {
    const tensor = tensors.get(name);
    if (!tensor || !('parts' in tensor)) return tensor && float32(tensor);
    const zero = tensors.get(`${name}.zero`);
    return zero && !('parts' in zero) ? unwrapSteps(unpack(tensor), zero, groupSizeOf(saved)) : unpack(tensor);
  };
  const weight = dense('weight');
  if (!weight) throw new SparseKernelsError('ERR_SK_FILE', 'expected the bytes of a plan to hold its weight');
  const parts = {
    scale: dense('weight.scale'),
    bias: dense('weight.bias'),
    gate: dense('gate'),
    gateScale: dense('gate.scale'),
    gateBias: dense('gate.bias'),
  };
  const given = Object.fromEntries(Object.entries(parts).filter(([, tensor]) => tensor));
  return { ...saved, ...(given as Record<string, TensorLike>), weight } as unknown as PlanOptions;
}

/** The plan that `make` makes of what was read: where that fails, the bytes are wrong, unless the machine is. */
export function fromBytes<P>(make: () => P): P {
  try {
    return make();
  } catch (cause) {
    const code = (cause as { code?: string }).code;
    if (code === 'ERR_SK_ISA' || code === 'ERR_SK_MEMORY') throw cause;
    throw new SparseKernelsError('ERR_SK_FILE', `the bytes of a plan: ${(cause as Error).message}`, { cause });
  }
}

/** What the JSON in the metadata of a plan says, but for its version, which is checked. */
export function described(json: string | undefined): Record<string, unknown> {
  const { version, ...saved } = parse(json);
  if (version === VERSION) return saved;
  throw new SparseKernelsError(
    'ERR_SK_VERSION',
    `expected a plan of version ${VERSION} but received ${describe(version)}: update sparse-kernels`,
  );
}

/** The JSON that {@link described} reads. */
export function description(saved: object): string {
  return JSON.stringify({ version: VERSION, ...saved });
}

function parse(json: string | undefined): Record<string, unknown> {
  const foreign = (cause?: unknown) =>
    new SparseKernelsError('ERR_SK_FILE', 'expected the bytes that plan.serialize() returned', { cause });
  if (json === undefined) throw foreign();
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (cause) {
    throw foreign(cause);
  }
  if (typeof value !== 'object' || value === null) throw foreign();
  return value as Record<string, unknown>;
}

/** Of a plan with zero points. */
function groupSizeOf({ groupSize }: Record<string, unknown>): number {
  if (typeof groupSize === 'number' && groupSize >= 1) return groupSize;
  throw new SparseKernelsError('ERR_SK_FILE', `expected a plan with zero points to have a groupSize but received ${describe(groupSize)}`);
}

/** VENOM's rows keep their own N of M. */
function formatOf({ pattern, rows = 1, venom, block }: SavedOptions): PackFormat {
  if (pattern === 'unstructured') return { kind: 'csr' };
  if (pattern === 'block') return { kind: 'block', block: block as readonly [number, number] };
  return { kind: 'nm', pattern, rows: venom ? 1 : rows };
}

/** Numbers that the type can hold, in that type. */
export function narrowed(dense: Float32Array, type: WeightType) {
  if (type === 'float32') return dense;
  const bits = new Uint32Array(dense.buffer, dense.byteOffset, dense.length);
  const narrow = type === 'bfloat16' ? (b: number) => b >>> 16 : halfBits;
  const data = new Uint16Array(bits.length);
  for (let i = 0; i < bits.length; i++) data[i] = narrow(bits[i] as number);
  return data;
}
