/** Methods with clusters, summaries, levels and predicted maps, against direct transcriptions of their formulas. */
import { attention } from 'sparse-kernels';
import { expect, test } from 'vitest';
import { firstMismatch } from '../reference/compare.js';
import { means, rowsOf, times } from '../reference/methods.js';
import { llsaBlocks, logits, mixture, psaLevels } from '../reference/methods-published.js';
import { softmax } from '../reference/score.js';
import { ranking } from '../reference/select.js';
import { uniform } from '../support/random.js';
import { expectAttention, expectPattern, input } from './method-input.js';

const { methods } = attention;
const range = (n: number) => Array.from({ length: n }, (_, i) => i);
const dot = (a: readonly number[], b: readonly number[]) => a.reduce((total, x, i) => total + x * (b[i] as number), 0);

/** A float32 tensor against rows of numbers. */
const expectRows = (actual: { data: ArrayLike<number> }, expected: number[][], tolerance = 1e-4) =>
  expect(firstMismatch(actual.data, expected.flat(), tolerance)).toBeNull();

test('routingTransformer: attention inside clusters, averaged over the clusters of a token', async () => {
  const [heads, tokens, dim, clusters, window] = [2, 60, 8, 5, 16];
  const x = input(tokens, tokens, heads, heads, dim);
  const centroids = uniform(heads * clusters * dim, 9);
  const method = methods.routingTransformer({ centroids: { data: centroids, dims: [heads, clusters, dim] }, window });
  const result = await method.prefill(...x.tensors);
  const expected = range(heads).flatMap((h) => {
    const normal = rowsOf(x.all.q, h, tokens, dim).map((row) => {
      const mean = row.reduce((a, b) => a + b, 0) / dim;
      const deviation = Math.sqrt(row.reduce((a, b) => a + (b - mean) ** 2, 0) / dim + 1e-5);
      return row.map((v) => (v - mean) / deviation);
    });
    const members = range(clusters).map((c) => {
      const centroid = [...centroids.subarray((h * clusters + c) * dim, (h * clusters + c + 1) * dim)];
      return new Set(ranking((t) => dot(normal[t] as number[], centroid), tokens).slice(0, window));
    });
    const scores = logits(x.all, h, true);
    const values = rowsOf(x.v, h, tokens, dim);
    return range(tokens).map((i) => {
      const parts = members
        .filter((m) => m.has(i))
        .map((m) =>
          mixture(
            [...m].filter((j) => j <= i).map((j) => ({ logit: scores[i]?.[j] as number, value: values[j] as number[] })),
            dim,
          ),
        );
      return range(dim).map((c) => parts.reduce((total, part) => total + (part[c] as number), 0) / Math.max(1, parts.length));
    });
  });
  expectRows(result.output, expected);
  expect(result.members.count).toEqual(new Int32Array(heads * clusters).fill(window));
  const { coveredMass } = await result.report();
  expect(coveredMass).toBeLessThan(1);
});

test('combiner: own segment and summaries of the earlier ones', async () => {
  const [heads, tokens, dim, segment] = [2, 50, 8, 7];
  const x = input(tokens, tokens, heads, heads, dim);
  const result = await methods.combiner({ segment }).prefill(...x.tensors);
  const expected = range(heads).flatMap((h) => {
    const [q, k, v] = [x.all.q, x.all.k, x.v].map((t) => rowsOf(t, h, tokens, dim)) as [number[][], number[][], number[][]];
    const [qs, ks] = [means(x.all.q, h, tokens, dim, segment), means(x.all.k, h, tokens, dim, segment)];
    const logit = (a: number[], b: number[]) => dot(a, b) / Math.sqrt(dim);
    const values = qs.map((a, c) =>
      mixture(
        range(tokens)
          .filter((j) => Math.floor(j / segment) === c)
          .map((j) => ({ logit: logit(a, k[j] as number[]), value: v[j] as number[] })),
        dim,
      ),
    );
    return q.map((a, i) => {
      const own = Math.floor(i / segment);
      const exact = range(i + 1)
        .filter((j) => j >= own * segment)
        .map((j) => ({ logit: logit(a, k[j] as number[]), value: v[j] as number[] }));
      const summaries = range(own).map((c) => ({ logit: logit(a, ks[c] as number[]), value: values[c] as number[] }));
      return mixture([...exact, ...summaries], dim);
    });
  });
  expectRows(result.output, expected);
});

