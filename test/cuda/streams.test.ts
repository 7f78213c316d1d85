/**
 * Streams: every verb takes one, and nothing that one stream does with memory overtakes what another does with it. In the simulator an order
 * that is left to chance fails the launch (test/gpusim: race), so that these tests need no luck.
 */
import './simulated.js';

import { attention, conv, type DeviceTensor, nm, Stream, type TensorLike, toDevice } from 'sparse-kernels';
import { describe, expect, test } from 'vitest';
import { guarded } from '../../lib/handle.js';
import { native } from '../../lib/native.js';
import { halfBits } from '../reference/round.js';
import { smallIntegers } from '../support/random.js';
import { randomVolume, sparse } from '../support/volumes.js';
import { where } from './simulated.js';

const [outputs, inputs, tokens] = [24, 64, 5];
const weight = nm.prune({ data: smallIntegers(outputs * inputs, 1), dims: [outputs, inputs] }, { pattern: '2:4' });
const x: TensorLike = { data: smallIntegers(tokens * inputs, 2), dims: [tokens, inputs] };
const linear = { weight, dtype: 'float16', pattern: '2:4', device: 'cuda' } as const;
const halves = (dims: number[], seed: number): TensorLike => {
  const values = smallIntegers(
    dims.reduce((a, b) => a * b, 1),
    seed,
  );
  return { data: halfBits('float16', values), dims, type: 'float16' };
};
const [heads, kvHeads, headDim, keys, page] = [4, 2, 64, 200, 16];
const q = halves([1, heads, 1, headDim], 3);
const k = halves([1, kvHeads, keys, headDim], 4);
const long = halves([1, heads, 70, 32], 5);
const shape = { heads, headDim, dtype: 'float16', device: 'cuda' } as const;
const sites = sparse(randomVolume(1, [12, 13], 8, 0.6, smallIntegers));
const convolution = { weight: { data: smallIntegers(16 * 9 * 8, 6), dims: [16, 3, 3, 8] }, dtype: 'float16', device: 'cuda' } as const;

type Streams = readonly [a: Stream | undefined, b: Stream | undefined];
const on = (stream: Stream | undefined) => (stream ? { stream } : {});

/** Chains whose links alternate between two streams, and wait for nothing between them. */
const chains: Record<string, (streams: Streams) => Promise<DeviceTensor>> = {
  'prune, spmm with a residual': async ([a, b]) => {
    using plan = nm.plan(linear);
    using there = await toDevice(x, 'cuda', on(b));
    using pruned = await nm.prune(there, { pattern: '2:4', ...on(a) });
    using residual = await nm.prune(await plan.run(there, on(b)), { pattern: '1:4', ...on(a) });
    return plan.run(pruned, { residual, ...on(b) });
  },
  'a write behind reads': async ([a, b]) => {
    using plan = nm.plan(linear);
    using there = await toDevice(x, 'cuda');
    const y = await plan.run(there, on(b));
    using kept = await nm.prune(y, { pattern: '2:4', ...on(a) });
    await plan.run(there, { out: y, ...on(b) });
    return nm.prune(kept, { pattern: '1:4', ...on(b) });
  },
  'pool, score, select, attend': async ([a, b]) => {
    const pattern = { queryLength: 1, keyLength: keys, blockSize: [1, page], unit: 'block', heads: 'kv', sets: kvHeads, batch: 1 } as const;
    using plan = attention.plan({ ...shape, kvHeads, pattern: { ...pattern, tiles: { capacity: 5 } } });
    using queries = await toDevice(q, 'cuda', on(a));
    using there = await toDevice(k, 'cuda', on(b));
    using pooled = (await attention.pool(there, { kind: 'minmax', block: page, ...on(a) })).pooled;
    using scores = await attention.score(queries, pooled, { kind: 'minmax', scale: 1, group: 'max', ...on(b) });
    using tiles = await attention.select(scores, { topK: Int32Array.of(5, 3), capacity: 5, ...on(a) });
    return (await plan.run(queries, there, there, { tiles, ...on(b) })).output;
  },
  'lines, select, verticalSlash, attend': async ([a, b]) => {
    using there = await toDevice(long, 'cuda', on(a));
    const { vertical, slash } = await attention.lines(there, there, on(a));
    using verticals = await attention.select(vertical, { topK: 12, ...on(b) });
    using slashes = await attention.select(slash, { topK: 9, ...on(b) });
    vertical.dispose();
    slash.dispose();
    const sizes = { queryLength: 70, blockSize: [32, 16], sets: heads } as const;
    const { pattern, tiles, columns } = await attention.verticalSlash(verticals, slashes, { ...sizes, ...on(a) });
    using plan = attention.plan({ ...shape, headDim: 32, pattern, causal: true });
    return (await plan.run(there, there, there, { tiles, columns, ...on(b) })).output;
  },
  'maxPool, layer, avgPool': async ([a, b]) => {
    const map = conv.map(sites, { kernelSize: 3 });
    using layer = conv.layer(convolution);
    using there = await toDevice({ data: sites.features, dims: [sites.features.length / 8, 8] }, 'cuda', on(a));
    using pooled = await conv.maxPool(there, map, on(a));
    using y = await layer.run(pooled, map, on(b));
    return await conv.avgPool(y, map, on(a));
  },
  'a map that one brings to the device and the other reads': async ([a, b]) => {
    const map = conv.map(sites, { kernelSize: 3 });
    using there = await toDevice({ data: sites.features, dims: [sites.features.length / 8, 8] }, 'cuda');
    using first = await conv.maxPool(there, map, on(a));
    const second = await conv.maxPool(there, map, on(b));
    expect((await second.to('cpu', on(b))).data).toEqual((await first.to('cpu', on(a))).data);
    return second;
  },
  'maps, layer and its inverse, avgPool': async ([a, b]) => {
    using coords = (await toDevice(
      { data: sites.coords, dims: [sites.features.length / 8, 3], type: 'int32' },
      'cuda',
    )) as DeviceTensor<'int32'>;
    using features = await toDevice({ data: sites.features, dims: [sites.features.length / 8, 8] }, 'cuda', on(b));
    const { spatialShape, batchSize } = sites;
    const strided = { mode: 'sparse', kernelSize: 3, stride: 2, padding: 1, ...on(a) } as const;
    using paired = await conv.mapAsync({ coords, spatialShape, batchSize }, strided);
    using map = await conv.mapAsync(paired.output, { mode: 'inverse', paired, ...on(b) });
    using layer = conv.layer(convolution);
    using back = conv.layer({ ...convolution, weight: { data: smallIntegers(8 * 9 * 16, 7), dims: [8, 3, 3, 16] } });
    using y = await back.run(await layer.run(features, paired, on(b)), map, on(a));
    using same = await conv.mapAsync({ coords, spatialShape, batchSize }, { kernelSize: 3, ...on(b) });
    expect((await same.pairs(on(a))).in).toHaveLength(same.pairCount);
    return await conv.avgPool(y, same, on(a));
  },
  'operands that are freed before the work is done': async ([a, b]) => {
    let y = await toDevice(x, 'cuda', on(a));
    for (const stream of [b, a, a, b, b, a]) {
      const next = await nm.prune(y, { pattern: '2:4', ...on(stream) });
      y.dispose();
      using _ = await toDevice(x, 'cuda', on(stream === a ? b : a)); // may get the memory that was just freed
      y = next;
    }
    return y;
  },
};

