import { attention, type KernelInfo } from 'sparse-kernels';
import { firstMismatch, type Mismatch } from '../reference/compare.js';
import { logSumExp, type ScoreShape, scoreMap, softmax, tiles } from '../reference/score.js';
import { misaligned, smallIntegers, uniform } from '../support/random.js';
import type { Check } from './check.js';

/**
 * One query (heads of a group together, ranges of keys) and few (keys in place), many (keys packed); panels of 8, 16 and 32 keys; dims
 * around the vectors.
 */
const shapes: readonly ScoreShape[] = [
  { batch: 1, heads: 1, kvHeads: 1, queries: 1, keys: 1, dim: 1 },
  { batch: 1, heads: 2, kvHeads: 1, queries: 1, keys: 77, dim: 64 },
  { batch: 2, heads: 14, kvHeads: 2, queries: 1, keys: 71, dim: 20 },
  { batch: 1, heads: 4, kvHeads: 1, queries: 1, keys: 2100, dim: 128 },
  { batch: 2, heads: 2, kvHeads: 2, queries: 3, keys: 33, dim: 20 },
  { batch: 1, heads: 4, kvHeads: 2, queries: 15, keys: 31, dim: 33 },
  { batch: 1, heads: 2, kvHeads: 1, queries: 70, keys: 130, dim: 16 },
];

const flat = (maps: number[][][]) => maps.flat(2);

export function* scoreChecks({ isa }: KernelInfo): Iterable<Check> {
  for (const s of shapes) {
    for (const layout of ['BHSD', 'BSHD'] as const) {
      const name = `${s.queries} x ${s.keys} of ${s.dim}, ${s.heads}/${s.kvHeads} heads, ${layout}`;
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
    const fill = exact ? smallIntegers : uniform;
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

  function dot(s: ScoreShape, layout: 'BHSD' | 'BSHD', group: Group, only?: number): Mismatch | null {
    const { q, k, tq, tk } = operands(s, layout, true);
    const seen = only === undefined ? causal(s) : () => only;
    const expected = flat(maps(s, group, (b, head) => scoreMap(q, k, s, b, head, 0.5, seen)));
    const limits = only === undefined ? { causal: true } : { limit: Int32Array.of(only) };
    return firstMismatch(attention.scoreSync(tq, tk, { scale: 0.5, ...limits, group, layout, isa }).data, expected, 0);
  }

  function soft(s: ScoreShape, layout: 'BHSD' | 'BSHD', group: Group): Mismatch | null {
    const { q, k, tq, tk } = operands(s, layout, false);
    const limit = Int32Array.from({ length: s.queries }, (_, i) => (i * 7) % (s.keys + 1));
    const expected = flat(maps(s, group, (b, head) => scoreMap(q, k, s, b, head, 3, (i) => limit[i] as number).map(softmax)));
    return firstMismatch(attention.scoreSync(tq, tk, { kind: 'softmax', scale: 3, limit, group, layout, isa }).data, expected, 4e-6);
  }

  function blocks(s: ScoreShape, layout: 'BHSD' | 'BSHD', group: Group): Mismatch | null {
    const { q, k, tq, tk } = operands(s, layout, false);
    const blockSize = [16, 12] as const;
    const map = (b: number, head: number) => scoreMap(q, k, s, b, head, 2, causal(s));
    const lse = Float32Array.from(maps(s, 'none', (b, head) => map(b, head).map((row) => [logSumExp(row)])).flat(2));
    const greatest = flat(maps(s, group, (b, head) => tiles(map(b, head), blockSize, (values) => Math.max(...values))));
    const common = { scale: 2, causal: true, blockSize, layout, isa };
    if (group !== 'sum') {
      const wrong = firstMismatch(attention.scoreSync(tq, tk, { ...common, kind: 'max', group }).data, greatest, 1e-4);
      if (wrong) return wrong;
    }
    if (group === 'max') return null;
    const mass = flat(
      maps(s, group, (b, head) => tiles(map(b, head).map(softmax), blockSize, (values) => values.reduce((a, x) => a + x, 0))),
    );
    return firstMismatch(attention.scoreSync(tq, tk, { ...common, kind: 'mass', lse, group }).data, mass, 1e-4);
  }

  function bounds(s: ScoreShape, layout: 'BHSD' | 'BSHD', group: Group): Mismatch | null {
    const { q, k, tq } = operands(s, layout, true);
    const { pooled, start, count } = attention.poolSync(
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
    return firstMismatch(attention.scoreSync(tq, pooled, { kind: 'minmax', scale: 1, group, layout, isa }).data, expected, 0);
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
