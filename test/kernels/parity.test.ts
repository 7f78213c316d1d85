/** Every row of kernels() that this machine supports × every pattern of the row × every case, against the float64 oracle. */
import { kernels } from 'sparse-kernels';
import { afterAll, describe, expect, test } from 'vitest';
import { nmCases, patternsOfM } from '../cases/nm.js';
import { compareWithOracle } from './nm-parity.js';

const rows = kernels().filter((row) => row.verb === 'spmm');
const exercised = new Set<string>();

for (const row of rows) {
  const [n, m] = row.pattern.split(':') as [string, string];
  const named = rows.filter((r) => r.isa === row.isa && !r.pattern.startsWith('N')).map((r) => r.pattern);
  const patterns = n === 'N' ? (patternsOfM[Number(m)] ?? []).filter((k) => !named.includes(`${k}:${m}`)) : [Number(n)];
  describe.skipIf(!row.supported)(row.name, () => {
    for (const k of patterns) {
      test.each(nmCases)(`${k}:${m}, $name`, (c) => {
        expect(compareWithOracle(c, k, Number(m), row.isa, row.name, 'exact integers')).toBeNull();
        expect(compareWithOracle(c, k, Number(m), row.isa, row.name, 'random')).toBeNull();
        exercised.add(row.name);
      });
    }
  });
}

afterAll(() => {
  const skipped = rows.filter((row) => !row.supported).map((row) => row.name);
  console.log(`spmm rows exercised: ${[...exercised].join(', ')}`);
  console.log(`spmm rows skipped, because this machine lacks the ISA: ${skipped.join(', ') || 'none'}`);
});

test('every supported row has been exercised', () => {
  expect([...exercised].sort()).toEqual(
    rows
      .filter((row) => row.supported)
      .map((row) => row.name)
      .sort(),
  );
});

test('rows of all instruction sets are in the binary', () => {
  const isas = process.arch === 'x64' ? ['avx2', 'avx512', 'scalar', 'scalar16'] : ['scalar', 'scalar16'];
  expect([...new Set(rows.map((row) => row.isa))].sort()).toEqual(isas);
});
