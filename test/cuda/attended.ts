/**
 * A program for the simulator: one attention of random data, `attended.ts queries keys heads kvHeads headDim dtype causal`; with
 * `pageTokens every` it reads one in so many pages of such a size.
 */
import { attention } from 'sparse-kernels';
import { halfBits } from '../reference/round.js';
import { uniform } from '../support/random.js';

const [queryLength = 0, keyLength = 0, heads = 0, kvHeads = 0, headDim = 0] = process.argv.slice(2, 7).map(Number);
const dtype = process.argv[7] as 'float16' | 'bfloat16';
const causal = process.argv[8] === 'true';
const [pageTokens, every = 1] = process.argv.slice(9).map(Number);
const tensor = (dims: number[], seed: number) => ({
  data: halfBits(dtype, uniform(dims.reduce((a, b) => a * b) * headDim, seed)),
  dims: [...dims, headDim],
  type: dtype,
});
const q = tensor([1, heads, queryLength], 1);
if (pageTokens === undefined) {
  const pattern = attention.patterns.dense({ queryLength, keyLength, blockSize: [64, 64], causal });
  using plan = attention.plan({ pattern, heads, kvHeads, headDim, causal, dtype, device: 'cuda' });
  await plan.run(q, tensor([1, kvHeads, keyLength], 2), tensor([1, kvHeads, keyLength], 3));
} else {
  const pages = keyLength / pageTokens;
  const tiles = attention.patterns.rows([Array.from({ length: pages / every }, (_, i) => i * every)]);
  const dense = attention.patterns.dense({ queryLength, keyLength, blockSize: [queryLength, pageTokens] });
  using plan = attention.plan({ pattern: { ...dense, tiles }, heads, kvHeads, headDim, causal, dtype, device: 'cuda' });
  const pageTable = Int32Array.from({ length: pages }, (_, i) => pages - 1 - i);
  await plan.run(q, tensor([pages, kvHeads, pageTokens], 2), tensor([pages, kvHeads, pageTokens], 3), { pageTable });
}
