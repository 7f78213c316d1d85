// npm run bench:gpusim: how fast the simulator interprets, on one host thread, and what its checks cost.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const build = join(root, 'build/gpusim');
const binary = join(build, 'programs/bench');
const report = join(build, 'bench.json');

mkdirSync(join(build, 'programs'), { recursive: true });
const flags = ['-std=c++17', '-cudart', 'shared', '-no-compress', '-gencode', 'arch=compute_80,code=compute_80'];
command('nvcc', [...flags, join(root, 'test/gpusim/programs/bench.cu'), '-o', binary]);

rmSync(report, { force: true });
simulate({ GPUSIM_REPORT: report });
const launches: { kernel: string; thread_instructions: number }[] = JSON.parse(readFileSync(report, 'utf8'));
const instructions = launches.filter((_, i) => i % 2 === 1).map((launch) => launch.thread_instructions); // each kernel is launched twice

const goals: Record<string, string> = {
  integer: 'at least 30 million/s',
  memory: 'at least 15 million/s',
  sparse_gemm_512x512x1024: 'under 20 s',
};
const counting = seconds(simulate({ GPUSIM_REPORT: `${report}.again` }));
rmSync(`${report}.again`);
for (const [i, [name, time]] of [...counting].entries()) print(`${name}, checks all, counters on`, i, time, name);
for (const check of ['all', 'none']) {
  const runs = Array.from({ length: 3 }, () => seconds(simulate({ GPUSIM_CHECK: check })));
  for (const [i, name] of [...(runs[0]?.keys() ?? [])].entries()) {
    const best = Math.min(...runs.map((run) => run.get(name) ?? Number.POSITIVE_INFINITY));
    print(`${name}, checks ${check}`, i, best, name);
  }
}

function print(title: string, kernel: number, time: number, name: string): void {
  const rate = ((instructions[kernel] ?? 0) / time / 1e6).toFixed(0);
  console.log(`${title}: ${time.toFixed(3)} s, ${rate} million thread instructions/s (goal: ${goals[name]})`);
}

function simulate(environment: Record<string, string>): string {
  return command(binary, [], { LD_LIBRARY_PATH: build, GPUSIM_THREADS: '1', ...environment });
}

function seconds(output: string): Map<string, number> {
  return new Map([...output.matchAll(/^seconds (\w+) ([\d.]+)$/gm)].map(([, name = '', value]) => [name, Number(value)]));
}

function command(name: string, args: string[], environment: Record<string, string> = {}): string {
  const { status, stdout, stderr, error } = spawnSync(name, args, { encoding: 'utf8', env: { ...process.env, ...environment } });
  if (status !== 0) throw new Error(`${name} failed: ${error?.message ?? ''}${stdout}${stderr}`);
  return stdout;
}
