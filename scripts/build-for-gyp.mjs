// The action of binding.gyp: builds with cmake-js beside node-gyp's own build folder and copies the addon to where node-gyp expects it. Releases
// come from here: kernels are compiled for the devices that are common, and PTX of the last architecture is for those to come.
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const productDir = process.argv[2];
const cmakeJs = createRequire(import.meta.url).resolve('cmake-js/bin/cmake-js');
const architectures = '80-real;86-real;89-real;90'; // A100; RTX 30 and A10; RTX 40 and L4; H100
const options = ['--out', 'build-gyp', '--parallel', '2', `--CDSK_CUDA_ARCHITECTURES=${architectures}`];
execFileSync(process.execPath, [cmakeJs, 'compile', ...options], { cwd: root, stdio: 'inherit' });
mkdirSync(productDir, { recursive: true });
copyFileSync(join(root, 'build-gyp', 'Release', 'sparse_kernels.node'), join(productDir, 'sparse_kernels.node'));
