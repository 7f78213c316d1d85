import { Command, InvalidArgumentError } from 'commander';
import picomatch from 'picomatch';
import type { BenchCase, Suite } from './suite.js';

export interface Options {
  readonly suite: Suite;
  readonly cases: readonly BenchCase[];
  readonly threads?: number;
  readonly isa?: string;
  readonly quick: boolean;
  readonly json: boolean;
  /** Count the CUDA kernels in the simulator instead of timing; `glob` chooses among its own cases. */
  readonly simulate?: { readonly glob?: string };
}

interface Flags {
  readonly case?: string;
  readonly shape?: string;
  readonly pattern?: string;
  readonly threads?: number;
  readonly isa?: string;
  readonly quick?: boolean;
  readonly json?: boolean;
  readonly device?: string;
  readonly simulate?: boolean;
}

/** Reads the command line; on a mistake says which on stderr and ends the process with code 2. */
export function parseOptions(argv: readonly string[], suites: ReadonlyMap<string, Suite>, isas: readonly string[]): Options {
  const names = [...suites.keys()].join(', ');
  const command = new Command('bench')
    .description('Times sparse kernels against the dense layers of onnxruntime, each case verified first.')
    .argument('<suite>', `what to measure: ${names}`)
    .option('--case <glob>', 'only the cases whose name matches')
    .option('--shape <sizes>', 'this shape instead of the cases, e.g. tokens=300,in=2048,out=5632')
    .option('--pattern <pattern>', 'only this pattern, e.g. 2:4')
    .option('--threads <count>', 'only this thread count (else: 1, and the default of the machine)', parseCount)
    .option('--isa <name>', `force an instruction set: ${isas.join(', ')}`)
    .option('--quick', 'every case within a minute: few pairs, and all threads only')
    .option('--device <kind>', 'cuda, with --simulate')
    .option('--simulate', 'count what the CUDA kernels do, in test/gpusim, and model a device with it')
    .option('--json', 'one JSON document on stdout instead of the table')
    .allowExcessArguments(false)
    .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2));
  command.parse(argv);

  const flags = command.opts<Flags>();
  const suite = suites.get(command.args[0] ?? '');
  if (!suite) return command.error(`error: unknown suite '${command.args[0]}', expected one of: ${names}`);
  if (flags.isa !== undefined && !isas.includes(flags.isa)) {
    return command.error(`error: this machine has no isa '${flags.isa}', expected one of: ${isas.join(', ')}`);
  }
  if ((flags.device === 'cuda') !== (flags.simulate === true)) {
    return command.error('error: expected --device cuda and --simulate together');
  }
  if (flags.simulate) {
    const glob = flags.case === undefined ? {} : { glob: flags.case };
    return { suite, cases: [], quick: false, json: flags.json ?? false, simulate: glob };
  }
  try {
    const { threads, isa, quick = false, json = false } = flags;
    const cases = chooseCases(suite, flags);
    return { suite, cases, quick, json, ...(threads !== undefined && { threads }), ...(isa !== undefined && { isa }) };
  } catch (error) {
    if (error instanceof RangeError) return command.error(`error: ${error.message}`);
    throw error;
  }
}

function chooseCases(suite: Suite, { case: glob, shape, pattern }: Flags): readonly BenchCase[] {
  if (pattern !== undefined && !suite.isPattern(pattern)) {
    throw new RangeError(`unknown pattern '${pattern}', expected ${suite.patternHint}`);
  }
  const patterns = pattern !== undefined ? [pattern] : [...new Set(suite.cases.map((row) => row.pattern))];
  const offered = shape !== undefined ? casesOf(suite, parseShape(shape, suite.shapeKeys), patterns) : suite.cases;
  const matches = glob !== undefined ? picomatch(glob, { bash: true }) : () => true;
  const chosen = offered.filter((row) => patterns.includes(row.pattern) && matches(row.name));
  if (chosen.length > 0) return chosen;
  throw new RangeError(`no case is left; the cases are:\n  ${offered.map((row) => row.name).join('\n  ')}`);
}

function casesOf(suite: Suite, shape: Record<string, number>, patterns: readonly string[]): BenchCase[] {
  return patterns.map((pattern) => suite.caseOf(shape, pattern));
}

/** 'tokens=300,in=2048,out=5632' -> { tokens: 300, in: 2048, out: 5632 } */
function parseShape(text: string, keys: readonly string[]): Record<string, number> {
  const pairs = text.split(',').map((part) => /^([a-z]+)=([1-9]\d{0,8})$/i.exec(part.trim()));
  const shape = Object.fromEntries(pairs.map((pair) => [pair?.[1], Number(pair?.[2])]));
  const wellFormed = pairs.every((pair) => pair !== null) && pairs.length === keys.length;
  if (wellFormed && keys.every((key) => key in shape)) return shape;
  throw new RangeError(`malformed shape '${text}', expected ${keys.map((key) => `${key}=<count>`).join(',')}`);
}

function parseCount(text: string): number {
  if (!/^[1-9]\d{0,3}$/.test(text)) throw new InvalidArgumentError('expected a count of at least 1.');
  return Number(text);
}
