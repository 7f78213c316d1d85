/** Maps of either side on a device, and features that lie at their sites. */
import type { NativeDeviceMap } from '../../types/map.js';
import { type DeviceTensor, deviceOperand } from '../device-tensor.js';
import { rangeError, typeError } from '../errors.js';
import { native } from '../native.js';
import { describe } from '../validate.js';
import { ConvMap } from './conv-map.js';
import { CudaMap } from './cuda-conv-map.js';
import { rowsOf } from './sites.js';

/** In the order of DType in native/core/tensor.h. */
export const types = ['float32', 'float16', 'bfloat16'] as const;

/** A map of host memory or of the device, or ERR_SK_TYPE. */
export function anyMap(map: unknown): ConvMap | CudaMap {
  if (map instanceof ConvMap || map instanceof CudaMap) return map;
  throw typeError('ERR_SK_TYPE', `expected map to be a map (conv.map, conv.mapAsync) but received ${describe(map)}`);
}

/** Maps of the host that come to the device with their first run; they go when the map does. */
const deviceMaps = new WeakMap<ConvMap, NativeDeviceMap>();

export function deviceMap(map: ConvMap | CudaMap): NativeDeviceMap {
  if (map instanceof CudaMap) return map.handle.live();
  const source = map.handle.live();
  const there = deviceMaps.get(map) ?? new native.DeviceMap(source);
  deviceMaps.set(map, there);
  return there;
}

/** Features of so many channels at the input sites of a map: the number of their type. */
export function featuresOf(x: DeviceTensor, map: ConvMap | CudaMap, channels: number): number {
  const rows = deviceOperand(x, 'x', types, channels);
  if (rows === rowsOf(map.input)) return types.indexOf(x.type as 'float32');
  throw rangeError('ERR_SK_SHAPE', `expected x to have the ${rowsOf(map.input)} input sites of the map but received ${rows} rows`);
}
