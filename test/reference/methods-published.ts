/** Direct transcriptions of further methods, in float64 from full maps. Heads of one batch entry; q, k and v [heads, tokens, dim]. */
import { cumulative, dot, type Input, kvHead, lineSums, means, rowsOf } from './methods.js';
import { logSumExp, scoreMap, softmax, tiles } from './score.js';
import { ranking } from './select.js';

const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);
const range = (n: number) => Array.from({ length: n }, (_, i) => i);
const top = (values: readonly number[], n: number) => ranking((i) => values[i] as number, values.length).slice(0, n);
const shift = (x: Input) => x.keys - x.queries;
const lastPosition = (x: Input, block: number, i: number) => Math.min((i + 1) * block, x.queries) - 1 + shift(x);

/** Dense scores of head h. */
export const logits = (x: Input, h: number, causal: boolean) =>
  scoreMap(x.q, x.k, x, 0, h, 1 / Math.sqrt(x.dim), (i) => (causal ? i + 1 + shift(x) : x.keys));

/** Attention to anything: weights exp(logit). */
export function mixture(entries: readonly { logit: number; value: readonly number[] }[], dim: number): number[] {
  const total = logSumExp(entries.map((e) => e.logit));
  return range(dim).map((c) => sum(entries.map((e) => Math.exp(e.logit - total) * (e.value[c] as number))));
}

/** PBS-Attn: whether query i of head h sees key j. */
export function pbsSees(x: Input, block: number, segment: number, threshold: number): (h: number, i: number, j: number) => boolean {
  const group = x.heads / x.kvHeads;
  const orders = range(x.kvHeads).map((g) => {
    const lines = range(group).map((h) => lineSums(x, g * group + h, Math.min(block, x.queries), 1 / Math.sqrt(x.dim)).vertical);
    const importance = range(x.keys).map((j) => sum(lines.map((line) => line[j] as number)));
    return range(Math.ceil(x.keys / segment)).flatMap((n) =>
      range(Math.min(segment, x.keys - n * segment))
        .map((t) => n * segment + t)
        .sort((a, b) => (importance[b] as number) - (importance[a] as number) || a - b),
    );
  });
  const listed = range(x.heads).map((h) => {
    const order = orders[kvHead(x, h)] as number[];
    const rows = rowsOf(x.k, kvHead(x, h), x.keys, x.dim);
    const permuted = order.flatMap((j) => rows[j] as number[]);
    const k = means(permuted, 0, x.keys, x.dim, block);
    return means(x.q, h, x.queries, x.dim, block).map((q, i) => {
      const own = Math.floor((i * block + shift(x)) / segment);
      const end = Math.floor(lastPosition(x, block, i) / segment);
      const earlier = k.slice(0, (own * segment) / block).map((b) => dot(q, b) / Math.sqrt(x.dim));
      const prefix = cumulative(earlier.length === 0 ? [] : softmax(earlier));
      const crossing = prefix.findIndex(([, total]) => total >= threshold);
      const blocks = new Set(prefix.slice(0, crossing + 1).map(([b]) => b));
      blocks.add(Math.floor(order.indexOf(0) / block));
      for (let b = (own * segment) / block; b < ((end + 1) * segment) / block; b++) blocks.add(b);
      return blocks;
    });
  });
  return (h, i, j) =>
    j <= i + shift(x) &&
    (listed[h]?.[Math.floor(i / block)]?.has(Math.floor((orders[kvHead(x, h)] as number[]).indexOf(j) / block)) ?? false);
}

/** ProxyAttn: blocks of head h. */
export function proxyBlocks(x: Input, h: number, proxies: number, block: number, threshold: number): boolean[][] {
  const group = x.heads / proxies;
  const proxy = Math.floor(h / group);
  const members = range(group).map((n) => proxy * group + n);
  const mean = (rows: number[][][]) =>
    (rows[0] as number[][]).map((row, t) => row.map((_, c) => sum(rows.map((r) => r[t]?.[c] as number)) / rows.length));
  const q = mean(members.map((m) => rowsOf(x.q, m, x.queries, x.dim)));
  const k = mean(members.map((m) => rowsOf(x.k, kvHead(x, m), x.keys, x.dim)));
  const map = q.map((a, i) => k.map((b, j) => (j <= i + shift(x) ? dot(a, b) : Number.NEGATIVE_INFINITY)));
  const scores = tiles(map, [block, block], (values) => Math.max(...values));
  const own = logits(x, h, true).slice(-block).map(softmax);
  const mass = tiles(own, [block, block], sum)[0] as number[];
  const needed = 1 + cumulative(mass).filter(([, total]) => total < threshold * sum(mass)).length;
  return scores.map((row, i) => {
    const limit = Math.floor(lastPosition(x, block, i) / block) + 1;
    const budget = Math.ceil((needed / mass.length) * limit);
    const forced = new Set([0, limit - 1]);
    for (const j of ranking((n) => row[n] as number, limit)) if (forced.size < budget) forced.add(j);
    return row.map((_, j) => forced.has(j));
  });
}

