import type { NativeSpmmOptions } from '../../types/native.js';
import { type Isa, isaOption } from '../device.js';
import { rangeError, typeError } from '../errors.js';
import type { TensorLike } from '../tensor.js';
import { describe, integer, oneOf, options } from '../validate.js';
import { type GroupSize, int4OnCuda, int4Settings } from './int4.js';
import { dtypeNumber, gateOperand, rowVector, type WeightType, weightOperand } from './operands.js';
import { type PlanPattern, parseSparsity, type Sparsity } from './pattern.js';

/**
 * Function applied to every output in the same pass: `y = activation(x Wᵀ + b)`. `'gelu'` is the exact one (by erf), `'gelu-tanh'` its
 * approximation by tanh (Hendrycks and Gimpel, 2016), `'silu'` is x sigmoid(x).
 */
export type Activation = 'none' | 'relu' | 'gelu' | 'gelu-tanh' | 'silu';

/** In the order of enum Activation in native/simd/activation.h. */
const activations: readonly Activation[] = ['none', 'relu', 'gelu', 'gelu-tanh', 'silu'];

/** The number that the addon has for an activation. */
export function activationNumber(activation: Activation = 'none'): number {
  return activations.indexOf(oneOf(activation, 'activation', activations));
}

/** Options of `nm.plan`. */
export interface PlanOptions {
  /** float32, float16, bfloat16 or int8 (-127 .. 127) [out, in], pruned to `pattern`. Copied: it may change or be freed afterwards. */
  readonly weight: TensorLike;
  /**
   * What the plan stores the weight as; sums are float32 always. float16 and bfloat16 round to nearest even. int8 quantises symmetrically
   * for each output: `scale = max|w| / 127`. int4 quantises each group of `groupSize` inputs of an output: `scale = max|w| / 7.5`, or with
   * `zeroPoint` asymmetrically; it is for `'2:4'` (and `'1:2'`), and for `'block'` of [1, groupSize]: groups that are kept or dropped as one
   * (GQSA, Zeng et al., 2024), or all kept. Default: the type of `weight`.
   */
  readonly dtype?: WeightType;
  /**
   * Of dtype int4: inputs that share a scale, 16, 32, 64 or 128; the last group of an output may be shorter. Default: the columns of
   * `block`, else 32.
   */
  readonly groupSize?: GroupSize;
  /** Of dtype int4: each group has a zero point, so that its 16 steps go from its least weight (or 0) to its largest. Default false. */
  readonly zeroPoint?: boolean;
  /**
   * `'int8'`: products of integers. x is quantised in every run (dynamic, symmetric): `scale = max|x| / 127`.
   *
   * With dtype int8 and a pattern `'N:M'` without `rows` (W8A8) each token has a scale. Sums are exact in int32. A token with NaN or infinity
   * gives NaN. With dtype int4 (W4A8) every `groupSize` inputs of a token have one, as in onnxruntime's MatMulNBits at accuracy level 4 and
   * llama.cpp's Q8_0: a large number takes steps from its neighbours only. Sums are exact in int32 within a group and float32 over groups. A
   * group with NaN or infinity gives NaN where it has weights that were not dropped. It is for one or a few tokens: over many, groups of 16
   * are faster with `'float'`.
   *
   * Default `'float'`: x keeps its numbers.
   */
  readonly activations?: 'float' | 'int8';
  /**
   * float32, with an int8 `weight` only: the weight is `scale * weight`. [out]; with dtype int4 [out, groups], kept as float16, where `weight`
   * is -8 .. 7 or, with `zeroPoint`, the steps from the zero point: any 16 in succession, 0 among them.
   */
  readonly scale?: TensorLike | Float32Array;
  /**
   * The pattern that the weight has: `'N:M'` with M 2, 4, 8, 16 or 32. `'unstructured'`: zeros anywhere; it pays from about half of the
   * weights on. `'block'`: whole blocks are zero.
   */
  readonly pattern: PlanPattern;
  /**
   * Output rows, from row 0 on, that share their columns: V of V:N:M; then M may be any number up to 256. A multiple of 4 has a kernel of its
   * own, faster than that of rows by themselves. Default 1.
   */
  readonly rows?: number;
  /** The `rows` share 4 columns of every M, of which each row has its own N (VENOM, Castro et al., SC 2023). Default false. */
  readonly venom?: boolean;
  /** Rows and columns of a block, for `'block'`. Blocks of a multiple of 4 rows use the kernel of rows that share their columns. */
  readonly block?: readonly [number, number];
  /** float32 [out]: added before the activation. Default: none. */
  readonly bias?: TensorLike | Float32Array;
  /** Default `'none'`. */
  readonly activation?: Activation;
  /**
   * A second weight, of the shape, type and pattern of `weight`: `y = activation(x gateᵀ + gateBias) * (x weightᵀ + bias)`. With
   * `activation: 'silu'` this is SwiGLU, with `'gelu'` GEGLU (Shazeer, "GLU Variants Improve Transformer", 2020): weight is the up projection.
   */
  readonly gate?: TensorLike;
  /** float32 [out]: added before the activation of the gate. Default: none. */
  readonly gateBias?: TensorLike | Float32Array;
  /** As `scale`, with an int8 `gate` only. */
  readonly gateScale?: TensorLike | Float32Array;
  /** Expected tokens (rows of x) of a run: the plan sizes its blocks of work for them. Any other number works too. Default 64. */
  readonly tokens?: number;
  /** Where the plan keeps its weight and runs. Default `'cpu'`. */
  readonly device?: 'cpu';
  /** Forces the kernels of one instruction set. Default: `SK_ISA` from the environment, else the best that the machine has. */
  readonly isa?: Isa;
  /** Most threads of one run. Default: all that `getNumThreads()` allows. */
  readonly threads?: number;
}

