/** Agreement with the attention operators of onnxruntime, which know nothing of our lists: patterns are expanded to masks. */
import * as ort from 'onnxruntime-node';
import { attention } from 'sparse-kernels';
import { describe, expect, test } from 'vitest';
import { listedPairs } from '../reference/attention.js';
import { firstMismatch } from '../reference/compare.js';
import { runOperator } from '../support/operator.js';
import { generator, uniform } from '../support/random.js';

const { patterns } = attention;
const tolerance = 2e-5;

const tensor = (dims: number[], seed: number) =>
  new ort.Tensor(
    'float32',
    uniform(
      dims.reduce((a, b) => a * b, 1),
      seed,
    ).map((x) => 2 * x),
    dims,
  );
/** [batch, heads, tokens, dim] to [batch, tokens, heads x dim]. */
function toTokens({ data, dims }: ort.Tensor): ort.Tensor {
  const [b, h, n, d] = dims as [number, number, number, number];
  const from = data as Float32Array;
  const to = from.map((_, i) => {
    const [x, head, token, batch] = [i % d, Math.floor(i / d) % h, Math.floor(i / d / h) % n, Math.floor(i / d / h / n)];
    return from[((batch * h + head) * n + token) * d + x] as number;
  });
  return new ort.Tensor('float32', to, [b, n, h * d]);
}

test.each([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12])('ai.onnx Attention with the mask of a random pattern (%i)', async (seed) => {
  const next = generator(seed);
  const pick = (...of: number[]) => of[Math.floor(next() * of.length)] as number;
  const [batch, kvHeads, group, n, t, d] = [pick(1, 2), pick(1, 2), pick(1, 3), pick(1, 20, 67), pick(20, 130), pick(8, 64)];
  const [bq, bk] = [pick(1, 16, 64), pick(8, 16, 64)];
  const heads = kvHeads * group;
  const size = { queryLength: n, keyLength: t, blockSize: [bq, bk] as const, heads: 'q' as const, sets: heads, batch };
  // Each block of keys is a tile, a full tile, some columns, or left out.
  const lists = { tiles: [] as number[][], fullTiles: [] as number[][], columns: [] as number[][] };
  for (let row = 0; row < batch * heads * Math.ceil(n / bq); row++) {
    for (const ids of Object.values(lists)) ids.push([]);
    for (let block = 0; block < Math.ceil(t / bk); block++) {
      const kind = (['tiles', 'fullTiles', 'columns', undefined] as const)[Math.floor(next() * 4)];
      const keys = Array.from({ length: Math.min(bk, t - block * bk) }, (_, j) => block * bk + j).filter(() => next() < 0.3);
      if (kind !== undefined) lists[kind][row]?.push(...(kind === 'columns' ? keys : [block]));
    }
  }
  const [tiles, fullTiles, columns] = Object.values(lists).map(patterns.rows) as [attention.Rows, attention.Rows, attention.Rows];
  const pattern: attention.Pattern = { ...size, unit: 'block', tiles, fullTiles, columns };
  const [q, k, v] = [tensor([batch, heads, n, d], 1), tensor([batch, kvHeads, t, d], 2), tensor([batch, kvHeads, t, d], 3)];
  const mask = new ort.Tensor(
    'bool',
    listedPairs(pattern).map((pair) => Math.min(pair, 1)),
    [batch, heads, n, t],
  );
  const scale = 0.3;
  const peer = await runOperator({
    op: 'Attention',
    opset: 23,
    inputs: { q, k, v, mask },
    outputs: ['y'],
    attributes: { scale },
    floats: ['scale'],
  });
  const ours = attention.plan({ pattern, heads, kvHeads, headDim: d, batch, scale }).runSync(q, k, v);
  expect(firstMismatch(ours.output.data, peer.y?.data as Float32Array, tolerance)).toBeNull();
});

