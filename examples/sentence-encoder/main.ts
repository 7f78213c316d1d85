/** npm run demo: a pretrained sentence encoder on N:M sparse plans, checked against the same network run densely. */
import { Command, InvalidArgumentError } from 'commander';
import ora from 'ora';
import { experiment, type Options } from './experiment.js';
import { report } from './report.js';

/**
 * Sparse and dense run the same network up to the order of float32 sums, which leaves some 1e-7 in embedding entries of about 0.04.
 * A single weight one column off, in any layer, shows as 1e-4 or more.
 */
const BOUND = 1e-5;

const program = new Command('sentence-encoder')
  .option('--sentences <n>', 'sentences of Moby Dick to encode', positiveInteger, 200)
  .option('--pattern <N:M>', 'sparsity pattern of every linear layer', '2:4')
  .option('--bound <error>', 'largest error of an embedding entry that passes', Number, BOUND)
  .option('--json', 'print the results as JSON')
  .parse();
const { bound, json, ...options } = program.opts<Options & { bound: number; json?: boolean }>();

const spinner = ora({ isEnabled: process.stderr.isTTY, isSilent: !process.stderr.isTTY }).start();
try {
  const results = await experiment(options, (doing) => {
    spinner.text = doing;
    spinner.render(); // the step may hold the event loop before the next frame
  });
  spinner.stop();
  console.log(json ? JSON.stringify({ ...results, bound }, null, 2) : report(results, bound));
  const worst = Math.max(results.error.float64, results.error.onnxruntime);
  if (!(worst <= bound)) throw new Error(`the largest error, ${worst}, is above the bound of ${bound}`);
} catch (error) {
  spinner.stop();
  console.error(`sentence-encoder: ${error instanceof Error ? error.message : error}`);
  process.exitCode = 1;
}

function positiveInteger(text: string): number {
  const n = Number(text);
  if (!Number.isInteger(n) || n < 1) throw new InvalidArgumentError('It must be a positive integer.');
  return n;
}
