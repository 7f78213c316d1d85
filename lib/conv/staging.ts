/**
 * Arrays for copies of features: fresh ones of tens of megabytes a run cost page faults, zeros and garbage collections that take as long as the
 * run. Those given back are lent again; the next full garbage collection takes what nobody borrows.
 */
import { allocate } from '../tensor.js';

const mostIdle = 4;
const idle: WeakRef<ArrayBufferLike>[] = [];

/** Calls `use` with an array of this length with any numbers in it, which nobody else has until the promise settles. */
export async function lend<T>(length: number, name: string, use: (data: Float32Array) => Promise<T>): Promise<T> {
  const data = borrow(length, name);
  try {
    return await use(data);
  } finally {
    idle.unshift(new WeakRef(data.buffer));
    idle.length = Math.min(idle.length, mostIdle);
  }
}

function borrow(length: number, name: string): Float32Array {
  const bytes = 4 * length;
  for (const [i, weak] of idle.entries()) {
    const buffer = weak.deref();
    if (!buffer || buffer.byteLength < bytes || buffer.byteLength > 2 * bytes) continue;
    idle.splice(i, 1);
    return new Float32Array(buffer, 0, length);
  }
  return allocate('float32', length, name);
}
