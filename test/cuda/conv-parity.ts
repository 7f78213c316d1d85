import { type CudaKernelInfo, conv, toDevice } from 'sparse-kernels';
import { type ConvCase, denseCases } from '../cases/conv.js';
import { denseTileCases } from '../cases/conv-tiles.js';
import type { Check } from '../kernels/check.js';
import { prepare } from '../kernels/conv-parity.js';
import { dotTolerance, firstMismatch, type Mismatch, maxAbs } from '../reference/compare.js';
import { activeRows } from '../reference/conv.js';
import { type HalfType, roundTo } from '../reference/round.js';
import { smallIntegers, uniform } from '../support/random.js';
import { randomVolume } from '../support/volumes.js';
import { differenceOfMaps, mapOnDevice } from './map-on-device.js';

/** All cases of dense layers, masked images among them, and some for the tiles of the CUDA kernel: 128 output rows, 64 outputs, 32 inputs. */
const cases: readonly ConvCase[] = [
  ...[...denseCases, ...denseTileCases].filter((c) => (c.groups ?? 1) === 1),
  {
    name: 'several row blocks, 65 outputs',
    mode: 'submanifold',
    shape: [20, 21],
    size: [3, 3],
    inputs: 33,
    outputs: 65,
    density: 0.8,
    bias: true,
  },
  { name: 'whole tiles', mode: 'submanifold', shape: [16, 16], size: [3, 3], inputs: 64, outputs: 128, density: 1, relu: true },
];

export function* mapmmChecks(row: CudaKernelInfo): Iterable<Check> {
  for (const c of cases) {
    yield {
      name: c.name,
      run: async () => (await compareWithOracle(c, row, smallIntegers, true)) ?? compareWithOracle(c, row, uniform, false),
    };
  }
}

async function compareWithOracle(c: ConvCase, row: CudaKernelInfo, fill: typeof uniform, exact: boolean): Promise<Mismatch | null> {
  const { size, stride = size.map(() => 1), dilation = size.map(() => 1) } = c;
  const padding = c.mode === 'submanifold' ? size.map((k, a) => ((k - 1) / 2) * (dilation[a] as number)) : (c.padding ?? size.map(() => 0));
  const rounded = (length: number, seed: number) => fill(length, seed).map((v) => roundTo(row.dtype as HalfType, v)); // what is multiplied
  const volume = randomVolume(c.batch ?? 1, c.shape, c.inputs, c.density, rounded, 1, c.cell);
  const volumeOfKernel = size.reduce((a, b) => a * b, 1);
  const weight = rounded(c.outputs * volumeOfKernel * c.inputs, 3);
  const bias = c.bias ? fill(c.outputs, 4) : undefined;
  const kernel = { weight, bias, out: c.outputs, groups: 1, size, stride, padding, dilation, relu: c.relu ?? false };
  using layer = conv.layer({
    weight: { data: weight, dims: [c.outputs, ...size, c.inputs] },
    ...(bias && { bias }),
    activation: c.relu ? 'relu' : 'none',
    dtype: row.dtype as HalfType,
    device: 'cuda',
  });
  if (layer.kernel !== row.name) throw new Error(`expected kernel ${row.name} but ${layer.kernel} was chosen`);
  const { x, map, expected } = prepare(c, volume, kernel);
  const wanted = activeRows(expected);
  const y = await layer.run(x, map);
  const tolerance = exact ? 0 : dotTolerance(volumeOfKernel * c.inputs, maxAbs(volume.data), maxAbs(weight), bias ? maxAbs(bias) : 0);
  const mismatch = firstMismatch(y.coords, wanted.coords, 0) ?? firstMismatch(y.features, wanted.features, tolerance);
  return mismatch ?? (exact ? await compareOnDevice(c, layer, x, map, wanted.features) : null);
}

/** The same where the map is built on the device, too. */
async function compareOnDevice(
  c: ConvCase,
  layer: conv.CudaLayer,
  x: conv.SparseTensor,
  map: conv.ConvMap,
  wanted: ArrayLike<number>,
): Promise<Mismatch | null> {
  const { mode, size: kernelSize, stride, padding, dilation, outputPadding } = c;
  const kernel = { kernelSize, ...(dilation && { dilation }) };
  const strided = { ...kernel, ...(stride && { stride }), ...(padding && { padding }), ...(outputPadding && { outputPadding }) };
  using there = await mapOnDevice(map, mode === 'submanifold' ? kernel : strided, mode === 'masked');
  using features = await toDevice({ data: x.features, dims: [x.features.length / c.inputs, c.inputs] }, 'cuda');
  using y = await layer.run(features, there);
  return (await differenceOfMaps(there, map)) ?? firstMismatch((await y.to('cpu')).data as Float32Array, wanted, 0);
}
