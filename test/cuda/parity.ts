import './simulated.js';

import { type CudaKernelInfo, kernels } from 'sparse-kernels';
import { afterAll, describe, expect, test } from 'vitest';
import type { Check } from '../kernels/check.js';
import { attendChecks } from './attend-parity.js';
import { poolChecks, scoreChecks, selectChecks } from './companions-parity.js';
import { mapmmChecks } from './conv-parity.js';
import { spmmChecks } from './nm-parity.js';
import { where } from './simulated.js';

const verbs: Readonly<Record<string, (row: CudaKernelInfo) => Iterable<Check>>> = {
  attend: attendChecks,
  mapmm: mapmmChecks,
  pool: poolChecks,
  score: scoreChecks,
  select: selectChecks,
  spmm: spmmChecks,
};

/** Every CUDA row of kernels() × every case of its verb, or of some verbs, against the float64 oracle. */
export function testParity(some: readonly string[] = Object.keys(verbs)): void {
  const rows = kernels().filter((row): row is CudaKernelInfo => row.isa === 'cuda' && (some.includes(row.verb) || !verbs[row.verb]));
  const exercised = new Set<string>();
  // Hooks of a file whose tests are all skipped do not run.
  if (rows.every(({ supported }) => !supported)) console.log(`CUDA rows not run (${where}): ${rows.map(({ name }) => name).join(', ')}`);

  for (const row of rows) {
    const checks = verbs[row.verb];
    if (!checks) throw new Error(`test/cuda/parity.ts says nothing of the verb of ${row.name}`);
    describe.skipIf(!row.supported)(row.name, () => {
      test.each([...checks(row)])('$name', async (check) => {
        expect(await check.run()).toBeNull();
        exercised.add(row.name);
      });
    });
  }

  afterAll(() => {
    const skipped = rows.filter((row) => !row.supported).map((row) => row.name);
    console.log(`CUDA rows run (${where}): ${[...exercised].join(', ') || 'none'}; skipped: ${skipped.join(', ') || 'none'}`);
  });

  test.skipIf(where.startsWith('nowhere'))('every CUDA row has been exercised', () => {
    expect(rows.length).toBeGreaterThan(0);
    expect([...exercised].sort()).toEqual(rows.map((row) => row.name).sort());
  });
}
