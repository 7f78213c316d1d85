// The process of one simulated case: a map that is built on the device, compared with that of the CPU. GPUSIM_REPORT then has its launches.
//   mapped.ts width same|down
import { conv, type DeviceTensor, toDevice } from 'sparse-kernels';
import { mapKinds, surface } from './surface.js';

const [width, kind = ''] = process.argv.slice(2);
const { coords, spatialShape, batchSize } = surface(Number(width), 1);
const options = mapKinds[kind as keyof typeof mapKinds];
const there = await toDevice({ data: coords, dims: [coords.length / 4, 4] }, 'cuda');
using map = await conv.mapAsync({ coords: there as DeviceTensor<'int32'>, spatialShape, batchSize }, options);
const [pairs, expected] = [await map.pairs(), conv.map({ coords, spatialShape, batchSize }, options).pairs()];
for (const list of ['starts', 'in', 'out'] as const) {
  if (!Buffer.from(pairs[list].buffer).equals(Buffer.from(expected[list].buffer)))
    throw new Error(`${kind}: other ${list} than on the CPU`);
}
