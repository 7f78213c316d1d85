import { conv, type Isa } from 'sparse-kernels';
import { type ConvCase, type ConvPattern, convCase, convCases, parsePointwise } from '../cases/conv.js';
import { denseConv, denseMatMul } from '../competitors/onnxruntime.js';
import { peakBytes } from '../memory.js';
import { productOracle } from '../oracle.js';
import { normals, randomSource } from '../random.js';
import type { Conditions, Contest, Suite, Workload } from '../suite.js';
import { curves } from './conv-summary.js';
import { pointwiseLayer } from './pointwise.js';

const patterns: readonly ConvPattern[] = ['spark', 'surface', 'map'];

/** Sparse convolution against dense layers. */
export const convSuite: Suite<ConvCase> = {
  name: 'conv',
  cases: convCases,
  shapeKeys: ['batch', 'size', 'in', 'out'],
  patternHint: `${patterns.join(', ')}, 1x1-P% or 1x1-P%-B with B of 2 or 4`,
  isPattern: (text) => patterns.includes(text as ConvPattern) || parsePointwise(text) !== undefined,
  caseOf: ({ batch = 1, size = 7, in: inputs = 1, out = 1 }, pattern) => convCase({ batch, size, in: inputs, out }, pattern as ConvPattern),
  prepare: ({ shape, pattern }) => {
    const pointwise = parsePointwise(pattern);
    if (pointwise) return pointwiseLayer(shape, pointwise);
    return pattern === 'spark' ? sparkLayer(shape) : surfaceLayer(shape, pattern);
  },
  summary: curves,
};

type Shape = ConvCase['shape'];

/** Whether no case ran in this process yet, whose freed memory would hide a peak. */
let fresh = true;

/** What both kinds share: a layer of ours on a map, checked at some sites. */
function layerOn(x: conv.SparseTensor, kernel: number[], shape: Shape) {
  let map: conv.ConvMap | undefined;
  const measures = fresh;
  fresh = false;
  const making = peakBytes(() => {
    map = conv.map(x, { kernelSize: kernel });
  });
  return layerOf(x, map as unknown as conv.ConvMap, measures ? making : undefined, kernel, shape);
}

function layerOf(x: conv.SparseTensor, map: conv.ConvMap, making: number | undefined, kernel: number[], { in: inputs, out }: Shape) {
  const volume = map.kernelVolume;
  const weight = { data: normals(out * volume * inputs, 1), dims: [out, ...kernel, inputs] };
  const check = siteOracle(x, map, weight.data, out);
  const side = ({ threads, isa }: Conditions) => {
    const layer = conv.layer({ weight, threads, ...(isa !== undefined && { isa: isa as Isa }) });
    const y = new Float32Array((x.features.length / inputs) * out).fill(Number.NaN); // its pages are there
    const running = peakBytes(() => layer.runSync(x, map, { out: y }));
    const peak = making === undefined || running === undefined ? undefined : { made: map.bytes, making, running };
    return { layer, peak, run: async () => (await layer.run(x, map, { out: y })).features };
  };
  const flops = 2 * map.pairCount * inputs * out;
  return { map, weight, check, side, flops, bytes: 4 * (x.features.length / inputs) * (inputs + out) };
}

