import { type Isa, nm, prune, type Tensor } from 'sparse-kernels';
import { type NmCase, nmCase, nmCases, type ParsedPattern, parsePattern, parseTop } from '../cases/nm.js';
import { matMulNBits } from '../competitors/matmul-nbits.js';
import { denseMatMul, dynamicQuantizeMatMul } from '../competitors/onnxruntime.js';
import { FOUR_BIT_GROUP, fourBits } from '../four-bits.js';
import { productOracle } from '../oracle.js';
import { normals, randomSource } from '../random.js';
import { sevenBits } from '../seven-bits.js';
import type { Suite, Workload } from '../suite.js';
import { khotLayer } from './khot.js';

/** N:M pruned linear layers against dense ones. */
export const nmSuite: Suite<NmCase> = {
  name: 'nm',
  cases: nmCases,
  shapeKeys: ['tokens', 'in', 'out'],
  patternHint:
    "'N:M' with M in 4, 8, 16, 32 and 0 < N < M, 'V:N:M' with V in 4, 8, 16, 'P%' of the weights kept at any place, '16:P%' in groups, or 'topK' inputs of x",
  isPattern: (text) => parsePattern(text) !== undefined || parseTop(text) !== undefined,
  caseOf: ({ tokens = 0, in: inFeatures = 0, out = 0 }, pattern) => nmCase({ tokens, in: inFeatures, out }, pattern),
  prepare,
};

function prepare(benchCase: NmCase): Workload {
  const { shape, pattern: text, dtype, coldWeights, call } = benchCase;
  const top = parseTop(text);
  if (top !== undefined) return khotLayer(benchCase, top);
  const parsed = parsePattern(text);
  if (!parsed) throw new RangeError(`unknown pattern '${text}'`);
  const unpruned = { type: 'float32', data: normals(shape.out * shape.in, 1), dims: [shape.out, shape.in] } as const;
  const sparsity = sparsityOf(parsed);
  const pruned = pruneTo(unpruned, parsed);
  const four = dtype === 'int4' || dtype === 'w4a8' ? fourBits(pruned.data, shape.out, shape.in) : undefined;
  // Both sides compute with the weight as it is after rounding to dtype.
  const stored = storedWeight(pruned, shape, dtype, parsed, four);
  const weight = dtype === 'float32' ? pruned : nm.plan({ ...stored, ...sparsity }).toDense();
  const input = { type: 'float32', data: normals(shape.tokens * shape.in, 2), dims: [shape.tokens, shape.in] };
  const operands = { ...shape, x: input.data, weight: weight.data };
  const badWeight = keptCount(four ? pruned.data : weight.data, shape, parsed); // 4 bits round many to 0
  // Half a step of the larger range; onnxruntime's steps are 2/255 of the largest magnitude, ours 1/127.
  const xError = input.data.reduce((most, v) => Math.max(most, Math.abs(v)), 0) / 254;
  const compare = productOracle({ ...operands, ...((dtype === 'w8a8' || dtype === 'w4a8') && { xError }) });
  // Where it is faster so, MatMulNBits quantises x.
  const comparePeer = four ? productOracle({ ...operands, xError }) : compare;
  const denseBytes = four ? weight.data.length * (4 / 8 + 4 / FOUR_BIT_GROUP) : weight.data.byteLength;

  return async ({ threads, isa, coldBytes }) => {
    const forced = isa === undefined ? {} : { isa: isa as Isa };
    const newPlan = () => nm.plan({ ...stored, ...sparsity, tokens: shape.tokens, threads, ...forced });
    // One copy more than just fills `coldBytes`: by its next turn each has been driven out of every cache.
    const copiesOf = (bytes: number) => (coldWeights ? Math.floor(coldBytes / bytes) + 1 : 1);
    const first = newPlan();
    const plans = [first, ...Array.from({ length: copiesOf(first.bytes) - 1 }, newPlan)];
    let turn = 0;
    // Both sides write into an array that is there already.
    const out = new Float32Array(shape.tokens * shape.out);
    const runOurs = async () => (await (plans[turn++ % plans.length] ?? first)[call](input, { out })).data;
    const copies = copiesOf(denseBytes);
    const layer = { ...operands, threads, copies };
    const peer = four ? await matMulNBits({ ...layer, ...four }) : await (dtype === 'w8a8' ? dynamicQuantizeMatMul : denseMatMul)(layer);

    return {
      kernel: first.kernel,
      peer: peer.name,
      flops: 2 * shape.tokens * shape.out * keptPerRow(shape.in, parsed),
      denseFlops: 2 * shape.tokens * shape.out * shape.in,
      // Activations are left out: where bytes decide, tokens are few and the weight is nearly all there is to read.
      bytes: first.bytes,
      denseBytes,
      runOurs,
      runPeer: peer.run,
      verify: async () => {
        const problems = [badWeight];
        for (let i = 0; i < plans.length; i++) problems.push(await outcome(first.kernel, runOurs, compare));
        for (let i = 0; i < copies; i++) problems.push(await outcome(peer.name, peer.run, comparePeer));
        return problems.filter((problem) => problem !== undefined);
      },
    };
  };
}

