import type { KernelInfo } from 'sparse-kernels';
import { firstMismatch, type Mismatch } from '../reference/compare.js';
import { roundTo } from '../reference/round.js';
import { logSumExp, type ScoreShape, scoreMap, softmax, tiles } from '../reference/score.js';
import { misaligned, smallIntegers, uniform } from '../support/random.js';
import type { Check } from './check.js';
import { type Companions, onCpu } from './companions.js';

/**
 * One query (heads of a group together, ranges of keys) and few (keys in place), many (keys packed); panels of 8, 16 and 32 keys; dims
 * around the vectors.
 */
export const shapes: readonly ScoreShape[] = [
  { batch: 1, heads: 1, kvHeads: 1, queries: 1, keys: 1, dim: 1 },
  { batch: 1, heads: 2, kvHeads: 1, queries: 1, keys: 77, dim: 64 },
  { batch: 2, heads: 14, kvHeads: 2, queries: 1, keys: 71, dim: 20 },
  { batch: 1, heads: 4, kvHeads: 1, queries: 1, keys: 2100, dim: 128 },
  { batch: 2, heads: 2, kvHeads: 2, queries: 3, keys: 33, dim: 20 },
  { batch: 1, heads: 4, kvHeads: 2, queries: 15, keys: 31, dim: 33 },
  { batch: 1, heads: 2, kvHeads: 1, queries: 70, keys: 130, dim: 16 },
];

const flat = (maps: number[][][]) => maps.flat(2);

export function scoreChecks({ isa }: KernelInfo): Iterable<Check> {
  return scoreChecksOf(onCpu(isa), shapes);
}

