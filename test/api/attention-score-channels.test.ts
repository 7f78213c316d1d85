/** Scores of keys that lie channel by channel, as Double Sparsity keeps its labels: the raw addon, which nothing else calls so. */
import { kernels } from 'sparse-kernels';
import { describe, expect, test } from 'vitest';
import { native } from '../../lib/native.js';
import { rounded } from '../reference/attention.js';
import { firstMismatch } from '../reference/compare.js';
import { scoreMap } from '../reference/score.js';
import { smallIntegers } from '../support/random.js';

const isas = kernels().flatMap((kernel) => (kernel.verb === 'score' && kernel.dtype === 'float32' && kernel.supported ? kernel.isa : []));
const capacity = 2200; // room for more keys than there are, in every channel

/** Whole numbers up to 127 are bfloat16 as they are. */
const bitsOf = (x: Float32Array) => rounded(x, 'bfloat16').bits;

function callOf(keys: number, heads: number, group: number, change: object = {}) {
  const [batch, kvHeads, dim] = [2, 2, 5];
  const out = new Float32Array(batch * (group === 0 ? heads : kvHeads) * keys);
  const q = smallIntegers(batch * heads * dim, 1);
  const k = smallIntegers(batch * kvHeads * dim * capacity - (capacity - keys), 2);
  const strides = {
    qStrides: Int32Array.of(heads * dim, dim, dim),
    kStrides: Int32Array.of(kvHeads * dim * capacity, dim * capacity, capacity),
  };
  const shape = { batch, heads, kvHeads, queries: 1, keys, dim };
  const rest = { limit: undefined, lse: undefined, blockQ: 1, blockK: 1, stride: 1, causal: false, isa: '', threads: 2 };
  return { kind: 0, q, k, ...strides, channelsFirst: true, ...shape, scale: 0.5, group, out, ...rest, ...change };
}

describe.each(isas)('on %s', (isa) => {
  const sizes = [1, 15, 16, 17, 33, 1040, 2113].flatMap((keys): [number, boolean][] => [
    [keys, false],
    [keys, true],
  ]);
  test.each(sizes)('%d keys, in bfloat16: %s', (keys, narrowKeys) => {
    for (const heads of [2, 6, 14]) {
      for (const group of [0, 2]) {
        const call = callOf(keys, heads, group, { isa, narrowKeys });
        const { q, k, batch, kvHeads, dim } = call;
        native.scoreSync(narrowKeys ? { ...call, k: bitsOf(k) } : call);
        const byKey = Float32Array.from({ length: batch * kvHeads * keys * dim }, (_, i) => {
          const [s, j, c] = [Math.floor(i / (keys * dim)), Math.floor(i / dim) % keys, i % dim];
          return k[(s * dim + c) * capacity + j] as number;
        });
        const all = Array.from({ length: batch * heads }, (_, i) =>
          scoreMap(q, byKey, call, Math.floor(i / heads), i % heads, 0.5, () => keys).flat(),
        );
        const members = heads / kvHeads;
        const greatest = (g: number) =>
          (all[g * members] as number[]).map((_, j) =>
            Math.max(...all.slice(g * members, (g + 1) * members).map((row) => row[j] as number)),
          );
        const expected = group === 0 ? all : Array.from({ length: batch * kvHeads }, (_, g) => greatest(g));
        expect(firstMismatch(call.out, expected.flat(), 0)).toBeNull();
      }
    }
  });
});

test.each<[string, object]>([
  ['a softmax', { kind: 1 }],
  ['bounds', { kind: 2 }],
  ['two queries', { queries: 2 }],
  ['keys one number short', { k: new Float32Array(callOf(40, 2, 0).k.length - 1) }],
  ['channels that reach beyond', { dim: 6 }],
  ['two queries of bfloat16 keys', { queries: 2, narrowKeys: true, k: bitsOf(callOf(40, 2, 0).k) }],
  ['bfloat16 keys one number short', { narrowKeys: true, k: bitsOf(callOf(40, 2, 0).k).subarray(1) }],
])('refuses %s', (_, change) => {
  expect(() => native.scoreSync(callOf(40, 2, 0))).not.toThrow();
  expect(() => native.scoreSync(callOf(40, 2, 0, change))).toThrow(expect.objectContaining({ code: 'ERR_SK_SHAPE' }));
});
