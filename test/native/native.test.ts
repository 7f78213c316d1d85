/** Builds the native tests, and with them the whole library, under AddressSanitizer and UndefinedBehaviorSanitizer; runs them suite by suite. */
import { execFile, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { beforeAll, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const build = join(root, 'build-native-tests');
const MINUTE = 60_000;

beforeAll(async () => {
  const fresh = !existsSync(join(build, 'CMakeCache.txt'));
  const generator = fresh && works('ninja', '--version') ? ['-G', 'Ninja'] : []; // a build folder keeps its generator
  await run('cmake', '-S', join(root, 'test/native'), '-B', build, ...generator, `-DCMAKE_CXX_COMPILER=${compilerWithSanitizers()}`);
  await run('cmake', '--build', build, '--parallel', '2');
});

it.each(['core', 'isa', 'pool', 'runners', 'pack', 'words', 'plan', 'fuzz', 'select', 'attend', 'conv', 'planes', 'khot', 'norm'])(
  '%s',
  { timeout: 10 * MINUTE },
  async (suite) => {
    expectToPass(await run(join(build, 'native_tests'), suite));
  },
);

it('every kernel row beside guard pages', { timeout: 10 * MINUTE }, async () => {
  const outcome = await run(join(build, 'native_tests'), 'edges');
  expectToPass(outcome);
  const ran = rest(outcome, 'row ').map((line) => line.split(' ')[0]);
  const skipped = rest(outcome, 'skip row ');
  console.log([`${ran.length} kernel rows ran`, ...skipped.map((row) => `skipped: ${row}`)].join('\n'));
  expect(ran).toEqual(expect.arrayContaining(rowsOfThisMachine()));
  const named = [...ran, ...skipped.map((line) => line.split(':')[0])];
  expect(named.sort()).toEqual(
    rows()
      .map(({ name }) => name)
      .sort(),
  ); // each row did one or the other
});

interface Outcome {
  code: number | string | null;
  lines: string[];
  /** The end of what it printed, for messages. */
  tail: string;
}

/** Throws unless it is a test program that ends: a build must succeed. */
async function run(command: string, ...args: string[]): Promise<Outcome> {
  const options = { cwd: root, maxBuffer: 1 << 26 };
  const outcome = ({ stdout, stderr }: { stdout: string; stderr: string }, code: number | string | null): Outcome => ({
    code,
    lines: stdout.split('\n'),
    tail: `${stdout}\n${stderr}`.slice(-8000),
  });
  return promisify(execFile)(command, args, options).then(
    (output) => outcome(output, 0),
    (error) => {
      if (command !== 'cmake') return outcome(error, error.code ?? error.signal);
      throw new Error(`${command} ${args.join(' ')} failed\n${outcome(error, null).tail}`);
    },
  );
}

function expectToPass(outcome: Outcome): void {
  expect(rest(outcome, 'FAIL '), outcome.tail).toEqual([]);
  expect(outcome.code, outcome.tail).toBe(0);
  expect(rest(outcome, 'ok ').length, outcome.tail).toBeGreaterThan(1); // the last one counts the suites
}

/** What follows `start` in the lines that start with it. */
function rest({ lines }: Outcome, start: string): string[] {
  return lines.filter((line) => line.startsWith(start)).map((line) => line.slice(start.length));
}

function works(command: string, ...args: string[]): boolean {
  return spawnSync(command, args).status === 0;
}

function compilerWithSanitizers(): string {
  const compilers = [...(process.env.CXX ? [process.env.CXX] : []), 'g++', 'clang++'];
  mkdirSync(build, { recursive: true });
  const program = join(build, 'sanitizer-probe');
  for (const compiler of compilers) {
    const flags = ['-fsanitize=address,undefined', '-x', 'c++', '-', '-o', program];
    if (spawnSync(compiler, flags, { input: 'int main() {}' }).status === 0 && works(program)) return compiler;
  }
  throw new Error(`The native tests need a compiler with -fsanitize=address,undefined, but none of these has it: ${compilers.join(', ')}`);
}

/** The rows of kernels.def for this kind of processor. */
function rows(): { name: string; isa: string }[] {
  const text = readFileSync(join(root, 'native/spmm/kernels.def'), 'utf8');
  return [...text.matchAll(/^SK_SPMM_([A-Z0-9]+?)(?:_INT8)?\((\w+),/gm)]
    .map(([, isa = '', row]) => ({ name: `spmm_${row}_${isa.toLowerCase()}`, isa: isa.toLowerCase() }))
    .filter(({ isa }) => isa !== 'cuda' && (process.arch === 'x64' || !isa.startsWith('avx')));
}

/** Those of them that this machine can run, as the operating system describes it: the code under test is not asked. */
function rowsOfThisMachine(): string[] {
  const cpuinfo = existsSync('/proc/cpuinfo') ? readFileSync('/proc/cpuinfo', 'utf8') : '';
  const flags = new Set(/^flags\s*:(.*)$/m.exec(cpuinfo)?.[1]?.split(' '));
  const needs: Record<string, string[]> = {
    avx2: ['avx2', 'fma', 'bmi2', 'f16c'],
    avx512: ['avx2', 'fma', 'bmi2', 'f16c', 'avx512f', 'avx512vl', 'avx512dq', 'avx512bw'],
    avx2vnni: ['avx2', 'fma', 'bmi2', 'f16c', 'avx_vnni'],
    avx512vnni: ['avx2', 'fma', 'bmi2', 'f16c', 'avx512f', 'avx512vl', 'avx512dq', 'avx512bw', 'avx512_vnni'],
    scalar: [],
    scalar16: [],
  };
  return rows()
    .filter(({ isa }) => needs[isa]?.every((flag) => flags.has(flag)))
    .map(({ name }) => name);
}
