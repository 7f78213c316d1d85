/** Dense attention and three methods that choose their keys, on the same queries, keys and values. */
import { writeFileSync } from 'node:fs';
import { attention } from 'sparse-kernels';
import { drawMap } from './map.js';
import { type Projections, project } from './projections.js';

export interface Outcome {
  readonly method: string;
  /** Share of all scores that were computed. */
  readonly density: number;
  /** Share of the dense attention's mass on the chosen keys: mean over sampled queries, and the least. */
  readonly coveredMass: number;
  readonly leastCoveredMass: number;
  /** Of the output, |sparse - dense| / |dense|, over all heads; and of the head where it is greatest. */
  readonly error: number;
  readonly worstHeadError: number;
  readonly ms: number;
  /** How many times as fast as dense attention, the choice included. */
  readonly speedUp: number;
}

export interface Results {
  readonly tokens: number;
  readonly denseMs: number;
  readonly outcomes: readonly Outcome[];
}

const BLOCK = 64;

/** The encoder looks both ways, so nothing is causal. */
const rules = { causal: false } as const;

const methods: Record<string, attention.methods.PrefillMethod | attention.methods.Psa> = {
  'xattention, threshold 0.9': attention.methods.xattention({ ...rules, threshold: 0.9, block: BLOCK }),
  'spargeAttn, top-p 0.9': attention.methods.spargeAttn({ ...rules, topP: 0.9, similarity: 0.3, blockSize: [BLOCK, BLOCK] }),
  'psa, quotas 10, 20, 40, 80 %': attention.methods.psa({ quotas: [0.1, 0.2, 0.4, 0.8], queryBlock: BLOCK, keyBlock: BLOCK }),
};

/** Draws the map of `head` with the tiles of the first method to `file`. */
export async function experiment(tokens: number, head: number, file: string): Promise<Results> {
  const x = await project(tokens);
  const { q, k, v } = x;
  const size = { queryLength: x.tokens };
  using plan = attention.plan({ pattern: attention.patterns.dense(size), heads: q.dims[1] as number, headDim: q.dims[3] as number });
  await plan.run(q, k, v); // the first run wakes the threads
  const dense = await timed(() => plan.run(q, k, v));
  const outcomes: Outcome[] = [];
  for (const [method, chooser] of Object.entries(methods)) {
    const { result, ms } = await timed(() => chooser.prefill(q, k, v));
    const report = await result.report();
    const errors = headErrors(x, result, dense.result);
    outcomes.push({ method, ...report, ...errors, ms, speedUp: dense.ms / ms });
    if (outcomes.length === 1) writeFileSync(file, await drawMap(x, dense.result, result.pattern, head, BLOCK));
  }
  return { tokens: x.tokens, denseMs: dense.ms, outcomes };
}

async function timed<T>(run: () => Promise<T>): Promise<{ result: T; ms: number }> {
  const start = performance.now();
  const result = await run();
  return { result, ms: performance.now() - start };
}

function headErrors({ q }: Projections, sparse: attention.AttentionResult, dense: attention.AttentionResult) {
  const [, heads, tokens, dim] = q.dims as [number, number, number, number];
  const squares = Array.from({ length: heads }, (_, h) => {
    let [difference, whole] = [0, 0];
    for (let i = h * tokens * dim; i < (h + 1) * tokens * dim; i++) {
      difference += ((sparse.output.data[i] as number) - (dense.output.data[i] as number)) ** 2;
      whole += (dense.output.data[i] as number) ** 2;
    }
    return { difference, whole };
  });
  const sum = (key: 'difference' | 'whole') => squares.reduce((total, s) => total + s[key], 0);
  return {
    error: Math.sqrt(sum('difference') / sum('whole')),
    worstHeadError: Math.sqrt(Math.max(...squares.map((s) => s.difference / s.whole))),
  };
}
