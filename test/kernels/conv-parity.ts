import { conv, type KernelInfo } from 'sparse-kernels';
import { type ConvCase, denseCases, depthwiseCases } from '../cases/conv.js';
import { denseTileCases, depthwiseTileCases } from '../cases/conv-tiles.js';
import { dotTolerance, firstMismatch, type Mismatch, maxAbs } from '../reference/compare.js';
import { activeRows, denseConv, type Volume } from '../reference/conv.js';
import { misaligned, smallIntegers, uniform } from '../support/random.js';
import { randomVolume, sparse } from '../support/volumes.js';
import type { Check } from './check.js';

export function* mapmmChecks(row: KernelInfo): Iterable<Check> {
  const cases = row.pattern === 'depthwise' ? [depthwiseCases, depthwiseTileCases] : [denseCases, denseTileCases];
  for (const c of cases.flat()) {
    yield { name: c.name, run: () => compareWithOracle(c, row, smallIntegers, true) ?? compareWithOracle(c, row, uniform, false) };
  }
}

type Fill = (length: number, seed: number) => Float32Array;

/** Runs one case on one kernel row, synchronously; sites and features must be those of the oracle. */
function compareWithOracle(c: ConvCase, row: KernelInfo, fill: Fill, exact: boolean): Mismatch | null {
  const axes = c.shape.length;
  const ones = new Array<number>(axes).fill(1);
  const zeros = new Array<number>(axes).fill(0);
  const { size, stride = ones, dilation = ones, groups = 1 } = c;
  const padding = c.mode === 'submanifold' ? size.map((k, a) => ((k - 1) / 2) * (dilation[a] as number)) : (c.padding ?? zeros);
  const volume = randomVolume(c.batch ?? 1, c.shape, c.inputs, c.density, fill, 1, c.cell);
  const place = c.misaligned ? misaligned : (a: Float32Array) => a;
  const weight = place(fill((c.outputs * size.reduce((a, b) => a * b, 1) * c.inputs) / groups, 3));
  const bias = c.bias ? fill(c.outputs, 4) : undefined;
  const kernel = { weight, bias, out: c.outputs, groups, size, stride, padding, dilation, relu: c.relu ?? false };
  using layer = conv.layer({
    weight: { data: weight, dims: [c.outputs, ...size, c.inputs / groups] },
    ...(bias && { bias }),
    activation: c.relu ? 'relu' : 'none',
    groups,
    isa: row.isa,
  });
  if (layer.kernel !== row.name) throw new Error(`expected kernel ${row.name} but ${layer.kernel} was chosen`);
  const { x, map, expected } = prepare(c, volume, kernel);
  const wanted = activeRows(expected);
  const misplaced = firstMismatch(map.coords, wanted.coords, 0);
  if (misplaced) return misplaced;
  const nest = layer.gathers(map);
  if (nest !== (c.cell ? 'tiles' : 'pairs')) throw new Error(`expected the other nest than ${nest}`);
  const out = place(new Float32Array(wanted.features.length).fill(Number.NaN)); // an element that is not written fails
  const y = layer.runSync({ ...x, features: place(x.features) }, map, { out });
  const terms = (size.reduce((a, b) => a * b, 1) * c.inputs) / groups;
  const tolerance = exact ? 0 : dotTolerance(terms, maxAbs(volume.data), maxAbs(weight), bias ? maxAbs(bias) : 0);
  return firstMismatch(y.features, wanted.features, tolerance);
}