/** Every kind of scores in every layout, on any kind of device. */
export function* scoreChecksOf(device: Companions, all: readonly ScoreShape[]): Iterable<Check> {
  for (const s of all) {
    for (const layout of ['BHSD', 'BSHD'] as const) {
      const name = `${s.queries} x ${s.keys} of ${s.dim}, ${s.heads}/${s.kvHeads} heads, ${layout}`;
      if (s.queries <= s.keys) yield { name: `lines, ${name}`, run: () => lines(s, layout) };
      for (const group of ['none', 'sum', 'max'] as const) {
        yield { name: `dot, group ${group}, ${name}`, run: () => dot(s, layout, group) };
        if (s.queries === 1)
          yield { name: `dot up to a limit, group ${group}, ${name}`, run: () => dot(s, layout, group, Math.floor(s.keys * 0.7)) };
        yield { name: `softmax, group ${group}, ${name}`, run: () => soft(s, layout, group) };
        yield { name: `max and mass, group ${group}, ${name}`, run: () => blocks(s, layout, group) };
        yield { name: `minmax, group ${group}, ${name}`, run: () => bounds(s, layout, group) };
      }
    }
  }

  type Group = 'none' | 'sum' | 'max';

  function operands(s: ScoreShape, layout: 'BHSD' | 'BSHD', exact: boolean) {
    const round = (v: number) => (device.type === 'float32' ? v : roundTo(device.type, v));
    const fill = exact ? smallIntegers : (length: number, seed: number) => uniform(length, seed).map(round);
    const q = fill(s.batch * s.heads * s.queries * s.dim, 1);
    const k = fill(s.batch * s.kvHeads * s.keys * s.dim, 2);
    return {
      q,
      k,
      tq: place(q, s.batch, s.heads, s.queries, s.dim, layout),
      tk: place(k, s.batch, s.kvHeads, s.keys, s.dim, layout),
    };
  }

  /** The maps of all heads; then those of each group made one. */
  function maps(s: ScoreShape, group: Group, map: (b: number, head: number) => number[][]): number[][][] {
    const result: number[][][] = [];
    for (let b = 0; b < s.batch; b++) {
      const heads = Array.from({ length: s.heads }, (_, head) => map(b, head));
      const size = s.heads / s.kvHeads;
      if (group === 'none') result.push(...heads);
      else {
        for (let g = 0; g < s.kvHeads; g++) {
          const members = heads.slice(g * size, (g + 1) * size);
          const reduce = (values: number[]) => (group === 'sum' ? values.reduce((a, x) => a + x, 0) : Math.max(...values));
          result.push((members[0] as number[][]).map((row, i) => row.map((_, j) => reduce(members.map((m) => m[i]?.[j] as number)))));
        }
      }
    }
    return result;
  }

  const causal = (s: ScoreShape) => (i: number) => Math.max(0, i + 1 + s.keys - s.queries);

  async function dot(s: ScoreShape, layout: 'BHSD' | 'BSHD', group: Group, only?: number): Promise<Mismatch | null> {
    const { q, k, tq, tk } = operands(s, layout, true);
    const seen = only === undefined ? causal(s) : () => only;
    const expected = flat(maps(s, group, (b, head) => scoreMap(q, k, s, b, head, 0.5, seen)));
    const limits = only === undefined ? { causal: true } : { limit: Int32Array.of(only) };
    return firstMismatch(await device.score(tq, tk, { scale: 0.5, ...limits, group, layout }), expected, 0);
  }

  async function soft(s: ScoreShape, layout: 'BHSD' | 'BSHD', group: Group): Promise<Mismatch | null> {
    const { q, k, tq, tk } = operands(s, layout, false);
    const limit = Int32Array.from({ length: s.queries }, (_, i) => (i * 7) % (s.keys + 1));
    const expected = flat(maps(s, group, (b, head) => scoreMap(q, k, s, b, head, 3, (i) => limit[i] as number).map(softmax)));
    return firstMismatch(await device.score(tq, tk, { kind: 'softmax', scale: 3, limit, group, layout }), expected, 4e-6);
  }

  async function blocks(s: ScoreShape, layout: 'BHSD' | 'BSHD', group: Group): Promise<Mismatch | null> {
    const { q, k, tq, tk } = operands(s, layout, false);
    const blockSize = [16, 12] as const;
    const map = (b: number, head: number) => scoreMap(q, k, s, b, head, 2, causal(s));
    const lse = Float32Array.from(maps(s, 'none', (b, head) => map(b, head).map((row) => [logSumExp(row)])).flat(2));
    const greatest = flat(maps(s, group, (b, head) => tiles(map(b, head), blockSize, (values) => Math.max(...values))));
    const common = { scale: 2, causal: true, blockSize, layout };
    if (group !== 'sum') {
      const wrong = firstMismatch(await device.score(tq, tk, { ...common, kind: 'max', group }), greatest, 1e-4);
      if (wrong) return wrong;
    }
    if (group === 'max') return null;
    const mass = flat(
      maps(s, group, (b, head) => tiles(map(b, head).map(softmax), blockSize, (values) => values.reduce((a, x) => a + x, 0))),
    );
    return firstMismatch(await device.score(tq, tk, { ...common, kind: 'mass', lse, group }), mass, 1e-4);
  }

  async function lines(s: ScoreShape, layout: 'BHSD' | 'BSHD'): Promise<Mismatch | null> {
    const { q, k, tq, tk } = operands(s, layout, false);
    const last = Math.min(s.queries, 17);
    const sums = (of: (position: number, key: number) => number) =>
      maps(s, 'none', (b, head) => {
        const row = new Array<number>(s.keys).fill(0);
        for (const [i, weights] of scoreMap(q, k, s, b, head, 3, causal(s)).map(softmax).entries()) {
          if (i < s.queries - last) continue;
          const position = i + s.keys - s.queries;
          for (let key = 0; key <= position; key++) row[of(position, key)] = (row[of(position, key)] as number) + (weights[key] as number);
        }
        return [row];
      });
    const actual = await device.lines(tq, tk, { scale: 3, layout, lastQueries: last });
    return (
      firstMismatch(actual.vertical, flat(sums((_, key) => key)), 4e-6 * last) ??
      firstMismatch(actual.slash, flat(sums((position, key) => position - key)), 4e-6 * last)
    );
  }

  async function bounds(s: ScoreShape, layout: 'BHSD' | 'BSHD', group: Group): Promise<Mismatch | null> {
    const { q, k, tq } = operands(s, layout, true);
    const { pooled, start, count } = await device.pool(
      { data: k, dims: [s.batch, s.kvHeads, s.keys, s.dim] },
      { kind: 'minmax', block: 5 },
    );
    const bound = (b: number, head: number) =>
      Array.from({ length: s.queries }, (_, i) =>
        Array.from(start, (first, p) => {
          let sum = 0;
          for (let c = 0; c < s.dim; c++) {
            const x = q[((b * s.heads + head) * s.queries + i) * s.dim + c] as number;
            const kv = b * s.kvHeads + Math.floor(head / (s.heads / s.kvHeads));
            const products = Array.from({ length: count[p] as number }, (_, t) => x * (k[(kv * s.keys + first + t) * s.dim + c] as number));
            sum += Math.max(...products);
          }
          return sum;
        }),
      );
    const expected = flat(maps(s, group, bound));
    return firstMismatch(await device.score(tq, pooled, { kind: 'minmax', scale: 1, group, layout }), expected, 0);
  }
}

/** [batch, heads, tokens, dim] in the order of the layout, one float off the alignment. */
function place(x: Float32Array, batch: number, heads: number, tokens: number, dim: number, layout: 'BHSD' | 'BSHD') {
  if (layout === 'BHSD') return { data: misaligned(x), dims: [batch, heads, tokens, dim] };
  const data = misaligned(new Float32Array(x.length));
  for (let i = 0; i < x.length; i++) {
    const [c, t, h, b] = [
      i % dim,
      Math.floor(i / dim) % tokens,
      Math.floor(i / dim / tokens) % heads,
      Math.floor(i / dim / tokens / heads),
    ];
    data[((b * tokens + t) * heads + h) * dim + c] = x[i] as number;
  }
  return { data, dims: [batch, tokens, heads, dim] };
}
