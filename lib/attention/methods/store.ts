import { type ArrayOf, allocateLines } from '../../tensor.js';

/** Rows per head that grow as tokens come: summaries of keys that decoding keeps beside the cache. */
export class RowStore<D extends 'float32' | 'bfloat16' = 'float32'> {
  readonly batch: number;
  readonly heads: number;
  /** Numbers of a row. */
  readonly width: number;
  /** Rows that are there. */
  length = 0;
  readonly #dtype: D;
  #capacity = 64;
  #data: ArrayOf[D];

  constructor(batch: number, heads: number, width: number, dtype: D) {
    this.#dtype = dtype;
    this.batch = batch;
    this.heads = heads;
    this.width = width;
    this.#data = allocateLines(dtype, batch * heads * this.#capacity * width, 'the summaries');
  }

  /** [batch, heads, capacity, width]: rows from `length` on mean nothing. */
  get data(): ArrayOf[D] {
    return this.#data;
  }

  get capacity(): number {
    return this.#capacity;
  }

  /** Row r of head s (of batch x heads); it may be the one after the last. */
  row(s: number, r: number): ArrayOf[D] {
    const from = (s * this.#capacity + r) * this.width;
    return this.#data.subarray(from, from + this.width) as ArrayOf[D];
  }

  /** Makes room for so many rows. */
  reserve(rows: number): void {
    if (rows <= this.#capacity) return;
    // An odd number of cache lines where rows are single numbers: heads (or channels) that are read side by side begin in sets of their own.
    const capacity = (Math.floor(Math.max(rows, 2 * this.#capacity) / 32) * 2 + 3) * 16;
    const larger = allocateLines(this.#dtype, this.batch * this.heads * capacity * this.width, 'the summaries');
    for (let s = 0; s < this.batch * this.heads; s++) {
      const from = s * this.#capacity * this.width;
      larger.set(this.#data.subarray(from, from + this.length * this.width), s * capacity * this.width);
    }
    this.#capacity = capacity;
    this.#data = larger;
  }
}
