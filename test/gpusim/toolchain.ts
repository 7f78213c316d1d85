/** What the tests and the bench of the GPU simulator share: nvcc, builds, and programs that run on the simulator. */
import { execFile, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

export const root = fileURLToPath(new URL('../..', import.meta.url));
export const here = join(root, 'test/gpusim');
const binaries = join(root, 'build/gpusim/programs');
export const MINUTE = 60_000;

const nvcc = [process.env.CUDA_HOME && join(process.env.CUDA_HOME, 'bin/nvcc'), 'nvcc', '/usr/local/cuda/bin/nvcc'].find(
  (command) => command && spawnSync(command, ['--version']).status === 0,
);

/** Why nothing can be tested here, for the names of skipped tests; empty where it can. */
export const skip =
  nvcc && process.platform === 'linux' && process.arch === 'x64' ? '' : ' (skipped: needs nvcc on x86-64 Linux, by CUDA_HOME or PATH)';
if (skip)
  console.log(`gpusim: the GPU simulator's tests are skipped: ${nvcc ? 'not x86-64 Linux' : 'nvcc was not found by CUDA_HOME or PATH'}`);

export interface Outcome {
  code: number | string | null;
  stdout: string;
  stderr: string;
}

/** A build of the simulator, and what a program needs to run on it. */
export interface Simulator {
  name: string;
  folder: string;
  options: string[];
  environment: Record<string, string>;
}

export const release: Simulator = { name: 'the GPU simulator', folder: join(root, 'build/gpusim'), options: [], environment: {} };

/** All tests run on both of them. */
export const simulators: Simulator[] = [release];
if (!skip)
  simulators.push({
    name: 'the GPU simulator under AddressSanitizer and UBSan',
    folder: join(root, 'build/gpusim-sanitize'),
    options: ['-DGPUSIM_SANITIZE=address,undefined'],
    environment: { LD_PRELOAD: `${library('libasan.so')} ${library('libubsan.so')}`, ASAN_OPTIONS: 'detect_leaks=0' }, // it keeps its state to the end
  });

export async function buildSimulator({ folder, options }: Simulator): Promise<void> {
  await need('cmake', '-S', here, '-B', folder, ...options);
  await need('cmake', '--build', folder, '--parallel', '2');
}

/** Compiles programs, two at a time; each unless its binary is newer than every source. */
export async function compile(...names: string[]): Promise<void> {
  mkdirSync(binaries, { recursive: true });
  const next = names.values();
  const worker = async () => {
    for (const name of next) await compileOne(name);
  };
  await Promise.all([worker(), worker()]);
}

/** Any command with the simulator as its CUDA runtime. */
export function simulate({ folder, environment }: Simulator, command: string, args: string[], more: Record<string, string> = {}) {
  return execute(command, args, { LD_LIBRARY_PATH: folder, ...environment, ...more });
}

/** A program of programs/. */
export function run(simulator: Simulator, name: string, args: string[] = [], environment: Record<string, string> = {}): Promise<Outcome> {
  return simulate(simulator, program(name), args, environment);
}

export function program(name: string): string {
  return join(binaries, name);
}

/** What GPUSIM_REPORT says of the launches of a program. */
export async function report(simulator: Simulator, name: string, args: string[], environment: Record<string, string> = {}) {
  const file = join(simulator.folder, `report-${name}.json`);
  rmSync(file, { force: true });
  const { code, stdout, stderr } = await run(simulator, name, args, { GPUSIM_REPORT: file, ...environment });
  if (code !== 0) throw new Error(`${name} failed\n${stdout}${stderr}`);
  return JSON.parse(readFileSync(file, 'utf8'));
}

export function execute(command: string, args: string[], environment: Record<string, string> = {}): Promise<Outcome> {
  const options = { cwd: root, maxBuffer: 1 << 26, env: { ...process.env, ...environment } };
  return promisify(execFile)(command, args, options).then(
    (output) => ({ code: 0, ...output }),
    (error) => ({ code: error.code ?? error.signal, stdout: error.stdout, stderr: error.stderr }),
  );
}

export async function need(command: string, ...args: string[]): Promise<void> {
  const { code, stdout, stderr } = await execute(command, args);
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} failed\n${(stdout + stderr).slice(-8000)}`);
}

/** A library for Node where the name ends so: addon.node comes from addon.cu. */
async function compileOne(name: string): Promise<void> {
  const addon = name.endsWith('.node');
  const source = join(here, 'programs', `${addon ? name.slice(0, -5) : name}.cu`);
  const binary = join(binaries, name);
  const headers = readdirSync(join(here, 'programs')).filter((file) => file.endsWith('.h'));
  const sources = [source, ...headers.map((file) => join(here, 'programs', file))];
  if (existsSync(binary) && sources.every((file) => statSync(file).mtimeMs < statSync(binary).mtimeMs)) return;
  const architecture = `compute_${name === 'hopper' ? 90 : 80}`;
  const flags = ['-std=c++17', '-cudart', 'shared', '-no-compress', '-gencode', `arch=${architecture},code=${architecture}`, '-lineinfo'];
  if (addon) flags.push('-shared', '-Xcompiler', '-fPIC', '-I', join(root, 'node_modules/node-api-headers/include'));
  await need(nvcc ?? 'nvcc', ...flags, source, '-o', binary);
}

function library(name: string): string {
  return spawnSync(process.env.CXX ?? 'c++', [`-print-file-name=${name}`], { encoding: 'utf8' }).stdout.trim();
}
