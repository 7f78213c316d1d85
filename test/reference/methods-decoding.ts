/** Direct transcriptions of how methods for decoding choose keys for one query, the last of its input. */
import { dot, type Input, kvHead, sum, top, vector } from './methods.js';

/** The nearest bfloat16 that is not above x (toward -1) or not below (toward 1). */
export function roundToward(x: number, toward: -1 | 1): number {
  if (x === 0) return 0;
  const unit = 2 ** (Math.floor(Math.log2(Math.abs(x))) - 7);
  return (toward < 0 ? Math.floor(x / unit) : Math.ceil(x / unit)) * unit;
}

/** Quest: the best pages of one query by the bound of their scores; the last page always. `round`: bounds of channels in bfloat16. */
export function questPages(input: Input, h: number, page: number, pages: number, round = false): number[] {
  const { keys, dim } = input;
  const q = vector(input.q, h, dim);
  const bounds = Array.from({ length: Math.ceil(keys / page) }, (_, p) => {
    const rows = Array.from({ length: Math.min(page, keys - p * page) }, (_, t) =>
      vector(input.k, kvHead(input, h) * keys + p * page + t, dim),
    );
    return sum(
      q.map((x, c) => {
        const channel = rows.map((row) => row[c] as number);
        const [least, greatest] = [Math.min(...channel), Math.max(...channel)];
        return round ? Math.max(x * roundToward(least, -1), x * roundToward(greatest, 1)) : Math.max(x * least, x * greatest);
      }),
    );
  });
  bounds[bounds.length - 1] = Number.POSITIVE_INFINITY;
  return top(bounds, pages).sort((a, b) => a - b);
}

/** Kinetics: the best blocks of one group by its mean score; sink and local blocks always. */
export function groupBlocks(input: Input, group: number, block: number, n: number, sink: number, local: number): number[] {
  const { keys, dim, heads, kvHeads } = input;
  const size = heads / kvHeads;
  const scores = Array.from({ length: Math.ceil(keys / block) }, (_, b) => {
    const tokens = Array.from({ length: Math.min(block, keys - b * block) }, (_, t) => b * block + t);
    const products = tokens.flatMap((t) =>
      Array.from({ length: size }, (_, g) => dot(vector(input.q, group * size + g, dim), vector(input.k, group * keys + t, dim))),
    );
    const forced = b * block < sink || tokens.some((t) => t >= keys - local);
    return forced ? Number.POSITIVE_INFINITY : sum(products) / products.length;
  });
  return top(scores, n).sort((a, b) => a - b);
}

/** The best tokens of one query by some channels of q k. */
export function tokensByChannels(input: Input, h: number, channels: readonly number[], n: number): number[] {
  const { keys, dim } = input;
  const pick = (x: number[]) => channels.map((c) => x[c] as number);
  const q = pick(vector(input.q, h, dim));
  const scores = Array.from({ length: keys }, (_, j) => dot(q, pick(vector(input.k, kvHead(input, h) * keys + j, dim))));
  return top(scores, n).sort((a, b) => a - b);
}

/** Double Sparsity: the channels with the greatest mean |q_c k_c| over all pairs. */
export function heaviestChannels(input: Input, group: number, n: number): number[] {
  const { queries, keys, dim, heads, kvHeads } = input;
  const size = heads / kvHeads;
  const means = Array.from({ length: dim }, (_, c) => {
    let total = 0;
    for (let g = 0; g < size; g++)
      for (let i = 0; i < queries; i++)
        for (let j = 0; j < keys; j++)
          total += Math.abs(
            (input.q[((group * size + g) * queries + i) * dim + c] as number) * (input.k[(group * keys + j) * dim + c] as number),
          );
    return total;
  });
  return top(means, n).sort((a, b) => a - b);
}
