/** A program for the simulator: one product of random data, `product.ts tokens in out dtype pattern`. GPUSIM_REPORT then has its launches. */
import { nm, toDevice } from 'sparse-kernels';
import { halfBits } from '../reference/round.js';
import { uniform } from '../support/random.js';

const [tokens = 0, inputs = 0, outputs = 0] = process.argv.slice(2, 5).map(Number);
const dtype = process.argv[5] as 'float16' | 'bfloat16' | 'int8' | 'w8a8';
const pattern = (process.argv[6] ?? '2:4') as nm.Pattern;
const weight = nm.prune({ data: uniform(outputs * inputs, 1), dims: [outputs, inputs] }, { pattern });
const numbers = dtype === 'w8a8' ? ({ dtype: 'int8', activations: 'int8' } as const) : { dtype };
using plan = nm.plan({ weight, ...numbers, pattern, bias: uniform(outputs, 2), activation: 'relu', device: 'cuda' });
const type = dtype === 'bfloat16' ? dtype : 'float16';
using x = await toDevice({ data: halfBits(type, uniform(tokens * inputs, 3)), dims: [tokens, inputs], type }, 'cuda');
using y = await plan.run(x);
await y.to('cpu');
