// The action of binding.gyp: builds with cmake-js beside node-gyp's own build folder and copies the addon to where node-gyp expects it.
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const productDir = process.argv[2];
const cmakeJs = createRequire(import.meta.url).resolve('cmake-js/bin/cmake-js');
execFileSync(process.execPath, [cmakeJs, 'compile', '--out', 'build-gyp', '--parallel', '2'], { cwd: root, stdio: 'inherit' });
mkdirSync(productDir, { recursive: true });
copyFileSync(join(root, 'build-gyp', 'Release', 'sparse_kernels.node'), join(productDir, 'sparse_kernels.node'));
