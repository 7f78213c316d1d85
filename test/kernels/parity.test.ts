/** Every CPU row of kernels() that this machine supports × every case of its verb, against the float64 oracle. */
import { type KernelInfo, kernels } from 'sparse-kernels';
import { afterAll, describe, expect, test } from 'vitest';
import { verbs } from './verbs.js';

const all = kernels().filter((row): row is KernelInfo => row.isa !== 'cuda'); // those are in test/cuda
const exercised = new Set<string>();

for (const row of all) {
  const checks = verbs[row.verb];
  if (!checks) throw new Error(`test/kernels/verbs.ts says nothing of the verb of ${row.name}`);
  const rows = all.filter((other) => other.verb === row.verb);
  describe.skipIf(!row.supported)(row.name, () => {
    test.each([...checks(row, rows)])('$name', async (check) => {
      expect(await check.run()).toBeNull();
      exercised.add(row.name);
    });
  });
}

afterAll(() => {
  const skipped = all.filter((row) => !row.supported).map((row) => row.name);
  console.log(`kernel rows exercised: ${[...exercised].join(', ')}`);
  console.log(`kernel rows skipped, because this machine lacks the ISA: ${skipped.join(', ') || 'none'}`);
});

test('every supported row has been exercised', () => {
  const supported = all.filter((row) => row.supported).map((row) => row.name);
  expect([...exercised].sort()).toEqual(supported.sort());
});

test('rows of all instruction sets are in the binary', () => {
  const isas = process.arch === 'x64' ? ['avx2', 'avx512', 'scalar', 'scalar16'] : ['scalar', 'scalar16'];
  const ofRows = (rows: readonly KernelInfo[]) => [...new Set(rows.map((row) => row.isa))].sort();
  const extension = (row: KernelInfo) => row.isa.endsWith('vnni');
  for (const verb of Object.keys(verbs)) expect(ofRows(all.filter((row) => row.verb === verb && !extension(row)))).toEqual(isas);
  const extended = all.filter(extension);
  expect(ofRows(extended)).toEqual(process.arch === 'x64' ? ['avx2vnni', 'avx512vnni'] : []);
  expect(extended.every((row) => row.verb === 'spmm' && row.dtype === 'w8a8')).toBe(true);
});