function sparkLayer(shape: Shape): Workload {
  const { batch, size, in: inputs, out } = shape;
  const dense = { data: normals(batch * inputs * size * size, 2), dims: [batch, inputs, size, size] };
  const x = conv.fromDense(dense, { data: cells(batch), dims: [batch, 7, 7] });
  const ours = layerOn(x, [3, 3], shape);
  const visible = conv.toDense(x); // what a dense network sees of a masked image
  const weight = new Float32Array(ours.weight.data.length); // [out, in, 3, 3]
  for (let i = 0; i < weight.length; i++) {
    const [o, k, channel] = [Math.floor(i / (9 * inputs)), Math.floor(i / inputs) % 9, i % inputs];
    weight[(o * inputs + channel) * 9 + k] = ours.weight.data[i] as number;
  }
  return async (conditions) => {
    const { layer, run } = ours.side(conditions);
    const peer = await denseConv({ ...shape, kernel: 3, x: visible.data, weight, threads: conditions.threads });
    const runPeer = () => peer.run();
    const atSites = (y: Float32Array) =>
      conv.fromDense({ data: y, dims: [batch, out, size, size] }, { data: cells(batch), dims: [batch, 7, 7] }).features;
    return {
      ...{ kernel: layer.kernel, peer: peer.name, runOurs: run, runPeer, flops: ours.flops },
      denseFlops: 2 * batch * size * size * 9 * inputs * out,
      bytes: ours.bytes,
      denseBytes: 4 * batch * size * size * (inputs + out),
      verify: async () => problems([layer.kernel, ours.check(await run())], [peer.name, ours.check(atSites(await runPeer()))]),
    };
  };
}

function surfaceLayer(shape: Shape, pattern: ConvPattern): Workload {
  const { size, in: inputs } = shape;
  const { coords, extent } = terrain(size);
  const voxels = coords.length / 4;
  const x = conv.tensor({ coords, features: normals(voxels * inputs, 2), spatialShape: [extent, extent, extent] });
  const ours = layerOn(x, [3, 3, 3], shape);
  const product = pattern === 'map' ? undefined : equalProduct(voxels, ours.map.pairCount, shape);
  const compare = product && productOracle(product);
  return async (conditions) => {
    const { layer, run, peak } = ours.side(conditions);
    const figures = { denseFlops: ours.flops, bytes: ours.bytes, denseBytes: ours.bytes, ...(peak && { peak }) };
    if (product === undefined || compare === undefined)
      return mapContest(x, ours.map, { kernel: layer.kernel, run, check: ours.check }, figures);
    const peer = await denseMatMul({ ...product, threads: conditions.threads, copies: 1 });
    const runPeer = async () => {
      for (let turn = 1; turn < product.turns; turn++) await peer.run();
      return peer.run();
    };
    return {
      ...{ kernel: layer.kernel, peer: peer.name, runOurs: run, runPeer, flops: ours.flops, ...figures },
      verify: async () => problems([layer.kernel, ours.check(await run())], [peer.name, compare(await peer.run())]),
    };
  };
}

/** As many multiply-adds in the shape that suits a MatMul best: one row per voxel, its neighbours side by side. Of many voxels, in turns. */
function equalProduct(voxels: number, pairs: number, { in: inputs, out }: Shape) {
  const turns = Math.ceil(voxels / 150_000);
  const tokens = Math.round(voxels / turns);
  const columns = Math.round((pairs * inputs) / voxels);
  return { turns, tokens, in: columns, out, x: normals(tokens * columns, 3), weight: normals(out * columns, 4) };
}

/** The map is the contestant, its layer the measure. */
function mapContest(
  x: conv.SparseTensor,
  map: conv.ConvMap,
  layer: { kernel: string; run: () => Promise<Float32Array>; check: (y: Float32Array) => string | undefined },
  figures: Pick<Contest, 'denseFlops' | 'bytes' | 'denseBytes' | 'peak'>,
): Contest {
  const build = async () => conv.map(x, { kernelSize: 3 });
  const same = (built: conv.ConvMap) => (built.pairCount === map.pairCount ? undefined : 'another number of pairs');
  return {
    ...{ kernel: 'map', peer: layer.kernel, flops: 0, ...figures, bytes: map.bytes },
    runOurs: async () => (await build()).dispose(),
    runPeer: layer.run,
    verify: async () => problems(['map', same(await build())], [layer.kernel, layer.check(await layer.run())]),
  };
}

function problems(...sides: [string, string | undefined][]): string[] {
  return sides.flatMap(([side, problem]) => (problem === undefined ? [] : [`${side}: ${problem}`]));
}

