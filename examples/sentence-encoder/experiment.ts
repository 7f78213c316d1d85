/** Prunes the encoder, runs it on sparse plans and compares it with the dense networks. */

import { mean, min, sum } from 'simple-statistics';
import { cpu, getNumThreads, type nm } from 'sparse-kernels';
import { mobyDick } from './corpus.js';
import { denseLinear } from './dense.js';
import { encode } from './encoder.js';
import { loadEncoder } from './model.js';
import { createSessions, onnxLinear } from './onnxruntime.js';
import { cosine, type Embedding, maxError, nearest, sameNearest } from './similarity.js';
import { planLayers, pruneLayers, sparseLinear } from './sparse.js';
import { type LayerTiming, recording, timeLayers } from './timing.js';
import { Tokenizer } from './tokenizer.js';

export interface Options {
  readonly sentences: number;
  readonly pattern: nm.Pattern;
}

export interface Results {
  readonly pattern: string;
  readonly sentences: number;
  readonly tokens: number;
  readonly machine: { readonly cpu: string; readonly kernels: readonly string[]; readonly threads: number };
  /** largest difference of an embedding entry from the same pruned network run densely */
  readonly error: { readonly float64: number; readonly float64Sentences: number; readonly onnxruntime: number };
  /** what pruning costs: the sparse embeddings against those of the unpruned network */
  readonly quality: { readonly meanCosine: number; readonly minCosine: number; readonly sameNearest: number };
  readonly neighbours: readonly Neighbours[];
  readonly bytes: { readonly packed: number; readonly dense: number };
  readonly timings: readonly LayerTiming[];
}

export interface Neighbours {
  readonly query: string;
  readonly before: readonly string[];
  readonly after: readonly string[];
}

const QUERIES = ['The whale attacked the boat.', 'I could not sleep in that bed.'];
const NEIGHBOURS = 3;
const FLOAT64_SENTENCES = 12; // the plain reference takes about 0.3 s for each

export async function experiment({ sentences: count, pattern }: Options, step: (doing: string) => void): Promise<Results> {
  step('loading the encoder');
  const model = await loadEncoder();
  const tokenizer = new Tokenizer(model.vocabulary);
  const sentences = mobyDick(count);
  const ids = sentences.map((sentence) => tokenizer.encode(sentence));
  const queryIds = QUERIES.map((query) => tokenizer.encode(query));
  const tokens = sum(ids.map((sentence) => sentence.length));
  const threads = getNumThreads();

  step(`pruning ${model.linears.length} linear layers to ${pattern}`);
  const pruned = pruneLayers(model.linears, pattern);
  const plans = planLayers(pruned, pattern, tokens);
  try {
    step('running the pruned network on sparse plans');
    const sparse = recording(sparseLinear(plans));
    const after = await encode(model, ids, sparse.linear);
    const queriesAfter = await encode(model, queryIds, sparseLinear(plans));

    step('running the pruned network densely in float64');
    const someIds = ids.slice(0, FLOAT64_SENTENCES);
    const reference = await encode(model, someIds, denseLinear(pruned));

    step('running both networks densely on onnxruntime');
    const prunedSessions = await createSessions(pruned, threads);
    const prunedDense = await encode(model, ids, onnxLinear(pruned, prunedSessions));
    const unprunedLinear = onnxLinear(model.linears, await createSessions(model.linears, threads));
    const before = await encode(model, ids, unprunedLinear);
    const queriesBefore = await encode(model, queryIds, unprunedLinear);

    step('timing the linear layers');
    const timings = await timeLayers(plans, prunedSessions, sparse.inputs);

    const cosines = after.map((embedding, s) => cosine(embedding, before[s] as Embedding));
    const top = (query: Embedding, all: readonly Embedding[]) => nearest(query, all, NEIGHBOURS).map((index) => sentences[index] as string);
    return {
      pattern,
      sentences: count,
      tokens,
      machine: { cpu: cpu().model, kernels: [...new Set([...plans.values()].map((plan) => plan.kernel))], threads },
      error: {
        float64: maxError(after, reference),
        float64Sentences: someIds.length,
        onnxruntime: maxError(after, prunedDense),
      },
      quality: { meanCosine: mean(cosines), minCosine: min(cosines), sameNearest: sameNearest(before, after) },
      neighbours: QUERIES.map((query, q) => ({
        query,
        before: top(queriesBefore[q] as Embedding, before),
        after: top(queriesAfter[q] as Embedding, after),
      })),
      bytes: {
        packed: sum([...plans.values()].map((plan) => plan.bytes)),
        dense: sum(pruned.map(({ weight }) => weight.byteLength)),
      },
      timings,
    };
  } finally {
    for (const plan of plans.values()) plan.dispose();
  }
}
