// The process of one simulated case: one attention on the device, rows of it compared with the oracle. GPUSIM_REPORT then has its launches.
//   attended.ts blocks|columns|pages heads queries keys headDim: the heads of one key-value head
import { attention, toDevice } from 'sparse-kernels';
import { compare } from '../attention-oracle.js';
import { halves, powersOfTwo } from './halves.js';

const kind = process.argv[2];
const [heads = 0, queryLength = 0, keyLength = 0, headDim = 0] = process.argv.slice(3).map(Number);
const { patterns } = attention;

const size = { queryLength, keyLength, blockSize: [Math.min(128, queryLength), kind === 'pages' ? 16 : 128] as const };
const all = patterns.rows(Array.from({ length: Math.ceil(queryLength / 128) }, () => Array.from({ length: keyLength }, (_, key) => key)));
const pattern = kind === 'columns' ? patterns.columns(all, size) : patterns.dense(size);
using plan = attention.plan({ pattern, heads, kvHeads: 1, headDim, dtype: 'float16', device: 'cuda' });

const [q, k, v] = [powersOfTwo(heads * queryLength * headDim, 1), powersOfTwo(keyLength * headDim, 2), powersOfTwo(keyLength * headDim, 3)];
const pages = keyLength / 16;
const source = kind === 'pages' ? [pages, 1, 16, headDim] : [1, 1, keyLength, headDim]; // the same memory where there is one head
const there = (data: Float32Array, dims: number[]) => toDevice({ data: halves(data, 'float16'), dims, type: 'float16' }, 'cuda');
const pageTable = Int32Array.from({ length: pages }, (_, page) => page);
const { output } = await plan.run(
  await there(q, [1, heads, queryLength, headDim]),
  await there(k, source),
  await there(v, source),
  kind === 'pages' ? { pageTable } : {},
);
const { data } = await output.to('cpu');
for (const row of [0, heads * queryLength - 1]) {
  // Queries times scale, and weights, are rounded to float16.
  const place = { q, k, v, heads, kv: 1, tokens: keyLength, queries: queryLength, d: headDim, row, tolerance: 2e-2 };
  const [problem] = compare('attend', data as Float32Array, place, () => true);
  if (problem) throw new Error(problem);
}
