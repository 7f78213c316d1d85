import { execFile } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, it } from 'vitest';
import { codeBlocks, commentsOf } from './code-blocks.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const programs = join(root, 'build-docs', 'programs'); // inside the project, so that its packages resolve
const run = promisify(execFile);

const sources = readdirSync(join(root, 'lib'), { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));
const blocks = [
  ...codeBlocks('README.md', readFileSync(join(root, 'README.md'), 'utf8')),
  ...sources.sort().flatMap((file) => codeBlocks(`lib/${file}`, commentsOf(readFileSync(join(root, 'lib', file), 'utf8')))),
].map((block) => ({ ...block, program: join(programs, `${block.at.replace(/\W+/g, '-')}.mts`) }));

beforeAll(() => {
  rmSync(programs, { recursive: true, force: true });
  mkdirSync(programs, { recursive: true });
  for (const { program, code } of blocks) writeFileSync(program, code);
  const options = { extends: '../../tsconfig.json', compilerOptions: { noUnusedLocals: false }, include: ['*.mts'] };
  writeFileSync(join(programs, 'tsconfig.json'), JSON.stringify(options));
});

/** One process runs them all, one after the other: to start Node takes longer than most of them. Returns the error of each that fails. */
async function runAll(): Promise<Record<string, string>> {
  const [runner, report] = [join(programs, 'run-all.mjs'), join(programs, 'errors.json')];
  writeFileSync(
    runner,
    `import { writeFileSync } from 'node:fs';
    const errors = {};
    for (const program of ${JSON.stringify(blocks.map(({ program }) => program))}) {
      try { await import(program); } catch (error) { errors[program] = String(error?.stack ?? error); }
    }
    writeFileSync(${JSON.stringify(report)}, JSON.stringify(errors));`,
  );
  await run(process.execPath, ['--import', 'tsx', runner], { cwd: root, maxBuffer: 2 ** 26 });
  return JSON.parse(readFileSync(report, 'utf8'));
}

describe('code in README.md and in TSDoc examples', () => {
  it('is found', () => {
    expect(blocks.some(({ at }) => at.startsWith('README.md'))).toBe(true);
    expect(blocks.some(({ at }) => at.startsWith('lib/'))).toBe(true);
  });

  describe('runs', () => {
    let errors: Record<string, string>;
    beforeAll(async () => {
      errors = await runAll();
    });

    it.each(blocks)('$at', ({ program }) => {
      expect(errors[program]).toBeUndefined();
    });
  });

  it('has no type errors', { timeout: 180_000 }, async () => {
    const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
    const checked = await run(process.execPath, [tsc, '--project', programs], { cwd: root }).catch((error) => error);
    expect([checked.code, checked.stdout]).toEqual([undefined, '']);
  });
});
