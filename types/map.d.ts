/** The verb map, part of the contract of the raw addon. */
import type { NativeCancelToken } from './cancel.js';
import type { NativeDeviceArray, NativeDeviceCall, NativeStream } from './cuda.js';

export interface NativeMapGeometry {
  batch: number;
  inShape: Int32Array;
  outShape: Int32Array;
  stride: Int32Array;
  /** [groups, axes] */
  offsets: Int32Array;
  /** native/map/map.h, enum MapOutputs. */
  outputs: number;
  transposed: boolean;
}

export interface NativeMapOptions extends NativeMapGeometry {
  /** [n, 1 + axes], batch index first, ascending. */
  coords: Int32Array;
  /** Output sites, where they are given. */
  outCoords: Int32Array | undefined;
}

export interface NativeDeviceMapOptions extends NativeMapGeometry {
  /** int32 [rows, 1 + axes] */
  coords: NativeDeviceArray;
  rows: number;
  /** int32 [outRows, 1 + axes], where they are given. */
  outCoords: NativeDeviceArray | undefined;
  outRows: number | undefined;
}

/** Numbers for each output: native/map/cuda/kernel.h. */
export interface NativeMapWindowsOptions {
  map: NativeDeviceMap;
  /** enum WindowNumber */
  kind: number;
  /** float32 [outRows] */
  numbers: NativeDeviceArray;
  /** int32 [outRows, 1 + axes] and struct WindowAxis [axes], of the kinds that ask for the grid. */
  coords: NativeDeviceArray | undefined;
  windows: Int32Array | undefined;
}

export interface NativeKernelMap {
  readonly inRows: number;
  readonly outRows: number;
  readonly pairs: number;
  readonly bytes: number;
  /** coords [outRows, 1 + axes], of a map that found its output sites itself. */
  readOutCoords(coords: Int32Array): void;
  /** starts [groups + 1], in [pairs], out [pairs] */
  readPairs(starts: Int32Array, inRows: Int32Array, outRows: Int32Array): void;
  /** counts [outRows]: pairs of every output row; JavaScript must not have seen the buffer. */
  countInputs(counts: Int32Array): Promise<void>;
  /** Off the event loop, into a map that was made from undefined; coords and outCoords are copied. It is one after take(). */
  build(options: NativeMapOptions, cancel: NativeCancelToken | undefined): Promise<void>;
  take(): void;
  dispose(): void;
}

/** Of the host: it comes to the device with the first run that needs it there. Or built there. */
export interface NativeDeviceMap {
  /** Into a map that was made from undefined. It is one after take(). */
  build(options: NativeDeviceMapOptions, call: NativeDeviceCall): Promise<void>;
  /** The same, of one that was built on the device, in and out exchanged. */
  swap(map: NativeDeviceMap, call: NativeDeviceCall): Promise<void>;
  take(): void;
  readonly inRows: number;
  readonly outRows: number;
  /** As the next two only of maps that were built on the device. */
  readonly pairs: number;
  readonly bytes: number;
  /** starts [groups + 1], in [pairs], out [pairs]; JavaScript must not have seen the buffers. */
  readPairs(starts: Int32Array, inRows: Int32Array, outRows: Int32Array, stream?: NativeStream): Promise<void>;
  dispose(): void;
}

export interface NativeMaps {
  KernelMap: new (options: NativeMapOptions | { swapped: NativeKernelMap } | undefined) => NativeKernelMap;
  /** order [n]: the rows of coords [n, 1 + axes] in ascending key; true if they were so already. */
  sortSites(coords: Int32Array, batch: number, shape: Int32Array, order: Int32Array): boolean;
  /** The same off the event loop; JavaScript must not have seen the buffer of order. */
  sortSitesRun(coords: Int32Array, batch: number, shape: Int32Array, order: Int32Array): Promise<void>;
  DeviceMap: new (map: NativeKernelMap | undefined) => NativeDeviceMap;
  /** The promise does not wait for the device. */
  mapWindowsCuda(options: NativeMapWindowsOptions, call: NativeDeviceCall): Promise<void>;
}
