import type { NativeSpmmCudaPlan } from '../../types/native.js';
import { type DeviceCallOptions, DeviceTensor, deviceCall, deviceOperand, filled, throughDevice } from '../device-tensor.js';
import { rangeError, typeError } from '../errors.js';
import { NativeHandle } from '../handle.js';
import { native } from '../native.js';
import type { StreamOption } from '../stream.js';
import { allocate, type Tensor, type TensorLike } from '../tensor.js';
import { options } from '../validate.js';
import { type ActivationType, activationTypes, dtypeNumber, hostOperands, type OutputOf } from './operands.js';
import type { PlanPattern } from './pattern.js';
import { type CudaPlanOptions, planSettings } from './settings.js';

/** Options of {@link CudaPlan.run}. */
export interface CudaRunOptions extends StreamOption {
  /** Where to write the result: a tensor on the device, where x is one. Default: a new tensor. */
  readonly out?: DeviceTensor;
  /** Added after the activation: of the type and size of the result, on the device where x is; it may be `out` itself. Default: none. */
  readonly residual?: DeviceTensor | TensorLike | Float32Array;
  /** Aborts a run that has not started on the device: the promise then rejects with the signal's `reason`. */
  readonly signal?: AbortSignal;
}

/** What a run on a device gives: a tensor on the device for one on the device, else one in host memory. */
export type CudaOutputOf<X> = X extends DeviceTensor ? DeviceTensor<ActivationType> : OutputOf<X>;

/**
 * A sparse linear layer on a CUDA device: its weight stays there. Made by `nm.plan` with `device: 'cuda'`.
 *
 * Products are of the type of the weight on sparse tensor cores, sums are float32. Results do not depend on other rows of x, and are
 * reproducible bit for bit for one number of tokens.
 */
export class CudaPlan {
  /** The pattern, for instance `'2:4'`. */
  readonly pattern: PlanPattern;
  /** Size of the input axis. */
  readonly inFeatures: number;
  /** Size of the output axis. */
  readonly outFeatures: number;
  /** It has a gate. */
  readonly gated: boolean;
  readonly #handle: NativeHandle<NativeSpmmCudaPlan>;

  /** @internal */
  constructor(planOptions: CudaPlanOptions) {
    const { settings, pattern } = planSettings(planOptions);
    this.pattern = pattern;
    this.inFeatures = settings.in;
    this.outFeatures = settings.out;
    this.gated = settings.gate !== undefined;
    this.#handle = new NativeHandle('the plan', () => new native.SpmmCudaPlan(settings));
  }

  /** Name of the kernel that runs, for instance `spmm_f16_2x4_cuda`. */
  get kernel(): string {
    return this.#handle.live().kernel;
  }

  /** Bytes of the packed weight, metadata and bias on the device. */
  get bytes(): number {
    return this.#handle.live().bytes;
  }

