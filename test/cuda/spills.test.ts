/** What ptxas says of every kernel in the addon, whether a test launches it or not. */
import './simulated.js';

import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { ptxas, simulatedAddon, where } from './simulated.js';

const native = fileURLToPath(new URL('../../native', import.meta.url));
const sources = readdirSync(native).filter((verb) => existsSync(join(native, verb, 'cuda/kernels.cu')));

/** The PTX of the addon, which it holds as text that ends with a 0, a module for each source. */
function modules(): string[] {
  const addon = readFileSync(process.env.SK_BINARY ?? simulatedAddon, 'latin1');
  return addon.match(/\.version [\d.]+\n\.target [^\0]+/g) ?? [];
}

test.skipIf(where !== 'simulator' || ptxas === undefined)('no kernel of any verb spills registers or has a stack', () => {
  const folder = mkdtempSync(join(tmpdir(), 'spills-'));
  try {
    const file = join(folder, 'module.ptx');
    const ptx = modules();
    expect(ptx).toHaveLength(sources.length);
    for (const module of ptx) {
      writeFileSync(file, module);
      const { status, stderr } = spawnSync(ptxas as string, ['-v', '-arch=sm_80', '-o', '/dev/null', file], { encoding: 'utf8' });
      expect(status, stderr).toBe(0);
      const kernels = [...stderr.matchAll(/Compiling entry function '(\w+)'[\s\S]*?(\d+) bytes stack frame, (\d+) bytes spill stores/g)];
      expect(kernels).toHaveLength(module.match(/\.entry /g)?.length ?? 0);
      expect(kernels.filter(([, , stack, spilled]) => stack !== '0' || spilled !== '0').map(([, name]) => name)).toEqual([]);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});
