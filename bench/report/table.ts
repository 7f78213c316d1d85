import Table from 'cli-table3';
import type { Report } from './json.js';
import type { Result } from './result.js';

const columns: readonly [heading: string, cell: (result: Result) => string][] = [
  ['case', (result) => result.case],
  ['threads', (result) => String(result.threads)],
  ['kernel', (result) => result.kernel ?? '-'],
  ['ours ms', (result) => number(result.oursMs)],
  ['peer ms', (result) => number(result.peerMs)],
  ['ratio', (result) => number(result.ratio)],
  ['p10-p90', (result) => `${number(result.ratioMin)}-${number(result.ratioMax)}`],
  ['pairs', pairs],
  ['goal', goal],
  ['limit', (result) => number(result.limit)],
  ['GFLOP/s', (result) => number(result.gflops)],
  ['dense eq.', (result) => number(result.denseEquivalentGflops)],
  ['GB/s', (result) => number(result.gbs)],
  ['roofline', (result) => percent(result.rooflineFraction)],
];

/** For people; `--json` is for programs. */
export function renderTable({ machine, results }: Report): string {
  const table = new Table({
    head: columns.map(([heading]) => heading),
    colAligns: columns.map(([heading]) => (heading === 'case' || heading === 'kernel' ? 'left' : 'right')),
    style: { head: [], border: [], compact: true },
  });
  for (const result of results) {
    const row = columns.map(([, cell]) => cell(result));
    const failed = { content: 'FAILED its verification', colSpan: columns.length - 2 };
    table.push(result.verified ? row : [...row.slice(0, 2), failed]);
  }
  const { cpu, isa, node, threads, peakGflops, bandwidthGBs } = machine;
  const peers = [...new Set(results.flatMap((result) => result.peer ?? []))];
  return [
    `${cpu}, ${isa}, Node ${node}; with ${threads} thread(s): ${peakGflops} GFLOP/s peak, ${bandwidthGBs} GB/s read`,
    `peer: ${peers.join(', ') || 'none'}; ratio = peer time / our time, median over interleaved pairs`,
    table.toString(),
  ].join('\n');
}

function pairs({ pairs, calmPairs }: Result): string {
  if (pairs === null) return '-';
  return calmPairs === pairs || calmPairs === null ? String(pairs) : `${pairs}, ${calmPairs} calm`;
}

function goal({ goal, ratio }: Result): string {
  if (goal === null || ratio === null) return '-';
  return `${goal} ${ratio >= goal ? 'met' : 'MISSED'}`;
}

function number(value: number | null): string {
  if (value === null) return '-';
  return value.toFixed(value >= 100 ? 0 : value >= 10 ? 1 : 2);
}

function percent(value: number | null): string {
  return value === null ? '-' : `${(value * 100).toFixed(0)} %`;
}
