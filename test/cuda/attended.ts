/** A program for the simulator: one attention of random data, `attended.ts queries keys heads kvHeads headDim dtype causal`. */
import { attention } from 'sparse-kernels';
import { halfBits } from '../reference/round.js';
import { uniform } from '../support/random.js';

const [queryLength = 0, keyLength = 0, heads = 0, kvHeads = 0, headDim = 0] = process.argv.slice(2, 7).map(Number);
const dtype = process.argv[7] as 'float16' | 'bfloat16';
const causal = process.argv[8] === 'true';
const pattern = attention.patterns.dense({ queryLength, keyLength, blockSize: [64, 64], causal });
using plan = attention.plan({ pattern, heads, kvHeads, headDim, causal, dtype, device: 'cuda' });
const tensor = (count: number, tokens: number, seed: number) => ({
  data: halfBits(dtype, uniform(count * tokens * headDim, seed)),
  dims: [1, count, tokens, headDim],
  type: dtype,
});
await plan.run(tensor(heads, queryLength, 1), tensor(kvHeads, keyLength, 2), tensor(kvHeads, keyLength, 3));
