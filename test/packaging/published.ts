/** The package as npm would publish it: built and packed in a copy of the project, so that nothing here changes. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

export const root = fileURLToPath(new URL('../..', import.meta.url));
export const run = promisify(execFile);
const exists = (path: string) => existsSync(join(root, path));

/** Everything that could be packed by mistake goes into the copy, too. */
const copied = [
  'lib',
  'types',
  'native',
  'cmake',
  'scripts',
  'test',
  'package.json',
  'tsconfig.json',
  'tsdown.config.ts',
  'CMakeLists.txt',
];
const copiedIfThere = ['binding.gyp', 'README.md', 'HACKING.md', 'CHANGELOG.md', 'LICENSE'];

/** Where the loader of this platform looks; musl is not tested here. */
export const prebuild = `prebuilds/${process.platform}-${process.arch}/sparse-kernels.glibc.node`;

export interface Packed {
  readonly tarball: string;
  /** Paths inside the package. */
  readonly files: readonly string[];
}

export async function pack(work: string): Promise<Packed> {
  const addon = join(root, 'build', 'Release', 'sparse_kernels.node');
  if (!existsSync(addon)) throw new Error(`${addon} is missing; run: npm run build:native`);
  const copy = join(work, 'project');
  for (const path of [...copied, ...copiedIfThere.filter(exists)]) await cp(join(root, path), join(copy, path), { recursive: true });
  await symlink(join(root, 'node_modules'), join(copy, 'node_modules'));
  await run(process.execPath, [join(root, 'node_modules', 'tsdown', 'dist', 'run.mjs'), '--log-level', 'warn'], { cwd: copy });
  await mkdir(join(copy, prebuild, '..'), { recursive: true });
  await cp(addon, join(copy, prebuild));
  const { stdout } = await run('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', work], { cwd: copy });
  const [{ filename, files }] = JSON.parse(stdout) as [{ filename: string; files: { path: string }[] }];
  return { tarball: join(work, filename), files: files.map(({ path }) => path) };
}

/** An empty project that has installed the tarball as a user does: with install scripts allowed, so that one that compiles would show. */
export async function install(tarball: string, consumer: string): Promise<void> {
  await mkdir(consumer);
  await writeFile(join(consumer, 'package.json'), JSON.stringify({ name: 'consumer', version: '1.0.0', private: true }));
  await run('npm', ['install', '--no-audit', '--no-fund', '--prefer-offline', tarball], { cwd: consumer });
}
