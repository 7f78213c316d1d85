import { cpus } from 'node:os';
import { isaFromEnvironment, native } from './native.js';
import { integer, oneOf } from './validate.js';

/**
 * Instruction sets that kernels are written for. `avx512vnni` and `avx2vnni` are `avx512` and `avx2` with instructions for int8 weights times
 * int8 activations (AVX-512 VNNI, AVX-VNNI); plans of anything else run the kernels of `avx512` and `avx2` there. `scalar16` is the
 * AVX-512 code on portable 16-lane vectors: slow, never chosen by itself, there to test that code on machines without AVX-512.
 */
export type Isa = 'avx512vnni' | 'avx512' | 'avx2vnni' | 'avx2' | 'scalar' | 'scalar16';

const isas: readonly Isa[] = ['avx512vnni', 'avx512', 'avx2vnni', 'avx2', 'scalar', 'scalar16'];

/** The `isa` option of a plan as the addon takes it: what is named, else SK_ISA, else '' for the best that the machine has. */
export function isaOption(isa: Isa | undefined): string {
  return isa === undefined ? isaFromEnvironment : oneOf(isa, 'isa', isas);
}

/** What {@link cpu} reports. */
export interface CpuInfo {
  /** Model name, as the operating system gives it. */
  readonly model: string;
  /** Instruction sets that this machine supports (CPUID and XGETBV agree), best first. */
  readonly isa: readonly Isa[];
  /** Physical cores that this process may use, capped by the CPU quota of its container: the default number of threads. */
  readonly physicalCores: number;
}

/**
 * The processor this runs on.
 *
 * @example
 * ```ts
 * import { cpu } from 'sparse-kernels';
 * cpu().isa; // ['avx2', 'scalar']
 * ```
 */
export function cpu(): CpuInfo {
  return { model: cpus()[0]?.model.trim() ?? 'unknown', isa: native.isas() as Isa[], physicalCores: native.physicalParallelism() };
}

/** One row of {@link devices}. */
export interface DeviceInfo {
  /** Kind of device. */
  readonly type: 'cpu' | 'cuda';
  /** Whether plans can run on it. */
  readonly available: boolean;
  /** Why it is not available. */
  readonly reason?: string;
  /** The CUDA device that plans use: device 0 of those that CUDA_VISIBLE_DEVICES leaves. */
  readonly cuda?: CudaInfo;
}

/** A CUDA device and what has been copied to and from it. */
export interface CudaInfo {
  /** As the driver names it. */
  readonly name: string;
  /** Streaming multiprocessors. */
  readonly multiprocessors: number;
  /** For instance 8.6. */
  readonly computeCapability: number;
  /** Its memory. */
  readonly memoryBytes: number;
  /** Copies from host to device of this environment. */
  readonly uploads: number;
  /** Their bytes. */
  readonly uploadedBytes: number;
  /** Copies from device to host of this environment. */
  readonly downloads: number;
  /** Their bytes. */
  readonly downloadedBytes: number;
}

/**
 * The kinds of devices that the library knows, and why one cannot be used.
 *
 * @example
 * ```ts
 * import { devices } from 'sparse-kernels';
 * devices().filter((d) => d.available).map((d) => d.type); // ['cpu']
 * ```
 */
export function devices(): DeviceInfo[] {
  const { reason, ...cuda } = native.cudaDevice();
  return [
    { type: 'cpu', available: true },
    reason === undefined ? { type: 'cuda', available: true, cuda } : { type: 'cuda', available: false, reason },
  ];
}

/** One native kernel: what {@link kernels} lists. */
export interface KernelInfo {
  /** `<verb>_<dtype>_<pattern>_<isa>`, as `plan.kernel` shows it. */
  readonly name: string;
  /** The native operation, for instance `spmm`. */
  readonly verb: string;
  /** Element type of the sparse operand's values. */
  readonly dtype: string;
  /** What the verb distinguishes its kernels by: for spmm the pattern, for instance `2:4`, or `N:8` for every N of 8. */
  readonly pattern: string;
  /** Instruction set. */
  readonly isa: Isa;
  /** float32 lanes of its vectors. */
  readonly lanes: number;
  /** Whether this machine can run it. */
  readonly supported: boolean;
}

/** A kernel of plans with `device: 'cuda'`. It is listed also where the binary or the machine lacks CUDA, as not supported. */
export interface CudaKernelInfo extends Omit<KernelInfo, 'isa'> {
  /** Always `'cuda'`. */
  readonly isa: 'cuda';
}

/**
 * Every kernel in the binary, best first: a plan takes the first supported one whose pattern matches.
 *
 * @example
 * ```ts
 * import { kernels } from 'sparse-kernels';
 * kernels().find((k) => k.supported && k.pattern === '2:4')?.name; // 'spmm_f32_2x4_avx2'
 * ```
 */
export function kernels(): (KernelInfo | CudaKernelInfo)[] {
  return native.kernels() as (KernelInfo | CudaKernelInfo)[];
}

/**
 * Threads that one run may use, the calling thread included.
 *
 * @example
 * ```ts
 * import { getNumThreads } from 'sparse-kernels';
 * getNumThreads(); // physical cores, unless SK_NUM_THREADS or setNumThreads() say otherwise
 * ```
 */
export function getNumThreads(): number {
  return native.getNumThreads();
}

/**
 * Sets the threads that one run may use. The pool belongs to the process: this holds for all worker_threads.
 *
 * @param threads - 1 to 1024
 * @throws TypeError `ERR_SK_TYPE`, RangeError `ERR_SK_OPTION`
 * @example
 * ```ts
 * import { getNumThreads, setNumThreads } from 'sparse-kernels';
 * setNumThreads(getNumThreads());
 * ```
 */
export function setNumThreads(threads: number): void {
  native.setNumThreads(integer(threads, 'threads', 1, 1024));
}
