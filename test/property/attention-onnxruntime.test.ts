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

test.each([1, 2, 3, 4, 5, 6])('ai.onnx Attention with the mask of a random pattern (%i)', async (seed) => {
  const next = generator(seed);
  const pick = (...of: number[]) => of[Math.floor(next() * of.length)] as number;
  const [batch, kvHeads, group, n, t, d] = [pick(1, 2), pick(1, 2), pick(1, 3), pick(1, 20, 67), pick(20, 130), pick(8, 64)];
  const [bq, bk] = [pick(1, 16, 64), pick(8, 16, 64)];
  const heads = kvHeads * group;
  const size = { queryLength: n, keyLength: t, blockSize: [bq, bk] as const, heads: 'q' as const, sets: heads, batch };
  const blocks = batch * heads * Math.ceil(n / bq) * Math.ceil(t / bk);
  const pattern = patterns.fromMask(
    Uint8Array.from({ length: blocks }, () => (next() < 0.4 ? 1 : 0)),
    size,
  );
  const [q, k, v] = [tensor([batch, heads, n, d], 1), tensor([batch, kvHeads, t, d], 2), tensor([batch, kvHeads, t, d], 3)];
  const mask = new ort.Tensor('bool', listedPairs(pattern), [batch, heads, n, t]);
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
  test.each([
    ['window', { local_window_size: 7 }, { window: 7 }, false],
    ['soft cap', { softcap: 1.5 }, { softcap: 1.5 }, false],
    ['sinks', {}, {}, true],
    ['everything', { local_window_size: 20, softcap: 3.5 }, { window: 20, softcap: 3.5 }, true],
  ] as const)('%s', async (_, attributes, rules, withSinks) => {
    const [heads, kvHeads, n, d] = [4, 2, 50, 32];
    const [q, k, v] = [tensor([1, heads, n, d], 1), tensor([1, kvHeads, n, d], 2), tensor([1, kvHeads, n, d], 3)];
    const past = () => new ort.Tensor('float32', new Float32Array(kvHeads * n * d), [1, kvHeads, n, d]);
    const [pastK, pastV] = [past(), past()];
    const sink = withSinks ? uniform(heads, 4) : undefined;
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
      attributes: { num_heads: heads, kv_num_heads: kvHeads, ...attributes },
      floats: ['softcap'],
      into: { presentK: pastK, presentV: pastV },
    });
    const pattern = patterns.dense({ queryLength: n, blockSize: [16, 16], causal: true });
    const plan = attention.plan({ pattern, heads, kvHeads, headDim: d, causal: true, ...rules });
    const { output } = plan.runSync(q, k, v, sink ? { sink } : {});
    const wanted = toTokens(new ort.Tensor('float32', output.data, output.dims as number[])).data as Float32Array;
    expect(firstMismatch(peer.y?.data as Float32Array, wanted, tolerance)).toBeNull();
  });

  test('ragged decoding from caches', async () => {
    const [heads, kvHeads, d, capacity, lengths] = [6, 2, 16, 40, [33, 9]] as const;
    const batch = lengths.length;
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
