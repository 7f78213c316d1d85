import { allocateLines } from '../../tensor.js';

/** Rows per head that grow as tokens come: summaries of keys that decoding keeps beside the cache. */
export class RowStore {
  readonly batch: number;
  readonly heads: number;
  /** Numbers of a row. */
  readonly width: number;
  /** Rows that are there. */
  length = 0;
  #capacity = 64;
  #data: Float32Array;

  constructor(batch: number, heads: number, width: number) {
    this.batch = batch;
    this.heads = heads;
    this.width = width;
    this.#data = allocateLines(batch * heads * this.#capacity * width, 'the summaries');
  }

  /** [batch, heads, capacity, width]: rows from `length` on mean nothing. */
  get data(): Float32Array {
    return this.#data;
  }

  get capacity(): number {
    return this.#capacity;
  }

  /** Row r of head s (of batch x heads); it may be the one after the last. */
  row(s: number, r: number): Float32Array {
    const from = (s * this.#capacity + r) * this.width;
    return this.#data.subarray(from, from + this.width);
  }

  /** Makes room for so many rows. */
  reserve(rows: number): void {
    if (rows <= this.#capacity) return;
    const capacity = Math.max(rows, 2 * this.#capacity);
    const larger = allocateLines(this.batch * this.heads * capacity * this.width, 'the summaries');
    for (let s = 0; s < this.batch * this.heads; s++) {
      const from = s * this.#capacity * this.width;
      larger.set(this.#data.subarray(from, from + this.length * this.width), s * capacity * this.width);
    }
    this.#capacity = capacity;
    this.#data = larger;
  }
}
