// The process of one simulated case: one product on the device, compared with the oracle. GPUSIM_REPORT then has its launches.
//   product.ts tokens in out dtype pattern [venom|columns rows]
import { nm, toDevice } from 'sparse-kernels';
import { productOracle } from '../oracle.js';
import { normals } from '../random.js';
import { halves, powersOfTwo, roundToHalf } from './halves.js';

const [tokens = 0, inFeatures = 0, out = 0] = process.argv.slice(2, 5).map(Number);
const [dtype, pattern, shared, rows = 1] = process.argv.slice(5) as [
  'float16' | 'bfloat16' | 'float32' | 'int8' | 'int4' | 'int4-128' | 'w8a8' | 'tf32',
  nm.Pattern,
  string,
  string?,
];

const unpruned = { type: 'float32', data: normals(out * inFeatures, 1), dims: [out, inFeatures] } as const;
const numbers = {
  w8a8: { dtype: 'int8', activations: 'int8' },
  tf32: { dtype: 'float32', allowTf32: true },
  int4: { dtype: 'int4', groupSize: 32 },
  'int4-128': { dtype: 'int4', groupSize: 128 },
} as const;
const chosen = dtype in numbers ? numbers[dtype as keyof typeof numbers] : { dtype: dtype as 'float16' };
const int4 = dtype.startsWith('int4');
using plan = nm.plan({ weight: pruned(), ...chosen, pattern, rows: Number(rows), venom: shared === 'venom', device: 'cuda' });
// The oracle must see what the kernel sees; the sums are still rounded.
const x = dtype === 'w8a8' ? integers(tokens * inFeatures) : powersOfTwo(tokens * inFeatures, 2);
const dims = [tokens, inFeatures];
const type = dtype === 'int8' || int4 ? 'float16' : dtype;
const operand = type === 'float16' || type === 'bfloat16' ? { data: halves(x, type), dims, type } : { data: x, dims };
using there = await toDevice(operand, 'cuda');
using y = await plan.run(there, { out: await toDevice({ data: new Float32Array(tokens * out), dims: [tokens, out] }, 'cuda') });
const held = plan.toDense().data;
const weight = int4 ? held.map(roundToHalf) : held; // as it is multiplied
const problem = productOracle({ x, weight, tokens, in: inFeatures, out })((await y.to('cpu')).data as Float32Array);
if (problem) throw new Error(problem);

/** Are quantised to themselves, as the largest of each token is 127. */
function integers(count: number): Float32Array {
  return normals(count, 2).map((v, i) => (i % inFeatures === 0 ? 127 : Math.max(-127, Math.min(127, Math.round(40 * v)))));
}

/** Rows that share columns have the first of each group, four for VENOM. */
function pruned() {
  const [n = 0, m = 0] = pattern.split(':').map(Number);
  const columns = shared === 'venom' ? 4 : shared ? n : m;
  return nm.prune({ ...unpruned, data: unpruned.data.map((w, i) => ((i % inFeatures) % m < columns ? w : 0)) }, { pattern });
}