test('sparseVdit: each head its mode', async () => {
  const x = input(200, 200, 5, 5, 8);
  const heads = [
    { mode: 'dense' },
    { mode: 'diagonal', width: 20 },
    { mode: 'multiDiagonal', width: 3, period: 48 },
    { mode: 'vertical', keys: [3, 100, 199] },
    { mode: 'skip' },
  ] as const;
  const result = await methods.sparseVdit({ heads, blockSize: [16, 16] }).prefill(...x.tensors);
  // Blocks that hold a pair of a wanted distance.
  const touched = (near: (distance: number) => boolean) => {
    const map = range(13).map(() => new Array<boolean>(13).fill(false));
    for (let i = 0; i < 200; i++) for (let j = 0; j < 200; j++) if (near(i - j)) (map[i >> 4] as boolean[])[j >> 4] = true;
    return (i: number, j: number) => map[i >> 4]?.[j >> 4] === true;
  };
  const sees = [
    () => true,
    touched((d) => Math.abs(d) <= 20),
    touched((d) => [-192, -144, -96, -48, 0, 48, 96, 144, 192].some((n) => Math.abs(d - n) <= 3)),
    (_: number, j: number) => [3, 100, 199].includes(j),
    () => false,
  ];
  expectAttention(result, x, (h, i, j) => sees[h]?.(i, j) === true);
});

test.each([{ quotas: [0.3, 0.5, 0.7, 0.8] as const }, { energies: [0.2, 0.4, 0.7, 0.9] as const }])(
  'psa: blocks of lower ranks in coarser means: %j',
  async (rule) => {
    const [heads, kvHeads, dim] = [2, 1, 8];
    const x = input(120, 260, heads, kvHeads, dim); // the last block is shorter, and its last means are of fewer
    const result = await methods.psa({ ...rule, queryBlock: 32, keyBlock: 32 }).prefill(...x.tensors);
    const expected = range(heads).flatMap((h) => {
      const levels = psaLevels(x.all, h, 32, 32, rule);
      expect(new Set(levels.flat())).toEqual(new Set([0, 1, 2, 4, 8]));
      const [k, v] = [1, 2, 4, 8].reduce<[number[][][], number[][][]]>(
        ([ks, vs], fold) => {
          ks[fold] = means(x.all.k, 0, 260, dim, fold);
          vs[fold] = means(x.v, 0, 260, dim, fold);
          return [ks, vs];
        },
        [[], []],
      );
      return rowsOf(x.all.q, h, 120, dim).map((q, i) =>
        mixture(
          (levels[i >> 5] as number[]).flatMap((fold, b) =>
            fold === 0
              ? []
              : range(32 / fold)
                  .map((n) => (b * 32) / fold + n)
                  .filter((n) => n * fold < 260)
                  .map((n) => ({
                    logit: dot(q, k[fold]?.[n] as number[]) / Math.sqrt(dim) + Math.log(Math.min(fold, 260 - n * fold)),
                    value: v[fold]?.[n] as number[],
                  })),
          ),
          dim,
        ),
      );
    });
    expectRows(result.output, expected);
    const all = await methods.psa({ quotas: [1, 1, 1, 1], queryBlock: 32, keyBlock: 32 }).prefill(...x.tensors);
    expectAttention(all, x, () => true);
  },
);

test('llsa: fine blocks, means under the chosen parents, all coarse means', async () => {
  const [dim, block, n] = [8, 4, 2];
  const x = input(90, 150, 2, 1, dim);
  const result = await methods.llsa({ block, topK: n }).prefill(...x.tensors);
  const expected = range(2).flatMap((h) => {
    const { coarse, fine } = llsaBlocks(x.all, h, block, n);
    const level = (width: number) => ({ k: means(x.all.k, 0, 150, dim, width), v: means(x.v, 0, 150, dim, width) });
    const [zero, one, two] = [level(1), level(4), level(16)];
    return rowsOf(x.all.q, h, 90, dim).map((q, i) => {
      const entry = (of: typeof zero, id: number, width: number) => ({
        logit: dot(q, of.k[id] as number[]) / Math.sqrt(dim) + Math.log(Math.min(width, 150 - id * width)),
        value: of.v[id] as number[],
      });
      const tokens = (fine[i >> 2] as number[]).flatMap((b) => range(4).map((t) => b * 4 + t)).filter((t) => t < 150);
      const middle = (coarse[i >> 4] as number[]).flatMap((b) => range(4).map((t) => b * 4 + t)).filter((t) => t < one.k.length);
      return mixture(
        [...tokens.map((t) => entry(zero, t, 1)), ...middle.map((t) => entry(one, t, 4)), ...two.k.map((_, t) => entry(two, t, 16))],
        dim,
      );
    });
  });
  expectRows(result.output, expected);
});

