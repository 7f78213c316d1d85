/** Queries, keys and values of a long text: the first attention layer of a pretrained sentence encoder, whose sinusoidal positions fit any length. */
import { attention, type Tensor } from 'sparse-kernels';
import { wholeBook } from '../sentence-encoder/corpus.js';
import { embed, layerNorm } from '../sentence-encoder/encoder.js';
import { loadEncoder } from '../sentence-encoder/model.js';
import { Tokenizer } from '../sentence-encoder/tokenizer.js';

export const HEADS = 4;

export interface Projections {
  /** Tokens that there are: fewer than wanted where the book ends. */
  readonly tokens: number;
  /** [1, HEADS, tokens, dim] each. */
  readonly q: Tensor;
  readonly k: Tensor;
  readonly v: Tensor;
}

/** Moby Dick, from its first sentence to `wanted` tokens. */
export async function project(wanted: number): Promise<Projections> {
  const model = await loadEncoder();
  const layer = model.linears.find(({ name }) => name === '0.qkv');
  if (layer === undefined) throw new Error('the model has no layer 0.qkv');
  // No token is longer than 16 characters on average, so this is text enough; the tokenizer's time grows with the length of the text.
  const ids = new Tokenizer(model.vocabulary).encode(wholeBook().slice(0, wanted * 16)).slice(0, wanted);
  const x = layerNorm(embed(model, [ids]), model.norms[0].attention);
  const { inFeatures, outFeatures, weight, bias } = layer;
  // A weight is [out, in]: its rows are "keys", and the scores are the product.
  const { data } = await attention.score(
    { data: x, dims: [1, 1, ids.length, inFeatures] },
    { data: weight, dims: [1, 1, outFeatures, inFeatures] },
    { scale: 1 },
  );
  const heads = (part: number) => splitHeads(data, bias, ids.length, part, outFeatures / 3);
  return { tokens: ids.length, q: heads(0), k: heads(1), v: heads(2) };
}

/** Columns [part x width, (part + 1) x width) of qkv [tokens, 3 width], plus bias, as heads of tokens. */
function splitHeads(qkv: Float32Array, bias: Float32Array, tokens: number, part: number, width: number): Tensor {
  const dim = width / HEADS;
  const data = Float32Array.from({ length: tokens * width }, (_, i) => {
    const [head, token, c] = [Math.floor(i / (tokens * dim)), Math.floor(i / dim) % tokens, i % dim];
    const column = part * width + head * dim + c;
    return (qkv[token * 3 * width + column] as number) + (bias[column] as number);
  });
  return { type: 'float32', data, dims: [1, HEADS, tokens, dim] };
}
