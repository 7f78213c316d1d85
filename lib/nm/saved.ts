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
    const type = saved.dtype === 'int4' ? 'int8' : saved.dtype;
    const data = scale ? steps(dense, scale, dims[1], saved.groupSize ?? dims[1]) : narrowed(dense, saved.dtype);
    tensors[prefix] = pack({ type, data, dims }, formatOf(saved));
    const groups = saved.dtype === 'int4' && scale ? [scale.length / dims[0]] : [];
    if (scale) tensors[`${prefix}.scale`] = { type: 'float32', data: scale, dims: [dims[0], ...groups] };
    if (bias) tensors[`${prefix}.bias`] = { type: 'float32', data: bias, dims: [dims[0]] };
  });
  return writeSafetensors(tensors, { metadata: { [KEY]: JSON.stringify({ version: VERSION, ...saved }) }, checksum: true });
}

/** The options that make the plan again. What they mean is checked by the plan itself. */
export function readPlan(bytes: Uint8Array): PlanOptions {
  const { tensors, metadata } = readChecked(bytes, true);
  const { version, ...saved } = parse(metadata[KEY]);
  if (version !== VERSION) {
    throw new SparseKernelsError(
      'ERR_SK_VERSION',
      `expected a plan of version ${VERSION} but received ${describe(version)}: update sparse-kernels`,
    );
  }
  const dense = (name: string) => {
    const tensor = tensors.get(name);
    return tensor && ('parts' in tensor ? unpack(tensor) : tensor);
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

/** VENOM's rows keep their own N of M. */
function formatOf({ pattern, rows = 1, venom, block }: SavedOptions): PackFormat {
  if (pattern === 'unstructured') return { kind: 'csr' };
  if (pattern === 'block') return { kind: 'block', block: block as readonly [number, number] };
  return { kind: 'nm', pattern, rows: venom ? 1 : rows };
}

/** Quantised numbers as the integers that `group` inputs of a row at a time multiply a scale with. */
function steps(dense: Float32Array, scale: Float32Array, inputs: number, group: number): Int8Array {
  const data = new Int8Array(dense.length);
  let of = 0;
  for (let row = 0; row < dense.length; row += inputs) {
    for (let first = 0; first < inputs; first += group, of++) {
      for (let i = row + first; i < row + Math.min(first + group, inputs); i++) {
        if (dense[i] !== 0) data[i] = Math.round((dense[i] as number) / (scale[of] as number));
      }
    }
  }
  return data;
}

/** Numbers that the type can hold, in that type. */
function narrowed(dense: Float32Array, type: WeightType) {
  if (type === 'float32') return dense;
  const bits = new Uint32Array(dense.buffer, dense.byteOffset, dense.length);
  const narrow = type === 'bfloat16' ? (b: number) => b >>> 16 : halfBits;
  const data = new Uint16Array(bits.length);
  for (let i = 0; i < bits.length; i++) data[i] = narrow(bits[i] as number);
  return data;
}

/** float32 bits of a number that float16 can hold to float16 bits. */
function halfBits(bits: number): number {
  const sign = (bits >>> 16) & 0x8000;
  const exponent = ((bits >>> 23) & 0xff) - 112;
  const fraction = bits & 0x7fffff;
  if (exponent === 0x8f) return sign | 0x7c00 | (fraction >>> 13);
  if (exponent > 0) return sign | (exponent << 10) | (fraction >>> 13);
  return exponent < -10 ? sign : sign | ((fraction | 0x800000) >>> (14 - exponent));
}