describe('com.microsoft GroupQueryAttention', () => {
  const compare = async (seed: number, next: () => number) => {
    const pick = <T>(...of: T[]) => of[Math.floor(next() * of.length)] as T;
    const [kvHeads, group, n, d] = [pick(1, 2, 3), pick(1, 2, 4), pick(1, 17, 50, 130), pick(16, 32, 64, 128)];
    const heads = kvHeads * group;
    const window = pick(undefined, 1 + Math.floor(next() * n));
    const softcap = pick(undefined, 0.5 + 4 * next());
    const [q, k, v] = [tensor([1, heads, n, d], seed), tensor([1, kvHeads, n, d], seed + 1), tensor([1, kvHeads, n, d], seed + 2)];
    const past = () => new ort.Tensor('float32', new Float32Array(kvHeads * n * d), [1, kvHeads, n, d]);
    const [pastK, pastV] = [past(), past()];
    const sink = pick(undefined, uniform(heads, seed + 3));
    const peer = await runOperator({
      op: 'GroupQueryAttention',
      domain: 'com.microsoft',
      opset: 17,
      inputs: {
        query: toTokens(q),
        key: toTokens(k),
        value: toTokens(v),
        pastK,
        pastV,
        lengths: new ort.Tensor('int32', Int32Array.of(n - 1), [1]),
        total: new ort.Tensor('int32', Int32Array.of(n), [1]),
        cos: undefined,
        sin: undefined,
        positions: undefined,
        bias: undefined,
        ...(sink && { sink: new ort.Tensor('float32', sink, [heads]) }),
      },
      outputs: ['y', 'presentK', 'presentV'],
      attributes: { num_heads: heads, kv_num_heads: kvHeads, ...(window && { local_window_size: window }), ...(softcap && { softcap }) },
      floats: ['softcap'],
      into: { presentK: pastK, presentV: pastV },
    });
    const blockSize = [pick(1, 16, 64), pick(8, 16, 64)] as const;
    const pattern = patterns.dense({ queryLength: n, blockSize, causal: true });
    const rules = { ...(window && { window }), ...(softcap && { softcap }) };
    const plan = attention.plan({ pattern, heads, kvHeads, headDim: d, causal: true, ...rules });
    const { output } = plan.runSync(q, k, v, sink ? { sink } : {});
    const wanted = toTokens(new ort.Tensor('float32', output.data, output.dims as number[])).data as Float32Array;
    expect(firstMismatch(peer.y?.data as Float32Array, wanted, tolerance)).toBeNull();
    return [window, softcap, sink];
  };

  test('windows, soft caps and sinks on random shapes', async () => {
    const seen = new Set<string>();
    for (let seed = 1; seed <= 40; seed++) {
      const rules = await compare(seed, generator(seed));
      seen.add(rules.map((rule) => (rule === undefined ? '-' : '+')).join(''));
    }
    expect([...seen].sort()).toEqual(['+++', '++-', '+-+', '+--', '-++', '-+-', '--+', '---']); // each rule with and without the others
  });

  test.each([1, 2, 3, 4, 5, 6, 7, 8])('ragged decoding from caches (%i)', async (seed) => {
    const next = generator(seed);
    const pick = (...of: number[]) => of[Math.floor(next() * of.length)] as number;
    const [batch, kvHeads, group, d] = [pick(2, 3, 4), pick(1, 2), pick(1, 3, 4), pick(16, 32, 128)];
    const lengths = Array.from({ length: batch }, () => 1 + Math.floor(next() * pick(5, 60, 700)));
    const [heads, capacity] = [kvHeads * group, Math.max(...lengths) + 7];
    const [q, newK, newV] = [tensor([batch, heads, 1, d], 1), tensor([batch, kvHeads, 1, d], 2), tensor([batch, kvHeads, 1, d], 3)];
    const [pastK, pastV] = [tensor([batch, kvHeads, capacity, d], 4), tensor([batch, kvHeads, capacity, d], 5)];
    const caches = lengths.map((length, b) => {
      const cache = attention.cache({ kvHeads, headDim: d, capacity, pageSize: 8 });
      const part = (past: ort.Tensor, fresh: ort.Tensor) => {
        const data = new Float32Array(kvHeads * length * d);
        for (let h = 0; h < kvHeads; h++) {
          const from = (b * kvHeads + h) * capacity * d;
          data.set((past.data as Float32Array).subarray(from, from + (length - 1) * d), h * length * d);
          data.set((fresh.data as Float32Array).subarray((b * kvHeads + h) * d, (b * kvHeads + h + 1) * d), ((h + 1) * length - 1) * d);
        }
        return { data, dims: [kvHeads, length, d] };
      };
      cache.append(part(pastK, newK), part(pastV, newV));
      return cache;
    });
    const peer = await runOperator({
      op: 'GroupQueryAttention',
      domain: 'com.microsoft',
      opset: 17,
      inputs: {
        query: toTokens(q),
        key: toTokens(newK),
        value: toTokens(newV),
        pastK,
        pastV,
        lengths: new ort.Tensor(
          'int32',
          Int32Array.from(lengths, (n) => n - 1),
          [batch],
        ),
        total: new ort.Tensor('int32', Int32Array.of(Math.max(...lengths)), [1]),
      },
      outputs: ['y', 'presentK', 'presentV'],
      attributes: { num_heads: heads, kv_num_heads: kvHeads },
      into: { presentK: pastK, presentV: pastV },
    });
    const { output } = await attention.decode(q, caches);
    expect(firstMismatch(output.data, peer.y?.data as Float32Array, tolerance)).toBeNull();
  });
});

