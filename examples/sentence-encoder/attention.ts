/** Softmax attention inside each sentence of a ragged batch. */

const HEADS = 4;

/** `qkv` is [tokens, 3 width], sentence after sentence, queries then keys then values; returns [tokens, width]. */
export function attention(qkv: Float32Array, lengths: readonly number[]): Float32Array {
  const tokens = lengths.reduce((a, b) => a + b, 0);
  const width = qkv.length / tokens / 3;
  const y = new Float32Array(tokens * width);
  let first = 0;
  for (const length of lengths) {
    for (let head = 0; head < HEADS; head++) attendHead(qkv, y, { first, length, width, head });
    first += length;
  }
  return y;
}

interface HeadOfSentence {
  readonly first: number; // row of the sentence's first token
  readonly length: number;
  readonly width: number;
  readonly head: number;
}

function attendHead(qkv: Float32Array, y: Float32Array, { first, length, width, head }: HeadOfSentence): void {
  const dim = width / HEADS;
  const scale = 1 / Math.sqrt(dim);
  const stride = 3 * width;
  const query = first * stride + head * dim;
  const key = query + width;
  const value = key + width;
  const weights = new Float64Array(length);
  for (let t = 0; t < length; t++) {
    let max = Number.NEGATIVE_INFINITY;
    for (let s = 0; s < length; s++) {
      let dot = 0;
      for (let k = 0; k < dim; k++) dot += (qkv[query + t * stride + k] as number) * (qkv[key + s * stride + k] as number);
      const score = dot * scale;
      weights[s] = score;
      max = Math.max(max, score);
    }
    let sum = 0;
    for (let s = 0; s < length; s++) sum += weights[s] = Math.exp((weights[s] as number) - max);
    const out = (first + t) * width + head * dim;
    for (let k = 0; k < dim; k++) {
      let mixed = 0;
      for (let s = 0; s < length; s++) mixed += (weights[s] as number) * (qkv[value + s * stride + k] as number);
      y[out + k] = mixed / sum;
    }
  }
}
