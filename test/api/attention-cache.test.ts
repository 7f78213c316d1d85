/** attention.cache: pages, forks, capacity. */
import { attention, type SparseKernelsError } from 'sparse-kernels';
import { describe, expect, test } from 'vitest';
import { filled, headDim, kvHeads, make, tokens } from './cache-input.js';

const { rows } = attention.patterns;

function failure(call: () => unknown): SparseKernelsError {
  try {
    call();
  } catch (error) {
    return error as SparseKernelsError;
  }
  throw new Error('nothing was thrown');
}

describe('cache', () => {
  test('reads what was appended, in one go or token by token, in either layout', () => {
    const { cache, k, v } = filled(37);
    expect(cache.read()).toEqual({ k: k.data, v: v.data });
    const single = attention.cache({ kvHeads, headDim, capacity: 37, pageSize: 7, layout: 'BSHD' });
    for (let t = 0; t < 37; t++) {
      const at = (x: { data: Float32Array }) => ({
        data: Float32Array.from(
          { length: kvHeads * headDim },
          (_, i) => x.data[(Math.floor(i / headDim) * 37 + t) * headDim + (i % headDim)] as number,
        ),
        dims: [1, kvHeads, headDim],
      });
      single.append(at(k), at(v));
    }
    expect(single.read()).toEqual({ k: k.data, v: v.data });
    expect(single.read(36, 37).k).toEqual(Float32Array.from([...k.data.subarray(36 * 16, 37 * 16), ...k.data.subarray(73 * 16)]));
  });

  test('a fork sees neither what the other appends nor what it overwrites', () => {
    const { cache, k } = filled(20);
    const fork = cache.fork();
    cache.truncate(10);
    cache.append(tokens(15, 7), tokens(15, 8));
    expect([cache.length, fork.length]).toEqual([25, 20]);
    expect(fork.read().k).toEqual(k.data);
    fork.append(tokens(1, 5), tokens(1, 6));
    expect(cache.length).toBe(25);
    cache.dispose();
    expect(fork.read(0, 20).k).toEqual(k.data);
  });

  test('holds its capacity, forks included, and no token more', () => {
    const cache = make(32, 16);
    cache.append(tokens(32, 1), tokens(32, 2));
    expect(failure(() => cache.append(tokens(1, 1), tokens(1, 2)))).toMatchObject({ code: 'ERR_SK_CAPACITY' });
    expect(cache.length).toBe(32);
    cache.truncate(16);
    const fork = cache.fork(); // one page is shared, one is left
    fork.append(tokens(16, 3), tokens(16, 4));
    expect(failure(() => cache.append(tokens(1, 1), tokens(1, 2))).code).toBe('ERR_SK_CAPACITY');
    fork.dispose();
    cache.append(tokens(16, 1), tokens(16, 2));
  });

  test.each<[string, () => unknown, string]>([
    ['headDim 12', () => attention.cache({ kvHeads: 1, headDim: 12, capacity: 1 }), 'ERR_SK_OPTION'],
    ['pageSize 0', () => attention.cache({ kvHeads: 1, headDim: 8, capacity: 1, pageSize: 0 }), 'ERR_SK_OPTION'],
    ['negative capacity', () => attention.cache({ kvHeads: 1, headDim: 8, capacity: -1 }), 'ERR_SK_OPTION'],
    ['k of other heads', () => make().append({ data: new Float32Array(16), dims: [1, 1, 16] }, tokens(1, 1)), 'ERR_SK_SHAPE'],
    ['v of other tokens', () => make().append(tokens(1, 1), tokens(2, 1)), 'ERR_SK_SHAPE'],
    ['truncating to more than there is', () => filled(5).cache.truncate(6), 'ERR_SK_OPTION'],
    ['reading beyond the end', () => filled(5).cache.read(0, 6), 'ERR_SK_OPTION'],
    ['lists of other rows', () => attention.newPages(rows([[]]), rows([[], []])), 'ERR_SK_SHAPE'],
    [
      'use after dispose',
      () => {
        const { cache } = filled(5);
        cache.dispose();
        return cache.length;
      },
      'ERR_SK_DISPOSED',
    ],
  ])('refuses %s', (_, call, code) => {
    expect(failure(call).code).toBe(code);
  });
});
