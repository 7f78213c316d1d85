// clang-format over the C++ files: reports what is not formatted, or with --write formats it.
import { execFileSync } from 'node:child_process';
import { accessSync, chmodSync, constants } from 'node:fs';
import { clangFormatPath } from 'clang-format-node';
import { conclude, filesIn, root } from './project.js';

const files = filesIn(['native', 'bench', 'test'], /\.(h|cc|cu|cuh)$/);
makeExecutable(clangFormatPath);
if (process.argv.includes('--write')) {
  clangFormat('-i', ...files);
  console.log(`format-cpp: ${files.length} files formatted`);
} else {
  conclude(
    'format-cpp',
    files.filter((file) => !isFormatted(file)).map((file) => `${file}: not formatted`),
    'Run: npm run fix',
  );
}

/** The package's postinstall script does this, and npm may be told to run none. */
function makeExecutable(binary: string): void {
  try {
    accessSync(binary, constants.X_OK);
  } catch {
    chmodSync(binary, 0o755);
  }
}

function isFormatted(file: string): boolean {
  return clangFormat('--output-replacements-xml', file).includes('<replacement ') === false;
}

function clangFormat(...args: string[]): string {
  return execFileSync(clangFormatPath, args, { cwd: root, encoding: 'utf8' });
}
