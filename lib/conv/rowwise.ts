/** Normalisation, sum and activation of features, row by row: what networks do between two convolutions. */
import type { NativeNormOptions } from '../../types/conv.js';
import { cancellable, guarded } from '../handle.js';
import { native } from '../native.js';
import { allocate } from '../tensor.js';
import { copied, isLarge, type Operand, withCopy } from './run.js';
import { type SparseTensor, withFeatures } from './tensor.js';

/** In the order of enum Norm and enum NormActivation in native/norm/norm.h. */
const norms = ['none', 'batch', 'layer'] as const;
const activations = ['none', 'relu', 'relu6', 'gelu'] as const;

/** y = activation(norm(x) + added). Arrays have been checked. */
export interface Rowwise {
  readonly norm?: (typeof norms)[number];
  readonly weight?: Float32Array | undefined;
  readonly bias?: Float32Array | undefined;
  /** Of a batch norm, both or neither. */
  readonly mean?: Float32Array | undefined;
  readonly variance?: Float32Array | undefined;
  readonly epsilon?: number;
  readonly added?: Float32Array | undefined;
  readonly activation?: (typeof activations)[number];
}

export function rowwiseSync(x: SparseTensor, what: Rowwise): SparseTensor {
  const y = allocate('float32', x.features.length, 'the output');
  guarded(() => native.norm(x.features, settings(x.channels, what, false, what.added, false), y));
  return withFeatures(x, y, x.channels);
}

/** Off the event loop. Features that are `own` (x, added) no caller has seen: they are not copied. The result takes the place of x, or of its copy. */
export async function rowwise(
  x: SparseTensor,
  what: Rowwise,
  own: { readonly x: boolean; readonly added?: boolean },
  signal: AbortSignal | undefined,
): Promise<SparseTensor> {
  const features = await cancellable(signal, async (token) => {
    const features = { data: x.features, isPrivate: own.x };
    const from = isLarge(features) ? await copied(features, 'x') : features;
    const y = from.isPrivate ? from.data : allocate('float32', x.features.length, 'the output');
    const run = (added?: Operand) =>
      native.normRun(from.data, settings(x.channels, what, from.isPrivate, added?.data, added?.isPrivate === true), y, token);
    await (what.added ? withCopy({ data: what.added, isPrivate: own.added === true }, 'what is added', run) : run());
    return y;
  });
  return withFeatures(x, features, x.channels);
}

function settings(
  channels: number,
  { norm = 'none', weight, bias, mean, variance, epsilon = 0, activation = 'none' }: Rowwise,
  privateX: boolean,
  added: Float32Array | undefined,
  privateAdded: boolean,
): NativeNormOptions {
  return {
    ...{ channels, added, norm: norms.indexOf(norm), weight, bias, mean, variance, epsilon },
    ...{ activation: activations.indexOf(activation), privateX, privateAdded },
  };
}
