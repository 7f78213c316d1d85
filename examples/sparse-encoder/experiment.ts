/** Prunes the encoder in several ways and measures what each costs in quality, and what each pattern gains in bytes and speed. */
import { mean, sampleCorrelation, sum } from 'simple-statistics';
import { cpu, getNumThreads, type nm, type prune } from 'sparse-kernels';
import { mobyDick } from '../sentence-encoder/corpus.js';
import { encode, type Linear } from '../sentence-encoder/encoder.js';
import { type LinearLayer, loadEncoder, type SentenceEncoder } from '../sentence-encoder/model.js';
import { createSessions, onnxLinear, type Sessions } from '../sentence-encoder/onnxruntime.js';
import { cosine, type Embedding, maxError, sameNearest } from '../sentence-encoder/similarity.js';
import { planLayers, sparseLinear } from '../sentence-encoder/sparse.js';
import { recording, timeLayers, timePairs } from '../sentence-encoder/timing.js';
import { Tokenizer } from '../sentence-encoder/tokenizer.js';
import type { Method } from './methods.js';
import { pruneNetwork } from './prune.js';

export interface Options {
  /** Sentences to evaluate on. */
  readonly sentences: number;
  /** Other sentences to calibrate on. */
  readonly calibration: number;
  /** N:M patterns, and `50%` for unstructured. */
  readonly patterns: readonly string[];
  readonly methods: readonly Method[];
}

/** One pattern, pruned by one method. */
export interface Quality {
  readonly pattern: string;
  readonly method: Method;
  /** of the embeddings with those of the dense network */
  readonly meanCosine: number;
  /** correlation of the similarities of all pairs of sentences, before and after */
  readonly correlation: number;
  /** share of the sentences that keep their nearest neighbour */
  readonly sameNearest: number;
  /** largest difference of an embedding entry from the same pruned network on onnxruntime */
  readonly error: number;
}

/** One pattern, whatever method found it. */
export interface Cost {
  readonly pattern: string;
  readonly bytes: number;
  /** through all linear layers, and dense ones on onnxruntime */
  readonly layers: TokensPerSecond;
  /** through the whole network, whose attention and norms are the same plain loops on both sides */
  readonly network: TokensPerSecond;
}

/** Timed in turns. */
export interface TokensPerSecond {
  readonly sparse: number;
  readonly dense: number;
}

export interface Results {
  readonly machine: { readonly cpu: string; readonly threads: number };
  readonly sentences: number;
  readonly tokens: number;
  readonly calibrationTokens: number;
  readonly denseBytes: number;
  readonly quality: readonly Quality[];
  readonly costs: readonly Cost[];
}

type Ids = readonly (readonly number[])[];

export async function experiment(options: Options, step: (doing: string) => void): Promise<Results> {
  step('loading the encoder');
  const model = await loadEncoder();
  const tokenizer = new Tokenizer(model.vocabulary);
  const { evaluation, calibration } = split(options, (sentence) => tokenizer.encode(sentence));
  const threads = getNumThreads();
  const denseSessions = await createSessions(model.linears, threads);
  const onnx = { sessions: denseSessions, linear: onnxLinear(model.linears, denseSessions) };
  const before = await encode(model, evaluation, onnx.linear);

  const quality: Quality[] = [];
  const costs: Cost[] = [];
  for (const pattern of options.patterns) {
    for (const method of options.methods) {
      step(`pruning to ${pattern} by ${method}`);
      const pruned = await pruneNetwork(model, calibration, method, scopeOf(pattern), threads);
      step(`evaluating ${pattern} by ${method}`);
      const timed = method === options.methods.at(-1); // speed depends on the pattern, not on the method
      const run = await runPruned(model, pruned, pattern, evaluation, timed ? onnx : undefined, threads);
      quality.push({ pattern, method, ...compare(before, run.embeddings), error: run.error });
      if (run.cost) costs.push({ pattern, ...run.cost });
    }
  }
  const count = (ids: Ids) => sum(ids.map((sentence) => sentence.length));
  return {
    machine: { cpu: cpu().model, threads },
    sentences: evaluation.length,
    tokens: count(evaluation),
    calibrationTokens: count(calibration),
    denseBytes: sum(model.linears.map(({ weight }) => weight.byteLength)),
    quality,
    costs,
  };
}

