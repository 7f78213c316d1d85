import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Table from 'cli-table3';
import { Command, InvalidArgumentError } from 'commander';
import { experiment } from './experiment.js';
import { HEADS } from './projections.js';

const program = new Command('long-context')
  .option('--tokens <n>', 'tokens of Moby Dick', integer(256, 2 ** 20), 16_384)
  .option('--head <n>', 'head to draw', integer(0, HEADS - 1), 1)
  .option('--picture <file>', 'where to draw it', join(tmpdir(), 'long-context.png'))
  .parse();
const { tokens: wanted, head, picture } = program.opts<{ tokens: number; head: number; picture: string }>();

const { tokens, denseMs, outcomes } = await experiment(wanted, head, picture);
const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
const table = new Table({ head: ['method', 'density', 'covered', 'least', 'error', 'worst head', 'ms', 'speed-up'] });
for (const o of outcomes) {
  const shares = [o.density, o.coveredMass, o.leastCoveredMass, o.error, o.worstHeadError].map(percent);
  table.push([o.method, ...shares, o.ms.toFixed(0), `${o.speedUp.toFixed(2)} x`]);
}
console.log(`${tokens} tokens of Moby Dick, ${HEADS} heads; dense attention: ${denseMs.toFixed(0)} ms\n${table}\nwrote ${picture}`);

function integer(least: number, most: number) {
  return (text: string): number => {
    const n = Number(text);
    if (!Number.isInteger(n) || n < least || n > most) throw new InvalidArgumentError(`It must be an integer from ${least} to ${most}.`);
    return n;
  };
}