/** The options of a plan that its bytes keep beside the arrays. */
export type SavedOptions = Pick<
  PlanOptions,
  'pattern' | 'rows' | 'venom' | 'block' | 'activation' | 'activations' | 'tokens' | 'groupSize' | 'zeroPoint'
> & {
  readonly dtype: WeightType;
};

/** Options of `nm.plan` for a CUDA device. */
export interface CudaPlanOptions extends Omit<PlanOptions, 'device' | 'isa' | 'threads'> {
  /**
   * On a CUDA device: at most 2 of 4 as float16, bfloat16, int8 or int4 on sparse tensor cores; float16 and bfloat16 without a gate whose rows share
   * columns (`rows`, `venom`, blocks), a multiple of 16 of them, too (64 and 128 are fastest). Every other pattern and float32 on CUDA cores.
   *
   * Tensor cores multiply x as the type of the weight; with an int8 or int4 weight as float16, which each token has a power of two as a factor
   * for, so that float32 and bfloat16 x do not overflow. With `activations: 'int8'` they multiply 8-bit integers.
   *
   * int4 takes `'2:4'` and `'1:2'`, a `groupSize` of 32, 64 or 128 and `activations: 'float'`. Its weights, scale times steps, are rounded to
   * float16 as they are multiplied; scales are at most 8188, with `zeroPoint` 4364.
   */
  readonly device: 'cuda';
  /**
   * With dtype float32: products may be of tf32, float32 with 10 bits of fraction, on sparse tensor cores. These keep one of every two inputs,
   * so the weight must have at most one in each two from an even input on, as `'1:2'` and every `'1:M'` has: 2:4 goes there only where it
   * happens to be so, and else to CUDA cores, as without this option (`plan.kernel` says where). Default false.
   */
  readonly allowTf32?: boolean;
}