describe.skipIf(where.startsWith('nowhere'))('streams', () => {
  test.each(Object.entries(chains))('%s: the same on two streams as on one', async (_, chain) => {
    const data = async (streams: Streams) => (await (await chain(streams)).to('cpu', on(streams[1]))).data;
    const expected = await data([undefined, undefined]);
    using a = new Stream('cuda');
    using b = new Stream('cuda');
    expect(await data([a, b])).toEqual(expected);
    expect(await data([undefined, a])).toEqual(expected);
    expect(await data([a, undefined])).toEqual(expected);
    expect(expected.some((value) => value !== 0)).toBe(true);
  });

  test('memory that two streams read is freed behind both', async () => {
    using a = new Stream('cuda');
    using b = new Stream('cuda');
    using large = await toDevice({ data: new Float32Array(2 ** 18), dims: [512, 512] }, 'cuda');
    for (const [first, second] of [
      [a, b],
      [b, a],
    ]) {
      const read = await toDevice(x, 'cuda');
      using _ = await nm.prune(large, { pattern: '2:4', ...on(first) }); // keeps the device busy
      using one = await nm.prune(read, { pattern: '2:4', ...on(first) });
      using two = await nm.prune(read, { pattern: '2:4', ...on(second) });
      read.dispose();
      expect((await one.to('cpu')).data).toEqual((await two.to('cpu')).data);
    }
  });

  test('memory is allocated in the order of a stream, and others come after that', async () => {
    using a = new Stream('cuda');
    using b = new Stream('cuda');
    const array = guarded(() => new native.DeviceArray(16, a.live()));
    const [data, back] = [Float32Array.of(1, 2, 3, 4), new Float32Array(4)];
    await array.upload(data, b.live());
    await array.download(back);
    expect(back).toEqual(data);
    array.dispose();
    for (const wrong of [7, {}, null, data] as never[])
      expect(() => new native.DeviceArray(16, wrong)).toThrow(/expected stream to be a Stream/);
  });

  test('host tensors go through a stream', async () => {
    using stream = new Stream('cuda');
    using plan = nm.plan(linear);
    expect((await plan.run(x, { stream })).data).toEqual((await plan.run(x)).data);
    using layer = conv.layer(convolution);
    const map = conv.map(sites, { kernelSize: 3 });
    expect((await layer.run(sites, map, { stream })).features).toEqual((await layer.run(sites, map)).features);
    using dense = attention.plan({ ...shape, kvHeads, pattern: attention.patterns.dense({ queryLength: 1, keyLength: keys }) });
    expect((await dense.run(q, k, k, { stream })).output.data).toEqual((await dense.run(q, k, k)).output.data);
  });

  test('one plan at once on several streams, reading the same tensor', async () => {
    using plan = nm.plan(linear);
    using there = await toDevice(x, 'cuda');
    const expected = (await plan.run(x)).data;
    const streams = Array.from({ length: 4 }, () => new Stream('cuda'));
    const results = await Promise.all(streams.flatMap((stream) => [plan.run(there, { stream }), plan.run(there, { stream })]));
    for (const y of results) expect((await y.to('cpu')).data).toEqual(expected);
    for (const stream of streams) stream.dispose();
  });

  test('synchronize() waits for what settled when it was queued', async () => {
    using stream = new Stream('cuda');
    using there = await toDevice(x, 'cuda');
    using pruned = await nm.prune(there, { pattern: '2:4', stream });
    await stream.synchronize();
    expect((await pruned.to('cpu')).data).toEqual(nm.prune(x, { pattern: '2:4' }).data);
  });

  test('work and results outlive a stream that is disposed of', async () => {
    const stream = new Stream('cuda');
    using plan = nm.plan(linear);
    using there = await toDevice(x, 'cuda');
    const running = plan.run(there, { stream });
    using pruned = await nm.prune(there, { pattern: '2:4', stream });
    stream.dispose();
    stream.dispose();
    expect((await (await running).to('cpu')).data).toEqual((await plan.run(x)).data);
    expect((await pruned.to('cpu')).data).toEqual(nm.prune(x, { pattern: '2:4' }).data);
    await expect(stream.synchronize()).rejects.toMatchObject({ code: 'ERR_SK_DISPOSED' });
    await expect(plan.run(there, { stream })).rejects.toMatchObject({ code: 'ERR_SK_DISPOSED' });
    await expect(nm.prune(there, { pattern: '2:4', stream })).rejects.toMatchObject({ code: 'ERR_SK_DISPOSED' });
    await expect(toDevice(x, 'cuda', { stream })).rejects.toMatchObject({ code: 'ERR_SK_DISPOSED' });
    await expect(there.to('cpu', { stream })).rejects.toMatchObject({ code: 'ERR_SK_DISPOSED' });
  });

  const wrong = { location: 'cuda' } as unknown as Stream;
  const bad: Record<string, [run: (there: DeviceTensor) => Promise<unknown>, code: string]> = {
    'spmm, something that is no stream': [(there) => nm.plan(linear).run(there, { stream: wrong }), 'ERR_SK_TYPE'],
    'spmm with host tensors, something that is no stream': [() => nm.plan(linear).run(x, { stream: wrong }), 'ERR_SK_TYPE'],
    'spmm into a given tensor, something that is no stream': [
      async (there) => {
        const plan = nm.plan(linear);
        return plan.run(there, { out: await plan.run(there), stream: wrong });
      },
      'ERR_SK_TYPE',
    ],
    'pool, a number': [(there) => attention.select(there, { topK: 1, stream: 7 as never }), 'ERR_SK_TYPE'],
    'a copy there, null': [() => toDevice(x, 'cuda', { stream: null as never }), 'ERR_SK_TYPE'],
    'a copy back, a string': [(there) => there.to('cpu', { stream: 'cuda' as never }), 'ERR_SK_TYPE'],
    'a misspelt option': [() => toDevice(x, 'cuda', { strem: undefined } as never), 'ERR_SK_OPTION'],
    'a plan of the CPU': [async () => nm.plan({ weight, pattern: '2:4' }).run(x, { stream: new Stream('cuda') } as never), 'ERR_SK_OPTION'],
    'pruning on the CPU': [async () => nm.prune(x, { pattern: '2:4', stream: new Stream('cuda') } as never), 'ERR_SK_OPTION'],
    'pooling on the CPU': [
      () => conv.maxPool(sites, conv.map(sites, { kernelSize: 3 }), { stream: new Stream('cuda') } as never),
      'ERR_SK_OPTION',
    ],
    'an unknown device': [async () => new Stream('rocm' as never), 'ERR_SK_OPTION'],
  };
  test.each(Object.entries(bad))('%s: a named error', async (_, [run, code]) => {
    using there = await toDevice(x, 'cuda');
    await expect((async () => run(there))()).rejects.toMatchObject({ code });
  });
});

test.runIf(where.startsWith('nowhere'))('without a device there is a named error', () => {
  expect(() => new Stream('cuda')).toThrow(expect.objectContaining({ code: 'ERR_SK_DEVICE' }));
});
