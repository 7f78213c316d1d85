import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, it } from 'vitest';
import { denseLinear } from '../../examples/sentence-encoder/dense.js';
import { encode } from '../../examples/sentence-encoder/encoder.js';
import { experiment } from '../../examples/sentence-encoder/experiment.js';
import { type LinearLayer, loadEncoder, type SentenceEncoder } from '../../examples/sentence-encoder/model.js';
import { report } from '../../examples/sentence-encoder/report.js';
import { cosine, maxError } from '../../examples/sentence-encoder/similarity.js';
import { pruneLayers } from '../../examples/sentence-encoder/sparse.js';
import { Tokenizer } from '../../examples/sentence-encoder/tokenizer.js';

const BOUND = 1e-5;
const MINUTE = 60_000;
const main = fileURLToPath(new URL('../../examples/sentence-encoder/main.ts', import.meta.url));

let model: SentenceEncoder;
let tokenizer: Tokenizer;
beforeAll(async () => {
  model = await loadEncoder();
  tokenizer = new Tokenizer(model.vocabulary);
});

describe('tokenizer', () => {
  const pieces = (text: string) => tokenizer.encode(text).map((id) => model.vocabulary[id]?.[0]);

  it('finds the most probable pieces', () => {
    expect(tokenizer.encode('What can I do for you?')).toEqual([379, 42, 16, 64, 22, 19, 54]);
    expect(pieces('Call me Ishmael.')).toEqual(['▁Call', '▁me', '▁I', 'sh', 'ma', 'el', '.']);
  });

  it('normalises to NFKC', () => {
    expect(tokenizer.encode('c\u0327a')).toEqual(tokenizer.encode('ça'));
  });

  it('merges a run of unknown symbols', () => {
    expect(tokenizer.encode('a😹😹')).toEqual([...tokenizer.encode('a'), 0]);
  });

  it('gives no tokens for an empty text', () => {
    expect(tokenizer.encode('')).toEqual([]);
  });
});

describe('encoder', () => {
  it('gives the similarity that the published TensorFlow.js graph gives', async () => {
    const questions = ['How can I help you?', 'What can I do for you?'].map((text) => tokenizer.encode(text));
    const embeddings = await encode(model, questions, denseLinear(model.linears));
    const [a, b] = embeddings as [Float32Array, Float32Array];
    expect(Math.abs(cosine(a, b) - 0.781)).toBeLessThan(0.002);
  });

  it('embeds a sentence alike alone and in a batch', async () => {
    const short = tokenizer.encode('Call me Ishmael.');
    const long = tokenizer.encode('Some years ago, never mind how long precisely.');
    const linear = denseLinear(model.linears);
    const batch = await encode(model, [long, short], linear);
    expect(maxError(batch.slice(1), await encode(model, [short], linear))).toBe(0);
  });
});

describe('pruning', () => {
  it('keeps the two largest of every four weights of every layer', () => {
    const pruned = pruneLayers(model.linears, '2:4');
    expect(pruned.map(({ name }) => name)).toEqual(model.linears.map(({ name }) => name));
    pruned.forEach(({ weight }, i) => {
      expect(misprunedGroups(model.linears[i]?.weight as Float32Array, weight)).toBe(0);
    });
  });

  it('moves the embedding by more than the bound when one weight is in the wrong place', async () => {
    const pruned = pruneLayers(model.linears, '2:4');
    const ids = [tokenizer.encode('Call me Ishmael.')];
    const expected = await encode(model, ids, denseLinear(pruned));
    const actual = await encode(model, ids, denseLinear(pruned.map((layer) => swapOneWeight(layer, '0.ffn2'))));
    expect(maxError(actual, expected)).toBeGreaterThan(BOUND);
  });
});

describe('demo', () => {
  it('runs on sparse plans as exactly as densely', { timeout: MINUTE }, async () => {
    const steps: string[] = [];
    const results = await experiment({ sentences: 8, pattern: '2:4' }, (step) => steps.push(step));
    expect(results.error.float64).toBeLessThan(BOUND);
    expect(results.error.onnxruntime).toBeLessThan(BOUND);
    expect(results.error.float64Sentences).toBe(8);
    expect(results.quality.meanCosine).toBeGreaterThan(0.3);
    expect(results.quality.meanCosine).toBeLessThan(0.9);
    expect(results.bytes.packed / results.bytes.dense).toBeLessThan(0.65);
    expect(results.timings).toHaveLength(model.linears.length);
    expect(steps.length).toBeGreaterThan(3);
    expect(report(results, BOUND)).toContain('sentences/s sparse');
  });

  it('exits with an error when the bound is not met', { timeout: MINUTE }, async () => {
    await expect(run('--sentences', '2', '--bound', '0')).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringContaining('above the bound of 0'),
    });
  });

  it('prints its results as JSON', { timeout: MINUTE }, async () => {
    const { stdout, stderr } = await run('--sentences', '2', '--pattern', '4:8', '--json');
    expect(JSON.parse(stdout)).toMatchObject({ pattern: '4:8', sentences: 2, bound: BOUND });
    expect(stderr).toBe('');
  });

  it.each([
    ['--sentences', '0'],
    ['--pattern', '5:4'],
  ])('refuses %s %s', { timeout: MINUTE }, async (...options) => {
    await expect(run(...options)).rejects.toMatchObject({ code: 1 });
  });
});

function run(...options: string[]) {
  return promisify(execFile)(process.execPath, ['--import', 'tsx', main, ...options]);
}

/** Groups of four that hold another value than the original's, or not the two largest magnitudes. */
function misprunedGroups(original: Float32Array, pruned: Float32Array): number {
  let wrong = 0;
  for (let g = 0; g < original.length; g += 4) {
    const before = original.subarray(g, g + 4);
    const after = pruned.subarray(g, g + 4);
    const kept = after.filter((value) => value !== 0);
    const dropped = before.filter((_, i) => after[i] === 0);
    const copied = after.every((value, i) => value === 0 || value === before[i]);
    const largest = Math.min(...kept.map(Math.abs)) >= Math.max(...dropped.map(Math.abs));
    if (kept.length !== 2 || !copied || !largest) wrong++;
  }
  return wrong;
}

function swapOneWeight(layer: LinearLayer, name: LinearLayer['name']): LinearLayer {
  if (layer.name !== name) return layer;
  const weight = layer.weight.slice();
  const from = weight.findIndex((value) => value !== 0);
  const group = from - (from % 4);
  const to = group + weight.subarray(group, group + 4).indexOf(0);
  weight[to] = weight[from] as number;
  weight[from] = 0;
  return { ...layer, weight };
}
