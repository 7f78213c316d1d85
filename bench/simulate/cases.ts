/** One run of a plan on the device, and the part of it that is simulated, so that the rest is more of the same. */
export interface SimulatedCase {
  readonly name: string;
  /** A program of this folder and its arguments: computes the part and compares it with an oracle. */
  readonly program: string;
  readonly args: readonly (string | number)[];
  /** The part is simulated on one multiprocessor, so that the plan chooses the blocks that it would choose for the whole. */
  readonly onOneMultiprocessor: boolean;
  /** The launches that count, by the names of their kernels; default: all. */
  readonly counted?: RegExp;
  /** The whole over the part. */
  readonly scale: number;
  /** The same of the kernels that prepare an operand, once whatever the outputs are. Default: `scale`. */
  readonly operandScale?: number;
  /** Each operand and the result once. */
  readonly bytes: number;
  /** What a dense kernel would do for the same: no library quite reaches the limits of the device. */
  readonly dense: { readonly multiplyAdds: number; readonly type: 'half' | 'float' | 'int8' | 'tf32'; readonly bytes: number };
}

export const shortTypes = {
  float16: 'f16',
  bfloat16: 'bf16',
  float32: 'f32',
  int8: 'i8',
  int4: 'i4',
  'int4-128': 'i4g128',
  w8a8: 'w8a8',
  tf32: 'tf32',
} as const;
