/** Maps on a device, and features that lie at their sites. */
import type { NativeDeviceMap } from '../../types/conv.js';
import { type DeviceTensor, deviceOperand } from '../device-tensor.js';
import { rangeError } from '../errors.js';
import { native } from '../native.js';
import type { ConvMap } from './conv-map.js';
import { rowsOf } from './sites.js';

/** In the order of DType in native/core/tensor.h. */
export const types = ['float32', 'float16', 'bfloat16'] as const;

/** Maps that are on the device, or come there with their first run; they go when the map does. */
const deviceMaps = new WeakMap<ConvMap, NativeDeviceMap>();

export function deviceMap(map: ConvMap): NativeDeviceMap {
  const source = map.handle.live();
  const there = deviceMaps.get(map) ?? new native.DeviceMap(source);
  deviceMaps.set(map, there);
  return there;
}

/** Features of so many channels at the input sites of a map: the number of their type. */
export function featuresOf(x: DeviceTensor, map: ConvMap, channels: number): number {
  const rows = deviceOperand(x, 'x', types, channels);
  if (rows === rowsOf(map.input)) return types.indexOf(x.type as 'float32');
  throw rangeError('ERR_SK_SHAPE', `expected x to have the ${rowsOf(map.input)} input sites of the map but received ${rows} rows`);
}