  /**
   * `y = activation(x Wᵀ + b)` on the device; the promise settles when the result is there. For an x in host memory the result is too.
   *
   * @param x - float32, float16 or bfloat16 [..., in], on the device or in host memory, or a bare Float32Array of tokens x in
   * @returns [..., out] of the type of x (or of `out`)
   * @throws (rejects) TypeError `ERR_SK_TYPE` / `ERR_SK_DTYPE` / `ERR_SK_BUFFER`, RangeError `ERR_SK_SHAPE`, SparseKernelsError
   * `ERR_SK_DISPOSED` / `ERR_SK_MEMORY` / `ERR_SK_CUDA`, or the reason of `signal`
   * @example
   * ```ts
   * import { devices, nm, toDevice } from 'sparse-kernels';
   * if (devices().some((d) => d.type === 'cuda' && d.available)) {
   *   const weight = nm.prune({ data: new Float32Array(64 * 32).fill(1), dims: [64, 32] }, { pattern: '2:4' });
   *   using layer = nm.plan({ weight, dtype: 'float16', pattern: '2:4', device: 'cuda' });
   *   using x = await toDevice({ data: new Float32Array(3 * 32), dims: [3, 32] }, 'cuda');
   *   const y = await (await layer.run(x)).to('cpu'); // y.dims: [3, 64]
   * }
   * ```
   */
  async run<X extends DeviceTensor | TensorLike | Float32Array>(x: X, runOptions: CudaRunOptions = {}): Promise<CudaOutputOf<X>> {
    const where = options<CudaRunOptions>(runOptions, 'options', ['out', 'residual', 'signal', 'stream']);
    const { out, residual, stream } = where;
    return this.#handle.use(async (plan) => {
      if (x instanceof DeviceTensor) {
        if (residual !== undefined && !(residual instanceof DeviceTensor)) {
          throw typeError('ERR_SK_TYPE', 'expected residual to be a tensor on the device');
        }
        return (await this.#runOnDevice(plan, x, out, residual, where)) as CudaOutputOf<X>;
      }
      if (out !== undefined) throw typeError('ERR_SK_TYPE', 'expected out only with an x on the device');
      if (residual instanceof DeviceTensor) throw typeError('ERR_SK_TYPE', 'expected a residual on the device only with an x there');
      const operands = hostOperands(x, residual, this.inFeatures, this.outFeatures);
      const { y } = await throughDevice(operands, { stream }, async (there) => ({
        y: await this.#runOnDevice(plan, there.x, undefined, there.residual, where),
      }));
      return y as CudaOutputOf<X>;
    });
  }

  async #runOnDevice(
    plan: NativeSpmmCudaPlan,
    x: DeviceTensor,
    out: DeviceTensor | undefined,
    residual: DeviceTensor | undefined,
    where: DeviceCallOptions,
  ) {
    const tokens = deviceOperand(x, 'x', activationTypes, this.inFeatures);
    if (out !== undefined && !(out instanceof DeviceTensor)) throw typeError('ERR_SK_TYPE', 'expected out to be a tensor on the device');
    if (out === x) throw rangeError('ERR_SK_OVERLAP', 'expected out not to be x');
    const y = out ?? new DeviceTensor(x.type, [...x.dims.slice(0, -1), this.outFeatures], where.stream);
    if (deviceOperand(y, 'out', activationTypes, this.outFeatures) !== tokens) {
      throw rangeError('ERR_SK_SHAPE', `expected out to hold ${tokens} tokens but received dims [${y.dims.join(', ')}]`);
    }
    if (residual !== undefined && deviceOperand(residual, 'residual', [y.type], this.outFeatures) !== tokens) {
      throw rangeError('ERR_SK_SHAPE', `expected residual to hold ${tokens} tokens but received dims [${residual.dims.join(', ')}]`);
    }
    const [xType, yType] = [dtypeNumber(x.type as ActivationType), dtypeNumber(y.type as ActivationType)];
    await filled(out ? {} : { y }, () =>
      deviceCall(where, { x, y, residual }, (there, call) => plan.run({ ...there, xType, tokens, yType }, call)),
    );
    return y;
  }

  /** The pruned weight as the plan holds it, rounded, float32 [out, in]; with a gate [2 out, in], its rows last. */
  toDense(): Tensor {
    const live = this.#handle.live();
    const rows = this.outFeatures * (this.gated ? 2 : 1);
    const data = allocate('float32', rows * this.inFeatures, 'the dense weight');
    live.toDense(data);
    return { type: 'float32', data, dims: [rows, this.inFeatures] };
  }

  /** Frees the weight as soon as no run is under way; later use throws `ERR_SK_DISPOSED`. Calling it twice is fine. */
  dispose(): void {
    this.#handle.dispose();
  }

  /** `using layer = nm.plan(...)` disposes at the end of the block. */
  [Symbol.dispose](): void {
    this.dispose();
  }
}
