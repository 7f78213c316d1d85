/** The contract of device memory in the raw addon. */

import type { NativeCancelToken } from './cancel.js';

/** Device memory. */
export interface NativeDeviceArray {
  /** Reads `data` before the call returns. */
  upload(data: ArrayBufferView, stream?: NativeStream): Promise<void>;
  /** JavaScript must not have seen the buffer of `data`. */
  download(data: ArrayBufferView, stream?: NativeStream): Promise<void>;
  dispose(): void;
}

export interface NativeStream {
  synchronize(): Promise<void>;
  dispose(): void;
}

/** What every call that works on a device takes last. */
export interface NativeDeviceCall {
  cancel: NativeCancelToken | undefined;
  /** undefined: the device's own. */
  stream: NativeStream | undefined;
}

/** The CUDA device, or why there is none. */
export interface NativeCudaDevice {
  reason?: string;
  name: string;
  multiprocessors: number;
  /** 8.6: sm_86. */
  computeCapability: number;
  memoryBytes: number;
  /** Copies since the device was opened. */
  uploads: number;
  uploadedBytes: number;
  downloads: number;
  downloadedBytes: number;
}

export interface NativeCuda {
  /** Of so many bytes, or the output sites that a map found. */
  DeviceArray: new (
    bytesOrMap: number | { readonly outRows: number },
    stream?: NativeStream,
  ) => NativeDeviceArray;
  Stream: new () => NativeStream;
  cudaDevice(): NativeCudaDevice;
}
