/**
 * Forward pass of the sentence encoder with the linear layers injected, so that sparse plans, a dense reference and
 * onnxruntime run the very same network. All tokens of all sentences form one [tokens, features] matrix; only
 * attention and pooling look at one sentence at a time.
 */
import { attention } from './attention.js';
import type { LayerName, LayerNorm, SentenceEncoder } from './model.js';

/** y = activation(x Wᵀ + b) of the named layer, for x [rows, inFeatures]. */
export type Linear = (layer: LayerName, x: Float32Array) => Promise<Float32Array>;

const MAX_TOKENS = 128; // the graph clips longer sentences
const NORM_EPSILON = 1e-6;

/** Returns one L2-normalised embedding for each sentence (token ids from the tokenizer). */
export async function encode(model: SentenceEncoder, sentences: readonly (readonly number[])[], linear: Linear): Promise<Float32Array[]> {
  const clipped = sentences.map((ids) => ids.slice(0, MAX_TOKENS));
  const lengths = clipped.map((ids) => ids.length);

  let x = embed(model, clipped);
  for (const i of [0, 1] as const) {
    const norms = model.norms[i];
    const qkv = await linear(`${i}.qkv`, layerNorm(x, norms.attention));
    const mixed = await linear(`${i}.proj`, attention(qkv, lengths));
    // Layer 0 widens 256 features to 512, so its skip connection is a linear layer too.
    const skip = i === 0 ? await linear('0.residual', x) : x;
    const h = add(skip, mixed);
    const hidden = await linear(`${i}.ffn1`, layerNorm(h, norms.ffn));
    x = add(h, await linear(`${i}.ffn2`, hidden));
  }

  const pooled = meanPool(x, lengths);
  const head = await linear('head', pooled);
  const width = head.length / lengths.length;
  return lengths.map((_, s) => normalize(head.slice(s * width, (s + 1) * width).map(Math.tanh)));
}

/** Twice the piece embedding plus sinusoidal positions: the graph adds the embedding before and after the positions. */
export function embed({ embedding, frequencies }: SentenceEncoder, sentences: readonly (readonly number[])[]): Float32Array {
  const half = frequencies.length;
  const width = 2 * half;
  const x = new Float32Array(sentences.reduce((sum, ids) => sum + ids.length, 0) * width);
  let row = 0;
  for (const ids of sentences) {
    ids.forEach((id, position) => {
      for (let k = 0; k < half; k++) {
        const angle = position * (frequencies[k] as number);
        x[row + k] = 2 * (embedding[id * width + k] as number) + Math.sin(angle);
        x[row + half + k] = 2 * (embedding[id * width + half + k] as number) + Math.cos(angle);
      }
      row += width;
    });
  }
  return x;
}

export function layerNorm(x: Float32Array, { scale, bias }: LayerNorm): Float32Array {
  const width = scale.length;
  const y = new Float32Array(x.length);
  for (let row = 0; row < x.length; row += width) {
    let mean = 0;
    for (let k = 0; k < width; k++) mean += x[row + k] as number;
    mean /= width;
    let variance = 0;
    for (let k = 0; k < width; k++) variance += ((x[row + k] as number) - mean) ** 2;
    const inverse = 1 / Math.sqrt(variance / width + NORM_EPSILON);
    for (let k = 0; k < width; k++) {
      const centred = (x[row + k] as number) - mean;
      y[row + k] = centred * inverse * (scale[k] as number) + (bias[k] as number);
    }
  }
  return y;
}

function add(a: Float32Array, b: Float32Array): Float32Array {
  return a.map((value, i) => value + (b[i] as number));
}

function meanPool(x: Float32Array, lengths: readonly number[]): Float32Array {
  const width = x.length / lengths.reduce((a, b) => a + b, 0);
  const pooled = new Float32Array(lengths.length * width);
  let row = 0;
  lengths.forEach((length, s) => {
    for (let k = 0; k < width; k++) {
      let sum = 0;
      for (let t = 0; t < length; t++) sum += x[row + t * width + k] as number;
      pooled[s * width + k] = sum / length;
    }
    row += length * width;
  });
  return pooled;
}

function normalize(v: Float32Array): Float32Array {
  const norm = Math.hypot(...v);
  return v.map((value) => value / norm);
}
