// npm run bench -- <suite> [--case glob] [--shape sizes] [--pattern N:M] [--threads n] [--isa name] [--quick] [--json]
import ora from 'ora';
import { cpu, getNumThreads, kernels } from 'sparse-kernels';
import { coldBytes, probeRoofline } from './machine.js';
import { Measurer, type Outcome } from './measure.js';
import { parseOptions } from './options.js';
import { renderJson } from './report/json.js';
import { type Result, summarize } from './report/result.js';
import { renderTable } from './report/table.js';
import { suites } from './suites/index.js';

const isas = new Set(kernels().flatMap((kernel) => (kernel.supported ? kernel.isa : [])));
const { suite, cases, threads, isa, quick, json, simulate } = parseOptions(process.argv, suites, [...isas]);
if (simulate) {
  (await import('./simulate/run.js')).simulate(suite.name, simulate.glob, json);
  process.exit();
}
const budget = quick
  ? { warmUpPairs: 0, pairs: 3, seconds: 0.1, mostSeconds: 1, leastPairs: 1, patienceSeconds: 0 }
  : { warmUpPairs: 2, pairs: 15, seconds: 1.5, mostSeconds: 8, leastPairs: 3, patienceSeconds: 12 };

// One frame a second: drawing must not take time from what is measured.
const progress = ora({ isSilent: !process.stderr.isTTY, spinner: { interval: 1000, frames: ['-', '+'] } });
progress.start('roofline');
const threadCounts = threads !== undefined ? [threads] : quick ? [getNumThreads()] : [...new Set([1, getNumThreads()])];
const contenders = threadCounts.map((count) => ({
  roofline: probeRoofline(count, quick ? 0.5 : 2),
  conditions: { threads: count, coldBytes: coldBytes(quick), ...(isa !== undefined && { isa }) },
}));

const results: Result[] = [];
const measurer = new Measurer(quick);
let fastestProbeMs: number | undefined;
for (const [i, benchCase] of cases.entries()) {
  progress.text = `${i + 1}/${cases.length} ${benchCase.name}`;
  const conditions = contenders.map((contender) => contender.conditions);
  const outcomes = await measurer.measure({
    suite: suite.name,
    case: benchCase,
    conditions,
    budget,
    fastestProbeMs,
  });
  for (const [j, { conditions, roofline }] of contenders.entries()) {
    const outcome = outcomes[j] as Outcome;
    const entry = { suite: suite.name, case: benchCase, threads: conditions.threads };
    if ('problems' in outcome) process.stderr.write(`${benchCase.name}, ${conditions.threads} thread(s): ${outcome.problems.join('; ')}\n`);
    else fastestProbeMs = outcome.fastestProbeMs;
    results.push(summarize(entry, outcome, roofline));
  }
}
measurer.end();
progress.stop();

const { conditions, roofline } = contenders.at(-1) as (typeof contenders)[number];
const { model, isa: supported } = cpu();
const machine = {
  cpu: model,
  isa: supported[0] ?? 'scalar',
  threads: conditions.threads,
  ...roofline,
  node: process.versions.node,
};
process.stdout.write(`${json ? renderJson({ machine, results }) : renderTable({ machine, results })}\n`);
if (!json && suite.summary) {
  const measured = results.flatMap(({ oursMs, peerMs, ...row }) => (oursMs === null || peerMs === null ? [] : { ...row, oursMs, peerMs }));
  for (const line of suite.summary(measured)) process.stdout.write(`${line}\n`);
}
process.exitCode = results.every((result) => result.verified) ? 0 : 1;
