/** The scopes of pruning, each with its oracle. */
import type { prune } from 'sparse-kernels';
import * as oracle from '../reference/prune.js';

export const scopes: [prune.Scope, (scores: oracle.Rows) => oracle.Rows][] = [
  [{ scope: 'global', sparsity: 0 }, (s) => oracle.globalMask(s, 0)],
  [{ scope: 'global', sparsity: 0.5 }, (s) => oracle.globalMask(s, 0.5)],
  [{ scope: 'global', sparsity: 0.99 }, (s) => oracle.globalMask(s, 0.99)],
  [{ scope: 'row', sparsity: 0.7 }, (s) => oracle.rowMask(s, 0.7)],
  [{ scope: 'global', sparsity: 0.5, block: [4, 1] }, (s) => oracle.blockMask(s, [4, 1], 0.5, 'global')],
  [{ scope: 'row', sparsity: 0.5, block: [1, 16] }, (s) => oracle.blockMask(s, [1, 16], 0.5, 'row')],
  [{ scope: 'row', sparsity: 0.75, block: [2, 3] }, (s) => oracle.blockMask(s, [2, 3], 0.75, 'row')],
  [{ scope: 'nm', pattern: '2:4' }, (s) => oracle.nmMask(s, 2, 4)],
  [{ scope: 'nm', pattern: '1:2' }, (s) => oracle.nmMask(s, 1, 2)],
  [{ scope: 'nm', pattern: '5:32' }, (s) => oracle.nmMask(s, 5, 32)],
  [{ scope: 'nm', pattern: '2:4', rows: 8 }, (s) => oracle.nmMask(s, 2, 4, 8)],
  [{ scope: 'nm', pattern: '1:8', rows: 4 }, (s) => oracle.nmMask(s, 1, 8, 4)],
  [{ scope: 'venom', pattern: '2:8', rows: 4 }, (s) => oracle.venomMask(s, 2, 8, 4)],
  [{ scope: 'venom', pattern: '1:10', rows: 3 }, (s) => oracle.venomMask(s, 1, 10, 3)],
];