/** The options that say how a weight is stored and what becomes of its sums, wherever the plan runs. */
export const layerOptions = [
  'dtype',
  'scale',
  'pattern',
  'bias',
  'activation',
  'gate',
  'gateBias',
  'gateScale',
  'rows',
  'venom',
  'block',
  'activations',
  'groupSize',
  'zeroPoint',
] as const satisfies readonly (keyof PlanOptions)[];

/** Checks the options of a plan and words them as the addon takes them. */
export function planSettings(planOptions: PlanOptions | CudaPlanOptions): {
  settings: NativeSpmmOptions;
  pattern: PlanPattern;
  saved: SavedOptions;
} {
  const onCuda = planOptions?.device === 'cuda'; // which has no isa and no threads to choose
  const o = options<PlanOptions>(planOptions as PlanOptions, 'options', [
    'weight',
    ...layerOptions,
    'tokens',
    'device',
    ...(onCuda ? (['allowTf32'] as never[]) : (['isa', 'threads'] as const)),
  ]);
  if (!onCuda && o.device !== undefined) oneOf(o.device, 'device', ['cpu', 'cuda']);
  const sparsity = parseSparsity(o as Sparsity);
  const weight = weightOperand(o.weight, o.dtype, o.scale);
  const { view, out, inputs, values, scale } = weight;
  const int4 = int4Settings(o, sparsity, values === 'int4');
  const scales = out * (int4.group ? Math.ceil(inputs / int4.group) : 1);
  const int8Activations = oneOf(o.activations ?? 'float', 'activations', ['float', 'int8']) === 'int8';
  if (onCuda && values === 'int4') int4OnCuda(int4, sparsity, int8Activations);
  const int8NM = values === 'int8' && sparsity.m > 0 && sparsity.rows === 1 && !sparsity.venom;
  if (int8Activations && values !== 'int4' && !int8NM) {
    throw rangeError(
      'ERR_SK_OPTION',
      "expected activations 'int8' only with dtype int8 and a pattern 'N:M' without rows, or with dtype int4",
    );
  }
  const allowTf32 = allowsTf32(planOptions, values);
  const settings = {
    weight: view.data,
    type: dtypeNumber(view.type),
    values: dtypeNumber(values),
    scale: scale === undefined ? undefined : rowVector(scale, 'scale', scales),
    ...int4,
    out,
    in: inputs,
    ...sparsity,
    int8Activations,
    allowTf32,
    bias: o.bias === undefined ? undefined : rowVector(o.bias, 'bias', out),
    ...gateOperand({ gate: o.gate, gateBias: o.gateBias, gateScale: o.gateScale }, weight, scales),
    activation: activationNumber(o.activation),
    isa: onCuda ? '' : isaOption(o.isa),
    tokens: integer(o.tokens ?? 64, 'tokens', 1, 2 ** 31),
    threads: o.threads === undefined ? 0 : integer(o.threads, 'threads', 1, 1024),
  };
  const saved = {
    ...{ pattern: o.pattern, dtype: values, activation: o.activation ?? 'none', tokens: settings.tokens },
    ...(o.rows !== undefined && { rows: o.rows }),
    ...(o.venom !== undefined && { venom: o.venom }),
    ...(o.block !== undefined && { block: o.block }),
    ...(int8Activations && { activations: 'int8' as const }),
    ...(int4.group > 0 && { groupSize: int4.group as GroupSize, zeroPoint: int4.zeroPoint }),
  };
  return { settings, pattern: o.pattern, saved };
}

function allowsTf32(planOptions: PlanOptions | CudaPlanOptions, values: WeightType): boolean {
  const allowed = 'allowTf32' in planOptions ? planOptions.allowTf32 : false;
  if (typeof allowed !== 'boolean' && allowed !== undefined) {
    throw typeError('ERR_SK_TYPE', `expected allowTf32 to be a boolean but received ${describe(allowed)}`);
  }
  if (allowed && values !== 'float32') {
    throw rangeError('ERR_SK_OPTION', `expected allowTf32 only with dtype float32 but received dtype ${values}`);
  }
  return allowed ?? false;
}
