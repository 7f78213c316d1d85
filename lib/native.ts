/** The only file that loads the addon, and (beside native/core/cpu.cc) the only one that reads the environment. */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { NativeAddon } from '../types/native.js';
import { rangeError, SparseKernelsError } from './errors.js';

const require = createRequire(import.meta.url);
const root = fileURLToPath(new URL('..', import.meta.url)); // both lib/ and dist/ are one level below it

const libc = process.platform === 'linux' && existsSync('/etc/alpine-release') ? 'musl' : 'glibc';
const prebuild = join(root, 'prebuilds', `${process.platform}-${process.arch}`, `sparse-kernels.${libc}.node`);

/** Where the addon may be, in order: named by the user, built in this checkout, shipped in the package. */
const sources: { what: string; load: () => NativeAddon }[] = [
  { what: 'build of this checkout', load: () => require('bindings')({ bindings: 'sparse_kernels', module_root: root }) },
  { what: prebuild, load: () => require(prebuild) },
];
const override = process.env.SK_BINARY;
if (override) sources.splice(0, sources.length, { what: `SK_BINARY=${override}`, load: () => require(override) });

function load(): NativeAddon {
  const failures: string[] = [];
  for (const { what, load } of sources) {
    try {
      return load();
    } catch (error) {
      failures.push(`  - ${what}: ${String((error as Error).message).split('\n')[0]}`);
    }
  }
  throw new SparseKernelsError(
    'ERR_SK_BINARY',
    [
      `could not load the native addon for ${process.platform}-${process.arch} (${libc}), Node ${process.versions.node}. Tried:`,
      ...failures,
      'Possible solutions:',
      '  1. In a checkout: run `npm run build:native` (needs g++ or clang, and cmake).',
      '  2. Installed from npm: check that the package has a prebuild for this platform; it needs glibc 2.34 or later (Debian 12, Ubuntu 22.04).',
      '  3. Set SK_BINARY to the absolute path of a sparse_kernels.node that you built.',
    ].join('\n'),
  );
}

/** ISA that SK_ISA forces for every plan that names none; the addon refuses unknown and unsupported names. */
export const isaFromEnvironment = process.env.SK_ISA ?? '';

const threads = process.env.SK_NUM_THREADS; // native/core/cpu.cc reads it; here it is only checked, where an error can be worded
if (threads && !(/^\d+$/.test(threads) && Number(threads) >= 1 && Number(threads) <= 1024)) {
  throw rangeError('ERR_SK_OPTION', `expected SK_NUM_THREADS to be an integer from 1 to 1024 but received '${threads}'`);
}

export const native: NativeAddon = load();
