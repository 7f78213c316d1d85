/** K-hot plans as bytes: a safetensors file of the dense weight, and JSON in its metadata that says what it is of. */
import { SparseKernelsError } from '../errors.js';
import type { PackedTensor } from '../files/packed-format.js';
import { readChecked, writeSafetensors } from '../files/safetensors.js';
import type { FileTensor } from '../files/tensor.js';
import type { Tensor } from '../tensor.js';
import type { ActivationType } from './operands.js';
import { described, description, narrowed } from './saved.js';
import type { Activation } from './settings.js';

const KEY = 'sparse-kernels.khot';

/** The options of a k-hot plan that its bytes keep beside the arrays. */
export interface SavedKHot {
  readonly dtype: ActivationType;
  readonly activation: Activation;
}

export function writeKHot(saved: SavedKHot, { data, dims }: Tensor, bias: Float32Array | undefined): Uint8Array<ArrayBuffer> {
  const weight: FileTensor = { type: saved.dtype, data: narrowed(data, saved.dtype), dims };
  const tensors = { weight, ...(bias && { bias: { type: 'float32', data: bias, dims: [bias.length] } as const }) };
  return writeSafetensors(tensors, { metadata: { [KEY]: description(saved) }, checksum: true });
}

/** The options that make the plan again. What they mean is checked by the plan itself. */
export function readKHot(bytes: Uint8Array): SavedKHot & { weight: FileTensor; bias?: FileTensor } {
  const { tensors, metadata } = readChecked(bytes, true);
  const saved = described(metadata[KEY]);
  const [weight, bias] = [dense(tensors.get('weight')), dense(tensors.get('bias'))];
  if (!weight) throw new SparseKernelsError('ERR_SK_FILE', 'expected the bytes of a k-hot plan to hold its weight');
  return { ...(saved as unknown as SavedKHot), weight, ...(bias && { bias }) };
}

function dense(tensor: FileTensor | PackedTensor | undefined): FileTensor | undefined {
  return tensor && 'parts' in tensor ? undefined : tensor;
}
