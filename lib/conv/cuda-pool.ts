import { type DeviceCallOptions, DeviceTensor, deviceCall, filled, toDevice } from '../device-tensor.js';
import { rangeError } from '../errors.js';
import { native } from '../native.js';
import type { ConvMap } from './conv-map.js';
import { CudaMap } from './cuda-conv-map.js';
import { deviceMap, featuresOf } from './cuda-map.js';
import { rowsOf } from './sites.js';
import { windowAxes } from './windows.js';

/** Numbers for each output of a map: what a maximum starts with, what a sum is multiplied by. The index of enum WindowNumber. */
const kinds = ['max skip', 'max zero', 'avg active', 'avg inside', 'avg kernel'] as const;
/** Which of them, if any. */
export type PoolNumbers = (typeof kinds)[number] | 'avg none';

/** They are on the device, and are made once for each kind of pooling. */
const numbers = new WeakMap<ConvMap | CudaMap, Map<string, Promise<DeviceTensor | undefined>>>();

function numbersOf(
  map: ConvMap | CudaMap,
  kind: PoolNumbers,
  ofHost: (map: ConvMap) => Promise<Float32Array | undefined>,
): Promise<DeviceTensor | undefined> {
  const known = numbers.get(map) ?? new Map<string, Promise<DeviceTensor | undefined>>();
  numbers.set(map, known);
  const found = known.get(kind);
  if (found) return found;
  const made =
    map instanceof CudaMap
      ? numbersOnDevice(map, kind)
      : ofHost(map).then((data) => data && toDevice({ data, dims: [data.length] }, 'cuda'));
  known.set(kind, made);
  made.catch(() => known.delete(kind));
  return made;
}

/** Nothing waits for them. */
async function numbersOnDevice(map: CudaMap, kind: PoolNumbers): Promise<DeviceTensor | undefined> {
  if (kind === 'avg none') return undefined;
  const asksForGrid = kind === 'max zero' || kind === 'avg inside';
  const windows = asksForGrid
    ? Int32Array.from(windowAxes(map).flatMap(({ cells, first, dilation, stride, extent }) => [cells, first, dilation, stride, extent]))
    : undefined;
  const result = { numbers: new DeviceTensor('float32', [rowsOf(map.output)]) };
  const there = map.handle.live();
  await filled(result, () =>
    deviceCall({}, { ...result, coords: asksForGrid ? map.coords : undefined }, (arrays, call) =>
      native.mapWindowsCuda({ ...arrays, map: there, kind: kinds.indexOf(kind), windows }, call),
    ),
  );
  return result.numbers;
}

/** Pooling over a map on the device; nothing waits for it. */
export async function reduceOnDevice(
  x: DeviceTensor,
  map: ConvMap | CudaMap,
  kind: PoolNumbers,
  ofHost: (map: ConvMap) => Promise<Float32Array | undefined>,
  where: DeviceCallOptions,
): Promise<DeviceTensor> {
  const channels = x.dims.at(-1);
  if (channels === undefined || channels < 1 || x.dims.length !== 2) {
    throw rangeError('ERR_SK_SHAPE', `expected x to be [input sites, channels] but received dims [${x.dims.join(', ')}]`);
  }
  const type = featuresOf(x, map, channels);
  const there = deviceMap(map);
  return map.handle.use(async () => {
    const row = await numbersOf(map, kind, ofHost);
    const y = new DeviceTensor(x.type, [rowsOf(map.output), channels], where.stream);
    const max = kind.startsWith('max');
    await filled({ y }, () =>
      deviceCall(where, { x, y, row }, (arrays, call) => native.mapReduceCuda({ ...arrays, map: there, type, channels, max }, call)),
    );
    return y;
  });
}