test.each([1, 2])('com.microsoft SparseAttention on random causal rows, layout %i', async (layouts) => {
  const [heads, kvHeads, n, d, block] = [4, 2, 100, 16, 16];
  const next = generator(layouts);
  const rowCount = Math.ceil(n / block);
  // It averages over the prefix where a query sees no block, so the diagonal is always listed.
  const lists = Array.from({ length: layouts * rowCount }, (_, r) =>
    Array.from({ length: (r % rowCount) + 1 }, (_, c) => c).filter((c) => c === r % rowCount || next() < 0.4),
  );
  const capacity = rowCount * rowCount;
  const pointers = new Int32Array(layouts * (rowCount + 1));
  const columns = new Int32Array(layouts * capacity).fill(-1);
  for (let l = 0; l < layouts; l++) {
    for (let r = 0; r < rowCount; r++) {
      const list = lists[l * rowCount + r] as number[];
      const at = pointers[l * (rowCount + 1) + r] as number;
      columns.set(list, l * capacity + at);
      pointers[l * (rowCount + 1) + r + 1] = at + list.length;
    }
  }
  const [q, k, v] = [tensor([1, heads, n, d], 1), tensor([1, kvHeads, n, d], 2), tensor([1, kvHeads, n, d], 3)];
  const past = () => new ort.Tensor('float32', new Float32Array(kvHeads * rowCount * block * d), [1, kvHeads, rowCount * block, d]);
  const [pastK, pastV] = [past(), past()];
  const peer = await runOperator({
    op: 'SparseAttention',
    domain: 'com.microsoft',
    opset: 17,
    inputs: {
      query: toTokens(q),
      key: toTokens(k),
      value: toTokens(v),
      pastK,
      pastV,
      rows: new ort.Tensor('int32', pointers, [layouts, rowCount + 1]),
      columns: new ort.Tensor('int32', columns, [layouts, capacity]),
      total: new ort.Tensor('int32', Int32Array.of(n), [1]),
      lengths: new ort.Tensor('int32', Int32Array.of(n), [1]),
    },
    outputs: ['y', 'presentK', 'presentV'],
    attributes: { num_heads: heads, kv_num_heads: kvHeads, sparse_block_size: block },
    into: { presentK: pastK, presentV: pastV },
  });
  // Its head h has layout h mod layouts; our lists read the same arrays in place.
  const size = { queryLength: n, blockSize: [block, block] as const };
  const perLayout = Array.from({ length: layouts }, (_, l) => {
    const own = pointers.subarray(l * (rowCount + 1), (l + 1) * (rowCount + 1));
    return patterns.fromCsr(own, columns.subarray(l * capacity, (l + 1) * capacity), size);
  });
  const pattern = patterns.perHead(
    Array.from({ length: heads }, (_, h) => perLayout[h % layouts] as attention.Pattern),
    'q',
  );
  const { output } = attention.plan({ pattern, heads, kvHeads, headDim: d, causal: true }).runSync(q, k, v);
  const ours = toTokens(new ort.Tensor('float32', output.data, output.dims as number[])).data as Float32Array;
  expect(firstMismatch(ours, peer.y?.data as Float32Array, tolerance)).toBeNull();
});
