import type { SimulatedCase } from './cases.js';

/** One launch, as test/gpusim reports it. */
export interface Launch {
  readonly kernel: string;
  readonly grid: readonly number[];
  readonly warp_instructions: number;
  readonly warp_instructions_by_class: Readonly<Record<string, number>>;
  readonly tensor_instructions: Readonly<Record<string, number>>;
  readonly tensor_multiply_adds: number;
  readonly global_loads: { readonly sectors: number; readonly excess_sectors: number };
  readonly global_stores: { readonly sectors: number };
  readonly shared: { readonly wavefronts: number; readonly bank_conflicts: number };
  readonly loops: readonly { readonly others_per_tensor_instruction?: number }[];
}

/** NVIDIA A100 SXM4 40 GB, from its data sheet: what each unit does at most. */
export const a100 = {
  name: 'A100 SXM4 40 GB',
  multiprocessors: 108,
  hertz: 1.41e9,
  warpInstructionsPerCycle: 4, // of a multiprocessor, as the next two
  specialWarpInstructionsPerCycle: 0.5, // 16 lanes
  wavefrontsPerCycle: 1,
  halfMultiplyAddsPerCycle: 1024, // dense, on tensor cores; 2:4 sparse ones count double
  floatMultiplyAddsPerCycle: 64,
  memoryBytesPerSecond: 1.555e12,
  l2BytesPerCycle: 5120, // of the device
} as const;

/** Seconds of each unit if it were the only limit. The slowest one is the model of the launch: everything else hides behind it. */
export interface Modelled {
  readonly tensor: number;
  readonly issue: number;
  /** exp2 and its like. */
  readonly special: number;
  readonly shared: number;
  readonly l2: number;
  readonly memory: number;
}

/** The case from the counts of its part. */
export function model({ scale, operandScale = scale, bytes }: SimulatedCase, launches: readonly Launch[]): Modelled {
  const cycles = a100.multiprocessors * a100.hertz;
  const scaleOf = ({ kernel }: Launch) => (/(convert|quantise|round|transpose|transpose_byte)_rows/.test(kernel) ? operandScale : scale);
  const sum = (count: (launch: Launch) => number) => launches.reduce((total, launch) => total + count(launch) * scaleOf(launch), 0);
  const rate = (launch: Launch) => {
    const [name = ''] = Object.keys(launch.tensor_instructions);
    return (
      a100.halfMultiplyAddsPerCycle * (name.startsWith('mma.sp') ? 2 : 1) * (name.includes('.s8.') ? 2 : name.includes('.tf32.') ? 0.5 : 1)
    );
  };
  return {
    tensor: sum((launch) => launch.tensor_multiply_adds / rate(launch)) / cycles,
    issue: sum((launch) => launch.warp_instructions) / (a100.warpInstructionsPerCycle * cycles),
    special: sum((launch) => launch.warp_instructions_by_class.special ?? 0) / (a100.specialWarpInstructionsPerCycle * cycles),
    shared: sum((launch) => launch.shared.wavefronts) / (a100.wavefrontsPerCycle * cycles),
    l2: (sum((launch) => launch.global_loads.sectors + launch.global_stores.sectors) * 32) / (a100.l2BytesPerCycle * a100.hertz),
    memory: bytes / a100.memoryBytesPerSecond,
  };
}

/** The dense kernel that reaches a limit of the device. */
export function denseLimit({ dense: { multiplyAdds, type, bytes } }: SimulatedCase): number {
  const half = a100.halfMultiplyAddsPerCycle;
  const rate = { float: a100.floatMultiplyAddsPerCycle, half, int8: 2 * half, tf32: half / 2 }[type];
  return Math.max(multiplyAdds / (rate * a100.multiprocessors * a100.hertz), bytes / a100.memoryBytesPerSecond);
}

export function slowest(modelled: Modelled): [unit: string, seconds: number] {
  return Object.entries(modelled).reduce((worst, entry) => (entry[1] > worst[1] ? entry : worst), ['', 0]);
}