/** The weight as a plan takes it. */
function storedWeight(
  pruned: Tensor,
  { out, in: inputs }: NmCase['shape'],
  dtype: NmCase['dtype'],
  pattern: ParsedPattern,
  four?: ReturnType<typeof fourBits>,
): Pick<nm.PlanOptions, 'weight' | 'dtype' | 'scale' | 'activations' | 'groupSize'> {
  if (dtype === 'w8a8') {
    const { steps, scale } = sevenBits(pruned.data, out, inputs);
    return { weight: { data: steps, dims: pruned.dims }, scale, activations: 'int8' };
  }
  if (dtype !== 'int4' && dtype !== 'w4a8') return { weight: pruned, dtype };
  const { steps, scale } = four as ReturnType<typeof fourBits>;
  const weight = { data: steps, dims: pruned.dims };
  const layer = { weight, dtype: 'int4', activations: dtype === 'w4a8' ? 'int8' : 'float' } as const;
  if (!('kept' in pattern)) return { ...layer, scale, groupSize: FOUR_BIT_GROUP };
  // Groups of 16 have scales of their own: the same two by two, so that the peer has the same weight.
  return { ...layer, scale: Float32Array.from({ length: 2 * scale.length }, (_, i) => scale[i >> 1] as number), groupSize: 16 };
}

/** A weight that was pruned to nothing would make every output right and every kernel fast. */
function keptCount(weight: Float32Array, shape: NmCase['shape'], pattern: ParsedPattern): string | undefined {
  let kept = 0;
  for (let i = 0; i < weight.length; i++) if (weight[i] !== 0) kept++;
  const wanted = shape.out * keptPerRow(shape.in, pattern);
  // Random weights may hold some zeros of their own, more so where int8 rounds them; and a share that is kept at random varies.
  if (Math.abs(kept - wanted) <= wanted * 1e-2) return undefined;
  return `pruning kept ${kept} of ${weight.length} weights, expected ${wanted}`;
}

function sparsityOf(parsed: ParsedPattern): Pick<nm.PlanOptions, 'pattern' | 'rows' | 'block'> {
  if (!('kept' in parsed)) return { pattern: `${parsed.n}:${parsed.m}`, rows: parsed.rows };
  return parsed.group > 1 ? { pattern: 'block', block: [1, parsed.group] } : { pattern: 'unstructured' };
}

function pruneTo(weight: Tensor, parsed: ParsedPattern): Tensor {
  if ('kept' in parsed) return keepSome(weight, parsed);
  const pattern: nm.Pattern = `${parsed.n}:${parsed.m}`;
  if (parsed.rows === 1) return nm.prune(weight, { pattern });
  return prune.magnitude(weight, { scope: 'nm', pattern, rows: parsed.rows }).weight;
}

/** Each weight, or group of weights, stays or goes by chance. */
function keepSome(weight: Tensor, { kept, group }: { kept: number; group: number }): Tensor {
  const next = randomSource(3);
  const limit = kept * 2 ** 32;
  let stays = true;
  const keep = (w: number, i: number) => {
    if (i % group === 0) stays = next() < limit;
    return stays ? w : 0;
  };
  return { type: 'float32', data: weight.data.map(keep), dims: weight.dims };
}

/** The last group of a row may be shorter than M. */
function keptPerRow(inFeatures: number, pattern: ParsedPattern): number {
  if ('kept' in pattern) return inFeatures * pattern.kept;
  const { n, m } = pattern;
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
