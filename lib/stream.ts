import type { NativeStream } from '../types/cuda.js';
import { typeError } from './errors.js';
import { guarded, NativeHandle } from './handle.js';
import { native } from './native.js';
import { describe, oneOf } from './validate.js';

/**
 * A queue of work on a CUDA device: what is put on one stream is done in the order of the calls, what is put on two may overlap. Everything that
 * works on a device takes one as its option `stream`; without it works the device's own.
 *
 * Streams need no care: work that reads a tensor waits, on the device, for the work of other streams that wrote it; work that writes one waits for
 * all its readers; and memory is used again only when all streams are done with it. A tensor that a run is to write (`out`) must not be used before
 * its promise settles.
 *
 * @example
 * ```ts
 * import { devices, nm, Stream, toDevice } from 'sparse-kernels';
 * if (devices().some((d) => d.type === 'cuda' && d.available)) {
 *   using stream = new Stream('cuda');
 *   using x = await toDevice({ data: new Float32Array(4 * 8).fill(1), dims: [4, 8] }, 'cuda', { stream });
 *   using pruned = await nm.prune(x, { pattern: '2:4', stream }); // the work is on the stream
 *   await stream.synchronize(); // it is done
 * }
 * ```
 */
export class Stream {
  /** Where it works. */
  readonly location = 'cuda';
  readonly #handle: NativeHandle<NativeStream>;

  /**
   * @param device - of which kind
   * @throws TypeError `ERR_SK_TYPE`, RangeError `ERR_SK_OPTION`, SparseKernelsError `ERR_SK_DEVICE` (no such device, and why) / `ERR_SK_CUDA`
   */
  constructor(device: 'cuda') {
    oneOf(device, 'device', ['cuda']);
    this.#handle = new NativeHandle('the stream', () => new native.Stream());
  }

  /**
   * Settles when all work is done that was put on the stream so far: by calls whose promises have settled, and maybe others.
   *
   * @throws (rejects) SparseKernelsError `ERR_SK_DISPOSED`, or `ERR_SK_CUDA` where work of the device failed
   */
  synchronize(): Promise<void> {
    return this.use((stream) => guarded(() => stream.synchronize()));
  }

  /** The stream of the addon. @internal */
  live(): NativeStream {
    return this.#handle.live();
  }

  /** Calls the addon with the stream, which stays until the promise settles. @internal */
  use<R>(work: (stream: NativeStream) => Promise<R>): Promise<R> {
    return this.#handle.use(work);
  }

  /** Ends it: what is on the stream will still be done, later use throws `ERR_SK_DISPOSED`. Calling it twice is fine. */
  dispose(): void {
    this.#handle.dispose();
  }

  /** `using stream = new Stream('cuda')` disposes at the end of the block. */
  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** What everything that works on a device takes. */
export interface StreamOption {
  /** Where the work goes; default: the device's own stream. */
  readonly stream?: Stream | undefined;
}

/** The stream that an option names, checked; undefined for the device's own. */
export function streamOption(stream: unknown): Stream | undefined {
  if (stream === undefined || stream instanceof Stream) return stream;
  throw typeError('ERR_SK_TYPE', `expected stream to be a Stream but received ${describe(stream)}`);
}
