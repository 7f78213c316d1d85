import { type Isa, nm } from 'sparse-kernels';
import { type NmCase, nmCase, nmCases, parsePattern } from '../cases/nm.js';
import { denseMatMul } from '../competitors/onnxruntime.js';
import { productOracle } from '../oracle.js';
import { normals } from '../random.js';
import type { Suite, Workload } from '../suite.js';

/** N:M pruned linear layers against dense ones. */
export const nmSuite: Suite<NmCase> = {
  name: 'nm',
  cases: nmCases,
  shapeKeys: ['tokens', 'in', 'out'],
  patternHint: "'N:M' with M in 4, 8, 16, 32 and 0 < N < M",
  isPattern: (text) => parsePattern(text) !== undefined,
  caseOf: ({ tokens = 0, in: inFeatures = 0, out = 0 }, pattern) => nmCase({ tokens, in: inFeatures, out }, pattern),
  prepare,
};

function prepare({ shape, pattern: text, coldWeights }: NmCase): Workload {
  const pattern = text as nm.Pattern;
  const unpruned = { type: 'float32', data: normals(shape.out * shape.in, 1), dims: [shape.out, shape.in] };
  const weight = nm.prune(unpruned, { pattern });
  const input = { type: 'float32', data: normals(shape.tokens * shape.in, 2), dims: [shape.tokens, shape.in] };
  const operands = { ...shape, x: input.data, weight: weight.data };
  const badWeight = keptCount(weight.data, shape, pattern);
  const compare = productOracle(operands);
  const denseBytes = weight.data.byteLength;

  return async ({ threads, isa, coldBytes }) => {
    const forced = isa === undefined ? {} : { isa: isa as Isa };
    const newPlan = () => nm.plan({ weight, pattern, tokens: shape.tokens, threads, ...forced });
    // One copy more than just fills `coldBytes`: by its next turn each has been driven out of every cache.
    const copiesOf = (bytes: number) => (coldWeights ? Math.floor(coldBytes / bytes) + 1 : 1);
    const first = newPlan();
    const plans = [first, ...Array.from({ length: copiesOf(first.bytes) - 1 }, newPlan)];
    let turn = 0;
    // Both sides write into an array that is there already.
    const out = new Float32Array(shape.tokens * shape.out);
    const runOurs = async () => (await (plans[turn++ % plans.length] ?? first).run(input, { out })).data;
    const copies = copiesOf(denseBytes);
    const peer = await denseMatMul({ ...operands, threads, copies });

    return {
      kernel: first.kernel,
      peer: peer.name,
      flops: 2 * shape.tokens * shape.out * keptPerRow(shape.in, pattern),
      denseFlops: 2 * shape.tokens * shape.out * shape.in,
      // Activations are left out: where bytes decide, tokens are few and the weight is nearly all there is to read.
      bytes: first.bytes,
      denseBytes,
      runOurs,
      runPeer: peer.run,
      verify: async () => {
        const problems = [badWeight];
        for (let i = 0; i < plans.length; i++) problems.push(await outcome(first.kernel, runOurs, compare));
        for (let i = 0; i < copies; i++) problems.push(await outcome(peer.name, peer.run, compare));
        return problems.filter((problem) => problem !== undefined);
      },
    };
  };
}

/** A weight that was pruned to nothing would make every output right and every kernel fast. */
function keptCount(weight: Float32Array, shape: NmCase['shape'], pattern: string): string | undefined {
  let kept = 0;
  for (let i = 0; i < weight.length; i++) if (weight[i] !== 0) kept++;
  const wanted = shape.out * keptPerRow(shape.in, pattern);
  // Random weights may hold a zero or two of their own.
  if (Math.abs(kept - wanted) <= wanted * 1e-3) return undefined;
  return `pruning kept ${kept} of ${weight.length} weights, expected ${wanted}`;
}

/** The last group of a row may be shorter than M. */
function keptPerRow(inFeatures: number, pattern: string): number {
  const { n, m } = parsePattern(pattern) ?? { n: 1, m: 1 };
  return Math.floor(inFeatures / m) * n + Math.min(inFeatures % m, n);
}

async function outcome(
  side: string,
  run: () => Promise<Float32Array>,
  compare: (y: Float32Array) => string | undefined,
): Promise<string | undefined> {
  const y = await run();
  const problem = compare(y);
  y.fill(Number.NaN); // where a side writes into the same array again, its next run cannot pass with these results
  return problem && `${side}: ${problem}`;
}