/** Every so many sentences are for calibration; both sets are spread over the book. */
function split({ sentences, calibration }: Options, encodeText: (sentence: string) => number[]): { evaluation: Ids; calibration: Ids } {
  const all = mobyDick(sentences + calibration).map(encodeText);
  const isCalibration = (i: number) => Math.floor(((i + 1) * calibration) / all.length) > Math.floor((i * calibration) / all.length);
  return { evaluation: all.filter((_, i) => !isCalibration(i)), calibration: all.filter((_, i) => isCalibration(i)) };
}

function scopeOf(pattern: string): prune.Scope {
  const percent = /^(\d+)%$/.exec(pattern)?.[1];
  return percent === undefined ? { scope: 'nm', pattern: pattern as nm.Pattern } : { scope: 'row', sparsity: Number(percent) / 100 };
}

interface Run {
  readonly embeddings: readonly Embedding[];
  readonly error: number;
  readonly cost: Omit<Cost, 'pattern'> | undefined;
}

/** The dense network on onnxruntime. */
interface Onnx {
  readonly sessions: Sessions;
  readonly linear: Linear;
}

const NETWORK_PAIRS = 3;

/** The pruned network end to end on sparse plans, checked against onnxruntime and, with the dense network there, timed. */
async function runPruned(
  model: SentenceEncoder,
  pruned: readonly LinearLayer[],
  pattern: string,
  ids: Ids,
  timeAgainst: Onnx | undefined,
  threads: number,
): Promise<Run> {
  const dense = await encode(model, ids, onnxLinear(pruned, await createSessions(pruned, threads)));
  const tokens = sum(ids.map((sentence) => sentence.length));
  const plans = planLayers(pruned, scopeOf(pattern).scope === 'nm' ? (pattern as nm.Pattern) : 'unstructured', tokens);
  try {
    const sparse = recording(sparseLinear(plans));
    const embeddings = await encode(model, ids, sparse.linear);
    const error = maxError(embeddings, dense);
    if (!timeAgainst) return { embeddings, error, cost: undefined };
    const timings = await timeLayers(plans, timeAgainst.sessions, sparse.inputs);
    const whole = (linear: Linear) => () => encode(model, ids, linear);
    const [sparseMs, denseMs] = await timePairs(whole(sparseLinear(plans)), whole(timeAgainst.linear), NETWORK_PAIRS);
    const perSecond = (ms: number) => (1000 * tokens) / ms;
    const cost = {
      bytes: sum([...plans.values()].map((plan) => plan.bytes)),
      layers: {
        sparse: perSecond(sum(timings.map((timing) => timing.sparseMs))),
        dense: perSecond(sum(timings.map((timing) => timing.denseMs))),
      },
      network: { sparse: perSecond(sparseMs), dense: perSecond(denseMs) },
    };
    return { embeddings, error, cost };
  } finally {
    for (const plan of plans.values()) plan.dispose();
  }
}

function compare(before: readonly Embedding[], after: readonly Embedding[]): Pick<Quality, 'meanCosine' | 'correlation' | 'sameNearest'> {
  const similarities = (all: readonly Embedding[]) => all.flatMap((a, i) => all.slice(0, i).map((b) => cosine(a, b)));
  return {
    meanCosine: mean(after.map((embedding, s) => cosine(embedding, before[s] as Embedding))),
    correlation: sampleCorrelation(similarities(before), similarities(after)),
    sameNearest: sameNearest(before, after),
  };
}
