// npm run bench -- nm|attention|conv --device cuda --simulate: what the CUDA kernels cost, counted by test/gpusim, and what that would mean on a device.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import Table from 'cli-table3';
import picomatch from 'picomatch';
import { attentionCases } from './attention.js';
import type { SimulatedCase } from './cases.js';
import { convCases } from './conv.js';
import { a100, denseLimit, type Launch, type Modelled, model, slowest } from './model.js';
import { nmCases } from './nm.js';

/** Of each suite that has some. */
const cases: Readonly<Record<string, () => readonly SimulatedCase[]>> = {
  nm: () => nmCases,
  attention: () => attentionCases,
  conv: convCases,
};

const root = fileURLToPath(new URL('../..', import.meta.url));

interface Row {
  readonly case: string;
  readonly kernels: readonly string[];
  readonly bankConflicts: number;
  readonly excessSectors: number;
  /** Warp instructions beside each tensor instruction, in the loop that has them. */
  readonly othersPerTensor: number | null;
  readonly modelled: Modelled;
  readonly modelledSeconds: number;
  readonly limitedBy: string;
  readonly denseLimitSeconds: number;
}

/** Prints a table, or with `json` one document. */
export function simulate(suite: string, glob: string | undefined, json: boolean): void {
  execFileSync('npm', ['run', 'build:cuda-sim'], { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] });
  const matches = glob === undefined ? () => true : picomatch(glob);
  const rows = (cases[suite]?.() ?? []).filter(({ name }) => matches(name)).map(rowOf);
  process.stdout.write(`${json ? JSON.stringify({ model: a100, results: rows }, null, 2) : table(rows)}\n`);
}

function rowOf(benchCase: SimulatedCase): Row {
  const launches = count(benchCase).filter(({ kernel }) => benchCase.counted?.test(kernel) ?? true);
  const modelled = model(benchCase, launches);
  const [limitedBy, modelledSeconds] = slowest(modelled);
  const loops = launches.flatMap((launch) => launch.loops.flatMap((loop) => loop.others_per_tensor_instruction ?? []));
  return {
    case: benchCase.name,
    kernels: [
      ...new Set(launches.map(({ kernel }) => /(\w+)(<|\()/.exec(kernel.replace(/^void /, '').replace(/^\w+::/, ''))?.[1] ?? kernel)),
    ],
    bankConflicts: launches.reduce((sum, launch) => sum + launch.shared.bank_conflicts, 0),
    excessSectors: launches.reduce((sum, launch) => sum + launch.global_loads.excess_sectors, 0),
    othersPerTensor: loops[0] ?? null,
    modelled,
    modelledSeconds,
    limitedBy,
    denseLimitSeconds: denseLimit(benchCase),
  };
}

/** Runs the part in a process of its own, which fails unless its result is right. */
function count(benchCase: SimulatedCase): Launch[] {
  const folder = mkdtempSync(join(tmpdir(), 'bench-simulate-'));
  try {
    const report = join(folder, 'report.json');
    const addon = join(root, 'build/Release/sparse_kernels_sim.node');
    const env = {
      ...process.env,
      SK_BINARY: addon,
      GPUSIM_DEVICE: 'a100',
      GPUSIM_REPORT: report,
      ...(benchCase.onOneMultiprocessor && { GPUSIM_MULTIPROCESSORS: '1' }),
    };
    const args = ['--import', 'tsx', `bench/simulate/${benchCase.program}`, ...benchCase.args.map(String)];
    execFileSync(process.execPath, args, { cwd: root, env, stdio: 'inherit' });
    return JSON.parse(readFileSync(report, 'utf8'));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function table(rows: readonly Row[]): string {
  const head = [
    'case',
    'kernels',
    'conflicts',
    'excess sectors',
    'others/mma',
    'tensor',
    'issue',
    'exp',
    'shared',
    'L2',
    'memory',
    'model us',
    'dense limit',
    'ratio',
  ];
  const result = new Table({
    head,
    colAligns: head.map((name) => (name === 'case' || name === 'kernels' ? 'left' : 'right')),
    style: { head: [], border: [], compact: true },
  });
  const us = (seconds: number) => (seconds * 1e6).toPrecision(3);
  for (const row of rows) {
    const { tensor, issue, special, shared, l2, memory } = row.modelled;
    result.push([
      ...[row.case, row.kernels.join(' + '), row.bankConflicts, row.excessSectors, row.othersPerTensor?.toFixed(2) ?? '-'],
      ...[tensor, issue, special, shared, l2, memory].map(us),
      `${us(row.modelledSeconds)} ${row.limitedBy}`,
      us(row.denseLimitSeconds),
      (row.denseLimitSeconds / row.modelledSeconds).toFixed(2),
    ]);
  }
  return [
    `A MODEL, not a measurement: counts of test/gpusim, scaled from a part to the whole, over the rates of an ${a100.name}.`,
    'Times in microseconds if each unit were the only limit; the model is the slowest, the dense limit that of a dense kernel at full rate.',
    result.toString(),
  ].join('\n');
}
