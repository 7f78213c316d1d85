/** A program for the simulator: one submanifold 3 x 3 layer on all sites of a square, `convolution.ts extent in out`. */
import { conv, toDevice } from 'sparse-kernels';
import { uniform } from '../support/random.js';

const [extent = 0, inputs = 0, outputs = 0] = process.argv.slice(2).map(Number);
const x = conv.fromDense({ data: uniform(inputs * extent * extent, 1), dims: [1, inputs, extent, extent] });
const weight = { data: uniform(outputs * 9 * inputs, 2), dims: [outputs, 3, 3, inputs] };
using layer = conv.layer({ weight, dtype: 'float16', device: 'cuda' });
using there = await toDevice({ data: x.features, dims: [extent * extent, inputs] }, 'cuda');
using y = await layer.run(there, conv.map(x, { kernelSize: 3 }));
await y.to('cpu');
