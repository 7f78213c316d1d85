import { DeviceTensor, filled, toDevice, useAll } from '../device-tensor.js';
import { rangeError } from '../errors.js';
import { cancellable } from '../handle.js';
import { native } from '../native.js';
import type { ConvMap } from './conv-map.js';
import { deviceMap, featuresOf } from './cuda-map.js';
import { rowsOf } from './sites.js';

/** Numbers for each output of a map, on the device: they come there once for each kind of pooling. */
const numbers = new WeakMap<ConvMap, Map<string, Promise<DeviceTensor | undefined>>>();

function numbersOf(map: ConvMap, kind: string, of: () => Promise<Float32Array | undefined>): Promise<DeviceTensor | undefined> {
  const known = numbers.get(map) ?? new Map<string, Promise<DeviceTensor | undefined>>();
  numbers.set(map, known);
  const found = known.get(kind);
  if (found) return found;
  const made = of().then((data) => data && toDevice({ data, dims: [data.length] }, 'cuda'));
  known.set(kind, made);
  made.catch(() => known.delete(kind));
  return made;
}

/** Pooling over a map on the device; nothing waits for it. */
export async function reduceOnDevice(
  x: DeviceTensor,
  map: ConvMap,
  max: boolean,
  kind: string,
  rowOf: () => Promise<Float32Array | undefined>,
  signal: AbortSignal | undefined,
): Promise<DeviceTensor> {
  const channels = x.dims.at(-1);
  if (channels === undefined || channels < 1 || x.dims.length !== 2) {
    throw rangeError('ERR_SK_SHAPE', `expected x to be [input sites, channels] but received dims [${x.dims.join(', ')}]`);
  }
  const type = featuresOf(x, map, channels);
  const there = deviceMap(map);
  return map.handle.use(async () => {
    const row = await numbersOf(map, kind, rowOf);
    const y = new DeviceTensor(x.type, [rowsOf(map.output), channels]);
    await filled({ y }, () =>
      cancellable(signal, (token) =>
        useAll({ x, y, row }, (arrays) => native.mapReduceCuda({ ...arrays, map: there, type, channels, max }, token)),
      ),
    );
    return y;
  });
}
