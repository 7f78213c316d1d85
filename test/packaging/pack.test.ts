import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { programs, result, tsconfig, typed } from './consumer.js';
import { install, type Packed, pack, prebuild, root, run } from './published.js';

let work: string;
let consumer: string;
let packed: Packed;
beforeAll(async () => {
  work = await mkdtemp(join(tmpdir(), 'sparse-kernels-pack-'));
  consumer = join(work, 'consumer');
  packed = await pack(work);
  await install(packed.tarball, consumer);
  for (const [file, code] of Object.entries({ ...programs, ...typed })) await writeFile(join(consumer, file), code);
  await writeFile(join(consumer, 'tsconfig.json'), JSON.stringify(tsconfig(join(root, 'node_modules', '@types'))));
});
afterAll(() => rm(work, { recursive: true, force: true }));

const start = (file: string) => run(process.execPath, [file], { cwd: consumer });

describe('the tarball', () => {
  it('holds dist, the prebuilds and the papers, and nothing that compiles', () => {
    const expected =
      /^(dist\/index\.(mjs|cjs|d\.mts|d\.cts)|dist\/[\w.-]+\.(mjs|cjs)|prebuilds\/.*\.node|package\.json|README\.md|LICENSE)$/;
    expect(packed.files.filter((file) => !expected.test(file))).toEqual([]);
    expect(packed.files).toEqual(
      expect.arrayContaining([
        'dist/index.mjs',
        'dist/index.cjs',
        'dist/index.d.mts',
        'dist/index.d.cts',
        prebuild,
        'README.md',
        'LICENSE',
      ]),
    );
  });

  it('runs no script on the machine of its user', async () => {
    const { scripts, gypfile } = JSON.parse(await readFile(join(consumer, 'node_modules', 'sparse-kernels', 'package.json'), 'utf8'));
    expect(Object.keys(scripts).filter((name) => /install$/.test(name))).toEqual([]);
    expect(gypfile).toBe(false);
  });
});

describe('the installed package', () => {
  it.each(Object.keys(programs))('multiplies: %s', async (file) => {
    expect(await start(file)).toEqual({ stdout: result, stderr: '' });
  });

  it('has types for ESM and CommonJS', { timeout: 180_000 }, async () => {
    const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
    const checked = await run(process.execPath, [tsc, '--project', '.'], { cwd: consumer }).catch((error) => error);
    expect([checked.code, checked.stdout]).toEqual([undefined, '']);
  });
});

describe('the installed package without a prebuild for this platform', () => {
  beforeAll(() => rm(join(consumer, 'node_modules', 'sparse-kernels', prebuild)));

  it('says which platform it is, what it tried and what to do', async () => {
    const { code, message } = await loadError();
    expect(code).toBe('ERR_SK_BINARY');
    expect(message).toContain(`${process.platform}-${process.arch}`);
    expect(message).toContain(join('node_modules', 'sparse-kernels', prebuild));
    expect(message).toMatch(/npm run build:native/);
    expect(message).toMatch(/SK_BINARY/);
  });

  it('loads the file that SK_BINARY names', async () => {
    const env = { ...process.env, SK_BINARY: join(root, 'build', 'Release', 'sparse_kernels.node') };
    expect(await run(process.execPath, ['esm.mjs'], { cwd: consumer, env })).toEqual({ stdout: result, stderr: '' });
  });

  async function loadError(): Promise<{ code: string; message: string }> {
    const program = "import('sparse-kernels').catch(({ code, message }) => console.log(JSON.stringify({ code, message })))";
    const { stdout } = await run(process.execPath, ['--eval', program], { cwd: consumer });
    return JSON.parse(stdout);
  }
});
