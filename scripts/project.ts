/** What the maintenance scripts share: the project's folder, its files, its tools, and how a finding is reported. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('..', import.meta.url));

export function read(file: string): string {
  return readFileSync(join(root, file), 'utf8');
}

/** Files below the folders whose path matches, relative to the project, with forward slashes, sorted. A missing folder has none. */
export function filesIn(folders: readonly string[], matching: RegExp): string[] {
  return folders
    .map((folder) => join(root, folder))
    .filter((folder) => existsSync(folder))
    .flatMap((folder) => readdirSync(folder, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => relative(root, join(entry.parentPath, entry.name)).split(sep).join('/'))
    .filter((file) => matching.test(file))
    .sort();
}

/** Path of a command that a development dependency installs. */
export function tool(name: string): string {
  return join(root, 'node_modules', '.bin', process.platform === 'win32' ? `${name}.cmd` : name);
}

/** Ends a check: prints what is wrong and the command that repairs it, or that all is well. */
export function conclude(check: string, problems: readonly string[], repair: string): void {
  if (problems.length === 0) {
    console.log(`${check}: ok`);
    return;
  }
  for (const problem of problems) console.error(problem);
  console.error(`${check}: ${problems.length} ${problems.length === 1 ? 'problem' : 'problems'}. ${repair}`);
  process.exitCode = 1;
}
