/** The results in words and tables. */
import Table from 'cli-table3';
import { sum } from 'simple-statistics';
import type { Neighbours, Results } from './experiment.js';
import type { LayerTiming } from './timing.js';

export function report(results: Results, bound: number): string {
  return [
    heading(results),
    exactness(results, bound),
    quality(results),
    ...results.neighbours.map((neighbours) => neighbourTable(neighbours)),
    memory(results),
    speedTable(results.timings),
    speed(results),
  ].join('\n\n');
}

function heading({ pattern, sentences, tokens, machine }: Results): string {
  return [
    `Universal Sentence Encoder Lite, every linear layer pruned to ${pattern}`,
    `${sentences} sentences of Moby Dick, ${tokens} tokens`,
    `${machine.cpu}, ${machine.threads} threads, ${machine.kernels.join(', ')}`,
  ].join('\n');
}

function exactness({ error }: Results, bound: number): string {
  return [
    `Largest error of an embedding entry against the same pruned network run densely (bound ${bound}):`,
    `  ${error.float64.toExponential(1)}  float64 reference in TypeScript, ${error.float64Sentences} sentences`,
    `  ${error.onnxruntime.toExponential(1)}  onnxruntime float32, all sentences`,
  ].join('\n');
}

function quality({ quality, pattern }: Results): string {
  return [
    `Pruning itself is not free: magnitude pruning to ${pattern} in one shot, without retraining, leaves a mean cosine of`,
    `${quality.meanCosine.toFixed(3)} to the embeddings of the unpruned network (worst ${quality.minCosine.toFixed(3)}); ` +
      `${percent(quality.sameNearest)} of the sentences keep their nearest neighbour.`,
  ].join('\n');
}

function neighbourTable({ query, before, after }: Neighbours): string {
  const table = new Table({
    head: ['', 'before pruning', 'after pruning'],
    colWidths: [4, 56, 56],
    wordWrap: true,
    style,
  });
  before.forEach((sentence, i) => {
    table.push([i + 1, sentence, after[i] ?? '']);
  });
  return `Nearest to "${query}"\n${table}`;
}

function memory({ bytes }: Results): string {
  const megabytes = (n: number) => `${(n / 1e6).toFixed(2)} MB`;
  return `Linear weights: ${megabytes(bytes.packed)} packed, ${megabytes(bytes.dense)} dense (${percent(bytes.packed / bytes.dense)})`;
}

function speedTable(timings: readonly LayerTiming[]): string {
  const table = new Table({
    head: ['layer', 'rows', 'in', 'out', 'sparse ms', 'onnxruntime ms', 'speedup'],
    colAligns: ['left', 'right', 'right', 'right', 'right', 'right', 'right'],
    style,
  });
  for (const { layer, rows, inFeatures, outFeatures, sparseMs, denseMs } of timings) {
    const times = [sparseMs.toFixed(1), denseMs.toFixed(1), (denseMs / sparseMs).toFixed(2)];
    table.push([layer, rows, inFeatures, outFeatures, ...times]);
  }
  return table.toString();
}

function speed({ sentences, timings, machine }: Results): string {
  const sparseMs = sum(timings.map((timing) => timing.sparseMs));
  const denseMs = sum(timings.map((timing) => timing.denseMs));
  const perSecond = (ms: number) => `${Math.round((1000 * sentences) / ms)} sentences/s`;
  return (
    `Linear layers alone: ${perSecond(sparseMs)} sparse, ${perSecond(denseMs)} dense MatMul on onnxruntime ` +
    `(${(denseMs / sparseMs).toFixed(2)}x; medians of interleaved pairs, ${machine.threads} threads each)`
  );
}

const style = { head: [], border: [] }; // no colours: the report may be piped into a file

function percent(share: number): string {
  return `${(100 * share).toFixed(0)}%`;
}