test('sparsifiner: the best keys of a predicted map', async () => {
  const [heads, tokens, dim, c, rank] = [2, 40, 8, 4, 5];
  const x = input(tokens, tokens, heads, heads, dim);
  const [query, key, basis] = [uniform(heads * dim * c, 21), uniform(heads * dim * c, 22), uniform(rank * tokens, 23)];
  const weights = { query: { data: query, dims: [heads, dim, c] }, key: { data: key, dims: [heads, dim, c] } };
  const result = await methods.sparsifiner({ ...weights, basis: { data: basis, dims: [rank, tokens] } }).prefill(...x.tensors);
  const kept = range(heads).map((h) => {
    const low = (t: ArrayLike<number>, w: Float32Array) => rowsOf(t, h, tokens, dim).map((row) => times(row, w.subarray(h * dim * c), c));
    const [q, k] = [low(x.all.q, query), low(x.all.k, key)];
    const summaries = range(rank).map((r) =>
      range(c).map((i) => range(tokens).reduce((t, j) => t + (basis[r * tokens + j] as number) * (k[j]?.[i] as number), 0)),
    );
    return q.map((row, i) => {
      const coefficients = softmax(summaries.map((s) => dot(row, s)));
      const map = range(tokens).map((j) => coefficients.reduce((t, a, r) => t + a * (basis[r * tokens + j] as number), 0));
      return new Set(ranking((j) => map[j] as number, tokens).slice(0, i === 0 ? tokens : 10));
    });
  });
  expectAttention(result, x, (h, i, j) => kept[h]?.[i]?.has(j) === true);
});

test('sparkAttention: keys above the threshold of a normal distribution', async () => {
  const x = input(100, 100, 2, 1, 16); // the first query sees one key
  const result = await methods.sparkAttention({ predictor: 8, keys: 25 }).prefill(...x.tensors);
  // The quantile of the normal distribution, by bisection of its integral.
  const cdf = (z: number) => {
    const steps = 500;
    const density = (t: number) => Math.exp(-(t * t) / 2) / Math.sqrt(2 * Math.PI);
    return 0.5 + range(steps).reduce((total, n) => total + density(((n + 0.5) * z) / steps), 0) * (z / steps);
  };
  const inverse = (p: number) => {
    let [low, high] = [-6, 6];
    for (let n = 0; n < 40; n++) [low, high] = cdf((low + high) / 2) < p ? [(low + high) / 2, high] : [low, (low + high) / 2];
    return low;
  };
  const quantile = new Map<number, number>();
  const kept = range(2).map((h) =>
    rowsOf(x.all.q, h, 100, 16).map((q, i) => {
      const scores = rowsOf(x.all.k, 0, 100, 16)
        .slice(0, i + 1)
        .map((k) => dot(q.slice(0, 8), k.slice(0, 8)));
      const n = scores.length;
      if (n <= 25) return new Set(range(n));
      if (!quantile.has(n)) quantile.set(n, inverse(1 - 25 / n));
      const mean = scores.reduce((a, b) => a + b, 0) / n;
      const bound = mean + (quantile.get(n) as number) * Math.sqrt(scores.reduce((a, b) => a + b * b, 0) / n - mean ** 2);
      const above = ranking((j) => scores[j] as number, n).filter((j) => (scores[j] as number) > bound);
      return new Set(above.slice(0, 25));
    }),
  );
  expectAttention(result, x, (h, i, j) => kept[h]?.[i]?.has(j) === true);
  await expectPattern(result, x);
});
