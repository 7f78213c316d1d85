// The process of one simulated case: one product on the device, compared with the oracle. GPUSIM_REPORT then has its launches.
//   product.ts tokens in out dtype pattern
import { nm, toDevice } from 'sparse-kernels';
import { productOracle } from '../oracle.js';
import { normals } from '../random.js';

const [tokens = 0, inFeatures = 0, out = 0] = process.argv.slice(2, 5).map(Number);
const [dtype, pattern] = process.argv.slice(5) as ['float16' | 'bfloat16' | 'float32' | 'int8', nm.Pattern];

const unpruned = { type: 'float32', data: normals(out * inFeatures, 1), dims: [out, inFeatures] } as const;
const numbers = dtype === 'int8' ? ({ dtype, activations: dtype } as const) : { dtype };
using plan = nm.plan({ weight: nm.prune(unpruned, { pattern }), ...numbers, pattern, device: 'cuda' });
// The oracle must see what the kernel sees: powers of two are the same in every type; integers are quantised to themselves where the largest
// is 127. The sums are still rounded.
const x = normals(tokens * inFeatures, 2).map((v, i) => {
  if (dtype === 'int8') return i % inFeatures === 0 ? 127 : Math.max(-127, Math.min(127, Math.round(40 * v)));
  return Math.sign(v) * 2 ** Math.round(Math.log2(Math.abs(v) + 2 ** -8));
});
using there = await toDevice(asType(x), 'cuda');
using y = await plan.run(there, { out: await toDevice({ data: new Float32Array(tokens * out), dims: [tokens, out] }, 'cuda') });
const problem = productOracle({ x, weight: plan.toDense().data, tokens, in: inFeatures, out })((await y.to('cpu')).data as Float32Array);
if (problem) throw new Error(problem);

/** A power of two has no fraction: its exponent is all that changes place. */
function asType(values: Float32Array) {
  const dims = [tokens, inFeatures];
  if (dtype === 'float32' || dtype === 'int8') return { data: values, dims, type: 'float32' as const };
  const bits = new Uint32Array(values.buffer);
  const half = (word: number) => {
    const exponent = (word >>> 23) & 0xff;
    return dtype === 'bfloat16' ? word >>> 16 : ((word >>> 16) & 0x8000) | ((exponent - 112) << 10);
  };
  return { data: Uint16Array.from(bits, half), dims, type: dtype };
}
