/** The results as tables. */
import Table from 'cli-table3';
import type { Results, TokensPerSecond } from './experiment.js';

const style = { head: [], border: [] }; // no colours: the report may be piped into a file

export function report(results: Results): string {
  const { machine, sentences, tokens, calibrationTokens } = results;
  const heading = [
    'Universal Sentence Encoder Lite, all ten linear layers pruned in one shot',
    `calibrated on ${calibrationTokens} tokens of Moby Dick, evaluated on ${sentences} other sentences (${tokens} tokens)`,
    `${machine.cpu}, ${machine.threads} threads`,
  ].join('\n');
  return [heading, qualityTable(results), costTable(results)].join('\n\n');
}

function qualityTable({ quality }: Results): string {
  const table = new Table({
    head: ['pattern', 'method', 'cosine', 'similarity correlation', 'same nearest', 'error against onnxruntime'],
    colAligns: ['left', 'left', 'right', 'right', 'right', 'right'],
    style,
  });
  for (const { pattern, method, meanCosine, correlation, sameNearest, error } of quality) {
    table.push([pattern, method, meanCosine.toFixed(3), correlation.toFixed(3), percent(sameNearest), error.toExponential(1)]);
  }
  return `Quality, against the embeddings of the dense network:\n${table}`;
}

function costTable({ costs, denseBytes }: Results): string {
  const table = new Table({
    head: ['pattern', 'bytes', 'of dense', 'tokens/s of', 'sparse', 'dense', 'speedup'],
    colAligns: ['left', 'right', 'right', 'left', 'right', 'right', 'right'],
    style,
  });
  const rate = ({ sparse, dense }: TokensPerSecond) => [whole(sparse), whole(dense), (sparse / dense).toFixed(2)];
  for (const { pattern, bytes, layers, network } of costs) {
    table.push([pattern, whole(bytes), percent(bytes / denseBytes), 'its linear layers', ...rate(layers)]);
    table.push(['', '', '', 'the whole network', ...rate(network)]);
  }
  return `Bytes and speed; dense is MatMul on onnxruntime in every linear layer, timed in turns:\n${table}`;
}

function whole(n: number): string {
  return Math.round(n).toLocaleString('en');
}

function percent(share: number): string {
  return `${(100 * share).toFixed(0)}%`;
}
