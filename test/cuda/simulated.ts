/**
 * Import this before the library: it makes the tests of the CUDA kernels run on a device where there is one, else in test/gpusim, the
 * simulator that stands in for CUDA's runtime, for which it builds the addon. Without nvcc they are skipped by name.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const works = (command: string, ...args: string[]) => spawnSync(command, args).status === 0;
const nvcc = [process.env.CUDA_HOME && join(process.env.CUDA_HOME, 'bin/nvcc'), 'nvcc', '/usr/local/cuda/bin/nvcc'].some(
  (path) => path && works(path, '--version'),
);

/** Counts registers and spills for the simulator. */
export const ptxas = [process.env.CUDA_HOME && join(process.env.CUDA_HOME, 'bin/ptxas'), 'ptxas', '/usr/local/cuda/bin/ptxas'].find(
  (path) => path && works(path, '--version'),
);

/** Where the CUDA rows run. */
export const where: 'device' | 'simulator' | 'nowhere: there is no nvcc' = works('nvidia-smi', '-L')
  ? 'device'
  : nvcc
    ? 'simulator'
    : 'nowhere: there is no nvcc';

/** The addon that runs in the simulator. */
export const simulatedAddon = join(root, 'build/Release/sparse_kernels_sim.node');

if (where === 'simulator') {
  if (!process.env.SK_BINARY) execFileSync('npm', ['run', 'build:cuda-sim'], { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] });
  process.env.SK_BINARY ??= simulatedAddon;
  if (!existsSync(process.env.SK_BINARY)) throw new Error(`the build left no ${process.env.SK_BINARY}`);
}
