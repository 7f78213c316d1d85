/**
 * A program for the simulator: one product of random data, `product.ts tokens in out dtype pattern rows [venom]`. GPUSIM_REPORT then has its
 * launches.
 */
import { nm, toDevice } from 'sparse-kernels';
import { keepColumns } from '../kernels/nm-weights.js';
import { halfBits } from '../reference/round.js';
import { uniform } from '../support/random.js';

const [tokens = 0, inputs = 0, outputs = 0] = process.argv.slice(2, 5).map(Number);
const dtype = process.argv[5] as 'float16' | 'bfloat16' | 'int8' | 'int4' | 'w8a8' | 'tf32';
const pattern = (process.argv[6] ?? '2:4') as nm.Pattern;
const [rows, venom] = [Number(process.argv[7] ?? 1), process.argv[8] === 'venom'];
const [n, m] = pattern.split(':').map(Number) as [number, number];
const columns = keepColumns(uniform(outputs * inputs, 1), inputs, rows, rows === 1 ? m : venom ? 4 : n, m);
const weight = nm.prune({ data: columns, dims: [outputs, inputs] }, { pattern });
const numbers = { w8a8: { dtype: 'int8', activations: 'int8' }, tf32: { dtype: 'float32', allowTf32: true } } as const;
const chosen = dtype === 'w8a8' || dtype === 'tf32' ? numbers[dtype] : { dtype };
using plan = nm.plan({ weight, ...chosen, pattern, rows, venom, bias: uniform(outputs, 2), activation: 'relu', device: 'cuda' });
const type = dtype === 'bfloat16' ? dtype : 'float16';
using x = await toDevice({ data: halfBits(type, uniform(tokens * inputs, 3)), dims: [tokens, inputs], type }, 'cuda');
using y = await plan.run(x);
await y.to('cpu');
