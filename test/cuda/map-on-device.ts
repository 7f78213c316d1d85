/** Maps of host memory once more, built on the device from copies of their sites. */
import { conv, type DeviceTensor, toDevice } from 'sparse-kernels';
import { firstMismatch, type Mismatch } from '../reference/compare.js';

/** Copies of sites. */
export async function sitesOnDevice({ coords, spatialShape, batchSize }: conv.Sites): Promise<conv.DeviceSites> {
  const width = 1 + spatialShape.length;
  const there = await toDevice({ data: coords, dims: [coords.length / width, width] }, 'cuda');
  return { coords: there as DeviceTensor<'int32'>, spatialShape, batchSize };
}

type Kernel = Omit<conv.CudaMapOptions, 'mode' | 'outputs' | 'paired' | 'signal'>;

/** The map of the same sites and kernel; output sites that are given (`masked`) are copied, too. An inverse undoes a strided map. */
export async function mapOnDevice(map: conv.ConvMap, kernel: Kernel, masked = false): Promise<conv.CudaMap> {
  const { mode } = map;
  if (mode === 'inverse') {
    const paired = await conv.mapAsync(await sitesOnDevice(map.output), { ...kernel, mode: 'sparse' });
    return conv.mapAsync(paired.output, { mode, paired });
  }
  const outputs = masked ? await sitesOnDevice(map.output) : undefined;
  return conv.mapAsync(await sitesOnDevice(map.input), { ...kernel, mode, ...(outputs && { outputs }) });
}

/** Whether both have the same sites and pairs, bit for bit. */
export async function differenceOfMaps(there: conv.CudaMap, map: conv.ConvMap): Promise<Mismatch | null> {
  if (there.pairCount !== map.pairCount) throw new Error(`expected ${map.pairCount} pairs but received ${there.pairCount}`);
  if (String(there.spatialShape) !== String(map.spatialShape)) throw new Error(`expected a grid of ${map.spatialShape}`);
  const [pairs, expected] = [await there.pairs(), map.pairs()];
  return (
    firstMismatch((await there.coords.to('cpu')).data, map.coords, 0) ??
    firstMismatch(pairs.starts, expected.starts, 0) ??
    firstMismatch(pairs.in, expected.in, 0) ??
    firstMismatch(pairs.out, expected.out, 0)
  );
}