/** DHSA: tokens of each block of 64 queries. */
export function dhsaTokens(x: Input, boundaries: readonly number[], budget: number, recent: number, global: number): Set<number>[] {
  const chunk = (rows: number[][], first: number, end: number) =>
    range(x.dim).map((c) => sum(rows.slice(first, end).map((row) => row[c] as number)) / Math.sqrt(Math.min(end, rows.length) - first));
  return range(Math.ceil(x.queries / 64)).map((i) => {
    const scores = new Array<number>(x.keys).fill(0);
    for (let h = 0; h < x.heads; h++) {
      const q = chunk(rowsOf(x.q, h, x.queries, x.dim), i * 64, (i + 1) * 64);
      for (let c = 0; c + 1 < boundaries.length; c++) {
        const [first, end] = [boundaries[c] as number, boundaries[c + 1] as number];
        const k = chunk(rowsOf(x.k, kvHead(x, h), x.keys, x.dim), first, end);
        for (let j = first; j < end; j++) scores[j] = (scores[j] as number) + dot(q, k) / x.heads;
      }
    }
    const limit = lastPosition(x, 64, i) + 1;
    if ((i + 1) * 64 > x.queries - 64) return new Set(range(limit));
    const tokens = new Set(range(limit).filter((j) => j < global || j >= limit - recent - 63));
    for (const j of ranking((n) => scores[n] as number, limit)) if (tokens.size < budget) tokens.add(j);
    return tokens;
  });
}

/** SpargeAttn: blocks of head h. */
export function spargeBlocks(
  x: Input,
  h: number,
  bq: number,
  bk: number,
  similarity: number,
  choose: (row: number[]) => number[],
): boolean[][] {
  const alike = (rows: number[][], block: number) =>
    range(Math.ceil(rows.length / block)).map((b) => {
      const own = rows.slice(b * block, (b + 1) * block).map((row) => row.map((v) => v / Math.sqrt(dot(row, row))));
      return sum(own.flatMap((a) => own.map((c) => dot(a, c)))) / own.length ** 2 > similarity;
    });
  const qAlike = alike(rowsOf(x.q, h, x.queries, x.dim), bq);
  const kAlike = alike(rowsOf(x.k, kvHead(x, h), x.keys, x.dim), bk);
  const k = means(x.k, kvHead(x, h), x.keys, x.dim, bk);
  return means(x.q, h, x.queries, x.dim, bq).map((q, i) => {
    const limit = Math.floor(lastPosition(x, bq, i) / bk) + 1;
    const row = softmax(k.map((b, j) => (j < limit && kAlike[j] ? dot(q, b) / Math.sqrt(x.dim) : Number.NEGATIVE_INFINITY)));
    const chosen = new Set(choose(row.slice(0, limit)));
    return k.map((_, j) => j < limit && (chosen.has(j) || !qAlike[i] || !kAlike[j]));
  });
}

/** Longest prefix that does not exceed p, at least one. */
export const notExceeding = (p: number) => (row: number[]) => {
  const prefix = cumulative(row);
  return prefix.slice(0, Math.max(1, prefix.filter(([, total]) => total <= p).length)).map(([j]) => j);
};

/** Levels of PSA by rank: [query block][key block] -> 1, 2, 4, 8, or 0. */
export function psaLevels(
  x: Input,
  h: number,
  bq: number,
  bk: number,
  { quotas, energies }: { quotas?: readonly number[]; energies?: readonly number[] },
): number[][] {
  const map = logits(x, h, false);
  const sampled = map.filter((_, i) => i % 4 === 0).map((row) => row.filter((_, j) => j % 4 === 0));
  const relative = sampled.map((row) => row.map((value) => Math.exp(value - Math.max(...row))));
  return tiles(relative, [bq / 4, bk / 4], (values) => Math.max(...values)).map((row) => {
    const ranks = top(row, row.length);
    const all = row.reduce((a, b) => a + b, 0);
    const through = ranks.map((_, place) => ranks.slice(0, place + 1).reduce((sum, j) => sum + (row[j] as number), 0) / all);
    const ends = energies
      ? energies.map((share) => Math.max(1 + through.filter((c) => c <= share + 1e-6).length, Math.floor(0.06 * row.length) + 1))
      : quotas?.map((quota) => Math.ceil(quota * row.length - 1e-9));
    return row.map((_, j) => {
      const level = ends?.findIndex((end) => ranks.indexOf(j) < end) ?? -1;
      return level < 0 ? 0 : 2 ** level;
    });
  });
}

/** LLSA: coarse blocks of each coarse query block, fine blocks of each fine one. */
export function llsaBlocks(x: Input, h: number, block: number, n: number): { coarse: number[][]; fine: number[][] } {
  const g = kvHead(x, h);
  const level = (width: number) => ({ q: means(x.q, h, x.queries, x.dim, width), k: means(x.k, g, x.keys, x.dim, width) });
  const [one, two] = [level(block), level(block ** 2)];
  const coarse = two.q.map((q) =>
    top(
      two.k.map((k) => dot(q, k)),
      n,
    ),
  );
  const fine = one.q.map((q, i) => {
    const children = (coarse[Math.floor(i / block)] as number[])
      .flatMap((parent) => range(block).map((c) => parent * block + c))
      .filter((child) => child < one.k.length)
      .sort((a, b) => a - b);
    return top(
      children.map((child) => dot(q, one.k[child] as number[])),
      n,
    ).map((place) => children[place] as number);
  });
  return { coarse, fine };
}
