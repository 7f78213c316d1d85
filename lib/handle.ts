import { fromNative, SparseKernelsError, typeError } from './errors.js';
import { native } from './native.js';
import { describe } from './validate.js';

/** A native object that `dispose()` frees: at once, or when the asynchronous runs that use it have ended. */
export class NativeHandle<T extends { dispose(): void }> {
  readonly #object: T;
  readonly #what: string;
  #disposed = false;
  #runs = 0;

  /** @param what - for the message of ERR_SK_DISPOSED, for instance 'the plan' */
  constructor(what: string, create: () => T) {
    this.#what = what;
    this.#object = guarded(create);
  }

  /** The native object, or ERR_SK_DISPOSED. */
  live(): T {
    if (this.#disposed) throw new SparseKernelsError('ERR_SK_DISPOSED', `${this.#what} was used after dispose()`);
    return this.#object;
  }

  /** Runs `work` with the native object, which stays until the promise settles. */
  async use<R>(work: (object: T) => Promise<R>): Promise<R> {
    const object = this.live();
    this.#runs++;
    try {
      return await work(object);
    } finally {
      this.#runs--;
      this.#free();
    }
  }

  dispose(): void {
    this.#disposed = true;
    this.#free();
  }

  #free(): void {
    if (this.#disposed && this.#runs === 0) this.#object.dispose();
  }
}

/** Calls the addon; its errors get their class and the caller's stack. */
export function guarded<T>(call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw fromNative(error);
  }
}

type CancelToken = InstanceType<typeof native.CancelToken>;

/** Runs asynchronous work that `signal` aborts: it then rejects with the signal's reason. Errors of the addon get their class. */
export async function cancellable<R>(signal: unknown, work: (token: CancelToken | undefined) => Promise<R>): Promise<R> {
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw typeError('ERR_SK_TYPE', `expected signal to be an AbortSignal but received ${describe(signal)}`);
  }
  signal?.throwIfAborted();
  const token = signal && new native.CancelToken();
  const cancel = () => token?.cancel();
  signal?.addEventListener('abort', cancel, { once: true });
  try {
    const result = await work(token);
    signal?.throwIfAborted(); // the work was done, but nobody has heard of it yet
    return result;
  } catch (error) {
    signal?.throwIfAborted();
    throw fromNative(error);
  } finally {
    signal?.removeEventListener('abort', cancel);
  }
}
