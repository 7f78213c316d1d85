/** Prunes a pretrained sentence encoder by magnitude, Wanda and SparseGPT, and prints what each pattern costs and gains. */
import { Command, InvalidArgumentError } from 'commander';
import ora from 'ora';
import { experiment, type Options } from './experiment.js';
import { METHODS, type Method } from './methods.js';
import { report } from './report.js';

const program = new Command('sparse-encoder')
  .option('--sentences <n>', 'sentences of Moby Dick to evaluate on', positiveInteger, 200)
  .option('--calibration <n>', 'other sentences of it to calibrate on', positiveInteger, 100)
  .option('--patterns <list>', 'N:M patterns, and percentages for unstructured', patterns, ['2:4', '1:4', '50%'])
  .option('--methods <list>', 'how to prune', methods, [...METHODS])
  .option('--json', 'print the results as JSON')
  .parse();
const { json, ...options } = program.opts<Options & { json?: boolean }>();

const spinner = ora({ isEnabled: process.stderr.isTTY, isSilent: !process.stderr.isTTY }).start();
try {
  const results = await experiment(options, (doing) => {
    spinner.text = doing;
    spinner.render(); // the step may hold the event loop before the next frame
  });
  spinner.stop();
  console.log(json ? JSON.stringify(results, null, 2) : report(results));
} catch (error) {
  spinner.stop();
  console.error(`sparse-encoder: ${error instanceof Error ? error.message : error}`);
  process.exitCode = 1;
}

function positiveInteger(text: string): number {
  const n = Number(text);
  if (!Number.isInteger(n) || n < 2) throw new InvalidArgumentError('It must be an integer from 2.');
  return n;
}

function patterns(text: string): string[] {
  const list = text.split(',');
  if (!list.every((pattern) => /^(\d+:\d+|\d{1,2}%)$/.test(pattern))) throw new InvalidArgumentError("It must be a list like '2:4,50%'.");
  return list;
}

function methods(text: string): Method[] {
  const list = text.split(',');
  if (!list.every((name) => (METHODS as readonly string[]).includes(name))) throw new InvalidArgumentError(`It must be of ${METHODS}.`);
  return list as Method[];
}