/** The tensor and the map of a case, and what the oracle makes of them. */
export function prepare(c: ConvCase, volume: Volume, kernel: Parameters<typeof denseConv>[1]) {
  const { size, stride, padding, dilation } = kernel;
  const span = size.map((k, a) => (dilation[a] as number) * (k - 1) + 1);
  const down = c.shape.map((n, a) => Math.floor((n + 2 * (padding[a] as number) - (span[a] as number)) / (stride[a] as number)) + 1);
  const up = c.shape.map(
    (n, a) => (n - 1) * (stride[a] as number) - 2 * (padding[a] as number) + (span[a] as number) + (c.outputPadding?.[a] ?? 0),
  );
  const x = sparse(volume);
  const options = { kernelSize: size, stride, padding, dilation };
  switch (c.mode) {
    case 'submanifold':
      return {
        x,
        map: conv.map(x, { kernelSize: size, dilation }),
        expected: denseConv(volume, kernel, c.shape, false, volume.active),
      };
    case 'sparse':
      return { x, map: conv.map(x, { ...options, mode: 'sparse' }), expected: denseConv(volume, kernel, down, false) };
    case 'masked': {
      const mask = randomVolume(volume.batch, down, 1, 0.5, smallIntegers, 9);
      return {
        x,
        map: conv.map(x, { ...options, mode: 'sparse', outputs: sparse(mask) }),
        expected: denseConv(volume, kernel, down, false, mask.active),
      };
    }
    case 'transposed':
      return {
        x,
        map: conv.map(x, { ...options, mode: 'transposed', ...(c.outputPadding && { outputPadding: c.outputPadding }) }),
        expected: denseConv(volume, kernel, up, true),
      };
    case 'inverse': {
      // x is at the output sites of a strided map; its inverse leads back to the sites of `fine`.
      const fine = randomVolume(volume.batch, c.shape, 1, c.density, smallIntegers, 5);
      const paired = conv.map(sparse(fine), { ...options, mode: 'sparse' });
      const coarse = denseConv(
        fine,
        { ...kernel, weight: new Float32Array(size.reduce((a, b) => a * b, 1)), out: 1, groups: 1, bias: [1] },
        down,
        false,
      );
      const features = randomVolume(volume.batch, down, c.inputs, 1, (n, seed) =>
        Float32Array.from(volume.data.subarray(0, n), (v) => v || seed),
      );
      const at: Volume = {
        ...features,
        active: coarse.active,
        data: features.data.map((v, e) => (coarse.active[Math.floor(e / c.inputs)] ? v : 0)),
      };
      const y = sparse(at);
      return { x: y, map: conv.map(y, { mode: 'inverse', paired }), expected: denseConv(at, kernel, c.shape, true, fine.active) };
    }
  }
}

/** Weight gradients: exact, as dy and x are small integers; against a sum over the pairs of the map, which mapmm's checks vouch for. */
export function* mapouterChecks(row: KernelInfo): Iterable<Check> {
  const shapes = [
    [1, 1, 1],
    [6, 32, 1],
    [7, 17, 1],
    [32, 64, 1],
    [100, 130, 1],
    [12, 20, 4],
    [19, 19, 19],
  ] as const;
  for (const [inputs, outputs, groups] of shapes) {
    for (const density of [0, 0.1, 0.7]) {
      yield {
        name: `${inputs} -> ${outputs}, ${groups} groups, density ${density}`,
        run: async () =>
          (await compareWeightGradient(row, inputs, outputs, groups, density, smallIntegers, true)) ??
          compareWeightGradient(row, inputs, outputs, groups, density, uniform, false),
      };
    }
  }
}

async function compareWeightGradient(
  row: KernelInfo,
  inputs: number,
  outputs: number,
  groups: number,
  density: number,
  fill: Fill,
  exact: boolean,
): Promise<Mismatch | null> {
  const x = sparse(randomVolume(1, [17, 16], inputs, density, fill));
  const map = conv.map(x, { mode: 'sparse', kernelSize: [3, 2], stride: [1, 2], padding: 1 });
  const dy = {
    ...x,
    coords: map.coords,
    spatialShape: map.spatialShape,
    channels: outputs,
    features: fill((map.coords.length / 3) * outputs, 8),
  };
  const { starts, in: from, out } = map.pairs();
  const [inGroup, outGroup] = [inputs / groups, outputs / groups];
  const expected = new Float64Array(outputs * 6 * inGroup);
  for (let k = 0; k < 6; k++) {
    for (let p = starts[k] as number; p < (starts[k + 1] as number); p++) {
      for (let o = 0; o < outputs; o++) {
        for (let i = 0; i < inGroup; i++) {
          const a = x.features[(from[p] as number) * inputs + Math.floor(o / outGroup) * inGroup + i] as number;
          const at = (o * 6 + k) * inGroup + i;
          expected[at] = (expected[at] as number) + a * (dy.features[(out[p] as number) * outputs + o] as number);
        }
      }
    }
  }
  const dw = await conv.weightGradient(x, dy, map, { groups, isa: row.isa });
  return firstMismatch(dw.data, expected, exact ? 0 : dotTolerance(17 * 16, 1, 1, 0));
}
