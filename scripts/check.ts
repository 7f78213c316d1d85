// npm run check: everything about the project but its tests, one line for each check. A failure prints its findings and the rest goes on.
import { spawnSync } from 'node:child_process';
import { root, tool } from './project.js';

const script = (name: string) => [tool('tsx'), `scripts/${name}.ts`];
const checks: Record<string, string[]> = {
  'format and lint (npm run fix)': [tool('biome'), 'check', '--error-on-warnings'],
  'C++ format (npm run fix)': script('format-cpp'),
  'types (tsc)': [tool('tsc'), '--project', '.'],
  'architecture (HACKING.md)': script('check-architecture'),
  'documentation of every export (typedoc)': [tool('typedoc'), '--emit', 'none', '--logLevel', 'Warn'],
  'package.json exports (publint)': [tool('publint'), '--pack', 'npm', '--level', 'warning', '--strict'],
  'symbols of the ISA objects': script('check-symbols'),
};

const failed = Object.entries(checks).filter(([name, command]) => !passes(name, command));
const names = failed.map(([name]) => name).join('; ');
console.log(failed.length === 0 ? 'check: all passed' : `check: ${failed.length} of ${Object.keys(checks).length} failed: ${names}`);
process.exitCode = failed.length === 0 ? 0 : 1;

function passes(name: string, [command = '', ...args]: string[]): boolean {
  const start = performance.now();
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd: root, encoding: 'utf8', maxBuffer: 64 << 20 });
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  console.log(`${status === 0 ? 'ok  ' : 'FAIL'} ${name} (${seconds} s)`);
  if (status !== 0) console.log([error?.message, stdout, stderr].filter(Boolean).join('\n').trimEnd());
  return status === 0;
}
