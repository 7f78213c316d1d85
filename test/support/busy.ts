/** A plan and an input that keep it busy for a second or more: for the scripts that test what happens in mid-run. */
import { nm } from 'sparse-kernels';

const [out, inputs] = [2048, 2048];
const weight = nm.prune({ data: new Float32Array(out * inputs).fill(1), dims: [out, inputs] }, { pattern: '2:4' });

export const plan = nm.plan({ weight, pattern: '2:4' });
export const x = new Float32Array(8000 * inputs).fill(1);
