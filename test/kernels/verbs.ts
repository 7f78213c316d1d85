import type { KernelInfo } from 'sparse-kernels';
import { attendChecks } from './attend-parity.js';
import type { Check } from './check.js';
import { mapmmChecks, mapouterChecks } from './conv-parity.js';
import { khotChecks } from './khot-parity.js';
import { spmmChecks } from './nm-parity.js';
import { planesChecks } from './planes-parity.js';
import { poolChecks } from './pool-parity.js';
import { scoreChecks } from './score-parity.js';
import { sddmmChecks } from './sddmm-parity.js';
import { selectChecks } from './select-parity.js';

/** Every verb that has kernels: how a row of it is exercised. `rows` are all rows of the verb. */
export const verbs: Readonly<Record<string, (row: KernelInfo, rows: readonly KernelInfo[]) => Iterable<Check>>> = {
  mapmm: mapmmChecks,
  mapouter: mapouterChecks,
  planes: planesChecks,
  spmm: spmmChecks,
  khot: khotChecks,
  sddmm: sddmmChecks,
  select: selectChecks,
  pool: poolChecks,
  score: scoreChecks,
  attend: attendChecks,
};
