/** Launches of a program on the simulator. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ptxas } from './simulated.js';

/** One launch, as test/gpusim reports it. */
export interface Launch {
  kernel: string;
  tensor_instructions: Record<string, number>;
  warp_instructions_by_class: Record<string, number>;
  compulsory_bytes_read: number;
  global_loads: { requests_by_bytes_per_thread: Record<string, number>; excess_sectors: number; bytes: number };
  global_stores: { requests_by_bytes_per_thread: Record<string, number>; excess_sectors: number };
  async_copy_bytes: number;
  shared: { bank_conflicts: number };
  occupancy: { registers_per_thread: number; registers_from: string; spilled_bytes: number };
  inefficient_lines: { line: string }[];
  loops: { innermost: boolean; others_per_tensor_instruction?: number }[];
}

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Of a program on a device of so many multiprocessors, by which plans choose their blocks of threads. */
export function launchesOf(program: string, multiprocessors: number, ...args: (string | number)[]): Launch[] {
  const folder = mkdtempSync(join(tmpdir(), 'counters-'));
  try {
    const report = join(folder, 'report.json');
    const env = {
      ...process.env,
      GPUSIM_REPORT: report,
      GPUSIM_DEVICE: 'a100',
      GPUSIM_MULTIPROCESSORS: String(multiprocessors),
      GPUSIM_PTXAS: ptxas,
    };
    execFileSync(process.execPath, ['--import', 'tsx', program, ...args.map(String)], { cwd: root, env });
    return JSON.parse(readFileSync(report, 'utf8'));
  } finally {
    rmSync(folder, { recursive: true });
  }
}
