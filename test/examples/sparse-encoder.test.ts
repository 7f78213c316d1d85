import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, it } from 'vitest';
import { mobyDick } from '../../examples/sentence-encoder/corpus.js';
import { denseLinear } from '../../examples/sentence-encoder/dense.js';
import { encode } from '../../examples/sentence-encoder/encoder.js';
import { type LinearLayer, loadEncoder, type SentenceEncoder } from '../../examples/sentence-encoder/model.js';
import { createSessions, onnxLinear } from '../../examples/sentence-encoder/onnxruntime.js';
import { recording } from '../../examples/sentence-encoder/timing.js';
import { Tokenizer } from '../../examples/sentence-encoder/tokenizer.js';
import { experiment } from '../../examples/sparse-encoder/experiment.js';
import { METHODS, pruneLayer } from '../../examples/sparse-encoder/methods.js';
import { report } from '../../examples/sparse-encoder/report.js';

const MINUTE = 60_000;
const main = fileURLToPath(new URL('../../examples/sparse-encoder/main.ts', import.meta.url));

describe('methods', () => {
  let model: SentenceEncoder;
  const inputs: Float32Array[] = [];
  beforeAll(async () => {
    model = await loadEncoder();
    const tokenizer = new Tokenizer(model.vocabulary);
    const sessions = await createSessions(model.linears, 1);
    const ids = mobyDick(18).map((sentence) => tokenizer.encode(sentence));
    for (const set of [ids.filter((_, i) => i % 3 > 0), ids.filter((_, i) => i % 3 === 0)]) {
      const recorded = recording(onnxLinear(model.linears, sessions));
      await encode(model, set, recorded.linear);
      inputs.push(recorded.inputs.get('0.ffn1') as Float32Array);
    }
  });

  it('repair a layer better the more they know of its inputs, on sentences that they have not seen', async () => {
    const layer = model.linears.find(({ name }) => name === '0.ffn1') as LinearLayer;
    const [calibration, unseen] = inputs as [Float32Array, Float32Array];
    const output = (weight: Float32Array) => denseLinear([{ ...layer, weight, activation: 'none' }])('0.ffn1', unseen);
    const want = await output(layer.weight);
    const errors: number[] = [];
    for (const method of METHODS) {
      const { weight } = pruneLayer(layer, calibration, method, { scope: 'nm', pattern: '2:4' });
      const y = await output(weight);
      errors.push(y.reduce((sum, value, i) => sum + (value - (want[i] as number)) ** 2, 0));
    }
    const [magnitude, wanda, sparsegpt] = errors as [number, number, number];
    expect(wanda).toBeLessThan(magnitude);
    expect(sparsegpt).toBeLessThan(0.8 * wanda);
  });
});

describe('experiment', () => {
  it('prunes, runs and compares', { timeout: 2 * MINUTE }, async () => {
    const steps: string[] = [];
    const options = { sentences: 8, calibration: 4, patterns: ['2:4', '50%'], methods: ['magnitude', 'wanda'] as const };
    const results = await experiment(options, (step) => steps.push(step));
    expect(results.sentences).toBe(8);
    expect(results.quality.map(({ pattern, method }) => `${pattern} ${method}`)).toEqual([
      '2:4 magnitude',
      '2:4 wanda',
      '50% magnitude',
      '50% wanda',
    ]);
    for (const { meanCosine, correlation, error } of results.quality) {
      expect(meanCosine).toBeGreaterThan(0.2);
      expect(meanCosine).toBeLessThan(0.99);
      expect(correlation).toBeGreaterThan(0);
      expect(error).toBeLessThan(1e-5);
    }
    const [nm, unstructured] = results.costs;
    expect((nm?.bytes as number) / results.denseBytes).toBeLessThan(0.65);
    for (const { layers, network } of results.costs) {
      for (const rate of [layers, network].flatMap(({ sparse, dense }) => [sparse, dense])) expect(rate).toBeGreaterThan(0);
    }
    expect((unstructured?.bytes as number) / results.denseBytes).toBeLessThan(1.1); // an index for each weight that stays
    expect(report(results)).toContain('the whole network');
    expect(steps.length).toBeGreaterThan(4);
  });
});

describe('command line', () => {
  it.each([
    ['--patterns', '5:4'],
    ['--methods', 'guess'],
  ])('refuses %s %s', { timeout: MINUTE }, async (...options) => {
    const run = promisify(execFile)(process.execPath, ['--import', 'tsx', main, '--sentences', '2', '--calibration', '2', ...options]);
    await expect(run).rejects.toMatchObject({ code: 1 });
  });
});