/** 20 of the 49 cells of each image, as SparK draws them. */
function cells(batch: number): Uint8Array {
  const next = randomSource(11);
  const mask = new Uint8Array(batch * 49);
  for (let sample = 0; sample < batch; sample++) {
    const order = Array.from({ length: 49 }, (_, cell) => ({ cell, key: next() })).sort((a, b) => a.key - b.key);
    for (const { cell } of order.slice(0, 20)) mask[sample * 49 + cell] = 1;
  }
  return mask;
}

const terrains = new Map<number, { coords: Int32Array; extent: number }>();

/** About so many voxels of a hilly surface: one per column, and those that close the steps between columns. */
function terrain(voxels: number): { coords: Int32Array; extent: number } {
  const made = terrains.get(voxels) ?? makeTerrain(voxels);
  terrains.set(voxels, made);
  return made;
}

function makeTerrain(voxels: number): { coords: Int32Array; extent: number } {
  const width = Math.round(Math.sqrt(voxels / 1.35));
  const height = (y: number, x: number) =>
    Math.round(width / 2 + 0.12 * width * (Math.sin(9 * (y / width)) + Math.cos(7 * (x / width)) + 0.5 * Math.sin(23 * ((x + y) / width))));
  const sites: number[] = [];
  for (let y = 0; y < width; y++) {
    for (let x = 0; x < width; x++) {
      const low = Math.min(height(y, x), height(y, x + 1) + 1, height(y + 1, x) + 1);
      for (let z = low; z <= height(y, x); z++) sites.push(0, z, y, x);
    }
  }
  const extent = width + 64;
  const { coords } = conv.tensor({
    coords: Int32Array.from(sites),
    features: new Float32Array(sites.length / 4),
    spatialShape: [extent, extent, extent],
  });
  return { coords, extent };
}

/** Sums some outputs in float64 from the coordinates of all sites, without the pairs of the map. */
function siteOracle(x: conv.SparseTensor, map: conv.ConvMap, weight: Float32Array, out: number) {
  const axes = x.spatialShape.length;
  const width = 1 + axes;
  const sites = x.coords.length / width;
  // Sites ascend.
  const rowOf = (site: readonly number[]): number | undefined => {
    const order = (row: number) => {
      for (let i = 0; i < width; i++) {
        const difference = (x.coords[row * width + i] as number) - (site[i] as number);
        if (difference !== 0) return difference;
      }
      return 0;
    };
    let [low, high] = [0, sites];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (order(middle) < 0) low = middle + 1;
      else high = middle;
    }
    return low < sites && order(low) === 0 ? low : undefined;
  };
  const next = randomSource(5);
  const kernel = map.kernelSize as readonly number[];
  const expected = Array.from({ length: 400 }, () => {
    const [row, o] = [next() % sites, next() % out];
    let [sum, magnitude] = [0, 0];
    for (let k = 0; k < map.kernelVolume; k++) {
      const site = [...x.coords.subarray(row * width, (row + 1) * width)];
      for (let axis = axes - 1, rest = k; axis >= 0; axis--) {
        const extent = kernel[axis] as number;
        site[1 + axis] = (site[1 + axis] as number) + (rest % extent) - (extent - 1) / 2;
        rest = Math.floor(rest / extent);
      }
      const from = rowOf(site);
      for (let i = 0; from !== undefined && i < x.channels; i++) {
        const term = (x.features[from * x.channels + i] as number) * (weight[(o * map.kernelVolume + k) * x.channels + i] as number);
        sum += term;
        magnitude += Math.abs(term);
      }
    }
    return { at: row * out + o, sum, tolerance: 2 ** -20 * magnitude };
  });
  return (y: Float32Array): string | undefined => {
    if (y.some(Number.isNaN)) return 'an output is NaN';
    const bad = expected.find(({ at, sum, tolerance }) => !(Math.abs((y[at] as number) - sum) <= tolerance));
    return bad && `output ${bad.at} is ${y[bad.at]}, expected ${bad.sum}`;
  };
}
