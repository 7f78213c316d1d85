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

describe('code in README.md and in TSDoc examples', () => {
  it('is found', () => {
    expect(blocks.some(({ at }) => at.startsWith('README.md'))).toBe(true);
    expect(blocks.some(({ at }) => at.startsWith('lib/'))).toBe(true);
  });

  it.each(blocks)('runs: $at', async ({ program }) => {
    await run(process.execPath, ['--import', 'tsx', program], { cwd: root });
  });

  it('has no type errors', { timeout: 180_000 }, async () => {
    const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
    const checked = await run(process.execPath, [tsc, '--project', programs], { cwd: root }).catch((error) => error);
    expect([checked.code, checked.stdout]).toEqual([undefined, '']);
  });
});
