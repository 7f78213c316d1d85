import type { SimulatedCase } from './cases.js';

/** One launch, as test/gpusim reports it. */
export interface Launch {
  readonly kernel: string;
  readonly grid: readonly number[];
  readonly warp_instructions: number;
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
  readonly shared: number;
  readonly l2: number;
  readonly memory: number;
}

/** The case from the counts of its slice. */
export function model(benchCase: SimulatedCase, launches: readonly Launch[]): Modelled {
  const { slice, tokens, out } = benchCase;
  const scale = ((tokens / slice.tokens) * out) / slice.out;
  const cycles = a100.multiprocessors * a100.hertz;
  const sum = (count: (launch: Launch) => number) => launches.reduce((total, launch) => total + count(launch), 0) * scale;
  const rate = (launch: Launch) => {
    const [name = ''] = Object.keys(launch.tensor_instructions);
    return a100.halfMultiplyAddsPerCycle * (name.startsWith('mma.sp') ? 2 : 1) * (name.includes('.s8.') ? 2 : 1);
  };
  return {
    tensor: sum((launch) => launch.tensor_multiply_adds / rate(launch)) / cycles,
    issue: sum((launch) => launch.warp_instructions) / (a100.warpInstructionsPerCycle * cycles),
    shared: sum((launch) => launch.shared.wavefronts) / (a100.wavefrontsPerCycle * cycles),
    l2: (sum((launch) => launch.global_loads.sectors + launch.global_stores.sectors) * 32) / (a100.l2BytesPerCycle * a100.hertz),
    memory: bytesOf(benchCase, keptBytes(benchCase)) / a100.memoryBytesPerSecond,
  };
}

/** A dense product of the same type that reaches a limit of the device: no library does quite. */
export function denseLimit(benchCase: SimulatedCase): number {
  const { tokens, in: inFeatures, out, dtype } = benchCase;
  const half = a100.halfMultiplyAddsPerCycle;
  const rate = { float32: a100.floatMultiplyAddsPerCycle, float16: half, bfloat16: half, int8: 2 * half }[dtype];
  const arithmetic = (tokens * inFeatures * out) / (rate * a100.multiprocessors * a100.hertz);
  return Math.max(arithmetic, bytesOf(benchCase, inFeatures * out * elementBytes(benchCase)) / a100.memoryBytesPerSecond);
}

export function slowest(modelled: Modelled): [unit: string, seconds: number] {
  return Object.entries(modelled).reduce((worst, entry) => (entry[1] > worst[1] ? entry : worst), ['', 0]);
}

function elementBytes({ dtype }: SimulatedCase): number {
  return { float32: 4, float16: 2, bfloat16: 2, int8: 1 }[dtype];
}

/** x (of the type that is multiplied) and the weight read once, float32 y written once. */
function bytesOf(benchCase: SimulatedCase, weightBytes: number): number {
  const { tokens, in: inFeatures, out } = benchCase;
  return weightBytes + tokens * inFeatures * elementBytes(benchCase) + tokens * out * 4;
}

/** Tiles: values and two bits for each. Cells: values and a byte for each. */
function keptBytes(benchCase: SimulatedCase): number {
  const [n, m] = benchCase.pattern.split(':').map(Number) as [number, number];
  const tiles = benchCase.dtype !== 'float32' && m === 4;
  return ((benchCase.in * n) / m) * benchCase.out * (elementBytes(benchCase) + (tiles ? 0.25 : 1));
}
