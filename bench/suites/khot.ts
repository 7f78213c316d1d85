import { type Isa, nm } from 'sparse-kernels';
import type { NmCase } from '../cases/nm.js';
import { denseMatMul } from '../competitors/onnxruntime.js';
import { productOracle } from '../oracle.js';
import { normals, randomSource } from '../random.js';
import type { Workload } from '../suite.js';

/** A dense weight on x of which each token keeps `top` inputs: ours has lists, the peer x with zeros. */
export function khotLayer({ shape, coldWeights, call }: NmCase, top: number): Workload {
  const { tokens, in: inputs, out } = shape;
  const weight = normals(out * inputs, 1);
  const values = normals(tokens * top, 2);
  const indices = Int32Array.from(listsOf(tokens, top, inputs));
  const x = new Float32Array(tokens * inputs);
  for (let j = 0; j < values.length; j++) x[Math.floor(j / top) * inputs + (indices[j] as number)] = values[j] as number;
  const operands = { ...shape, x, weight };
  const compare = productOracle(operands);

  return async ({ threads, isa, coldBytes }) => {
    const newPlan = () =>
      nm.planKHot({ weight: { data: weight, dims: [out, inputs] }, threads, ...(isa !== undefined && { isa: isa as Isa }) });
    const first = newPlan();
    // A run reads a share of its copy only.
    const read = (first.bytes * top) / inputs;
    const copies = coldWeights ? Math.floor(coldBytes / read) + 1 : 1;
    const plans = [first, ...Array.from({ length: Math.min(copies, MOST_COPIES) - 1 }, newPlan)];
    let turn = 0;
    const y = new Float32Array(tokens * out);
    const runOurs = async () => (await (plans[turn++ % plans.length] ?? first)[call]({ indices, values, k: top }, { out: y })).data;
    const peer = await denseMatMul({ ...operands, threads, copies: coldWeights ? Math.floor(coldBytes / weight.byteLength) + 1 : 1 });
    return {
      ...{ kernel: first.kernel, peer: peer.name, runOurs, runPeer: peer.run },
      ...{ flops: 2 * tokens * top * out, denseFlops: 2 * tokens * inputs * out, bytes: read, denseBytes: weight.byteLength },
      verify: async () => {
        const sides = [
          [first.kernel, compare(await runOurs())],
          [peer.name, compare(await peer.run())],
        ];
        return sides.flatMap(([side, problem]) => (problem === undefined ? [] : [`${side}: ${problem}`]));
      },
    };
  };
}

/** Of plans: beyond it they would not fit in memory. */
const MOST_COPIES = 8;

/** So many different inputs of each token, ascending. */
function* listsOf(tokens: number, top: number, inputs: number): Iterable<number> {
  const next = randomSource(3);
  for (let t = 0; t < tokens; t++) {
    for (let i = 0, left = top; i < inputs && left > 0; i++) {
      if (next() % (inputs - i) >= left) continue;
      left--;
      yield i;
    }
  }
}
