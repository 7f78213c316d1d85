/** Bounds of pages in bfloat16, as Quest may keep them: the raw addon, which nothing else calls so. */
import { kernels } from 'sparse-kernels';
import { describe, expect, test } from 'vitest';
import { native } from '../../lib/native.js';
import { rounded } from '../reference/attention.js';
import { firstMismatch } from '../reference/compare.js';
import { smallIntegers } from '../support/random.js';

const isas = kernels().flatMap((kernel) => (kernel.verb === 'score' && kernel.dtype === 'float32' && kernel.supported ? kernel.isa : []));
const capacity = 150; // room for more pages than there are, for every head

/** Whole numbers up to 127 are bfloat16 as they are. */
const bitsOf = (x: Float32Array) => rounded(x, 'bfloat16').bits;

function callOf(pages: number, heads: number, dim: number, group: number, change: object = {}) {
  const [batch, kvHeads] = [2, 2];
  const out = new Float32Array(batch * (group === 0 ? heads : kvHeads) * pages);
  const q = smallIntegers(batch * heads * dim, 1);
  const wide = smallIntegers(batch * kvHeads * capacity * 2 * dim, 2);
  for (let i = 0; i < wide.length; i++) if (i % (2 * dim) < dim) wide[i] = Math.min(wide[i] as number, wide[i + dim] as number);
  const strides = {
    qStrides: Int32Array.of(heads * dim, dim, dim),
    kStrides: Int32Array.of(kvHeads * capacity * 2 * dim, capacity * 2 * dim, 2 * dim),
  };
  const shape = { batch, heads, kvHeads, queries: 1, keys: pages, dim };
  const rest = { limit: undefined, lse: undefined, blockQ: 1, blockK: 1, stride: 1, causal: false, isa: '', threads: 2 };
  const k: Uint16Array | Float32Array = bitsOf(wide);
  return { call: { kind: 2, q, k, ...strides, narrowKeys: true, ...shape, scale: 0.5, group, out, ...rest, ...change }, wide };
}

describe.each(isas)('on %s', (isa) => {
  test.each([1, 7, 8, 33, 150])('%d pages', (pages) => {
    for (const dim of [3, 8, 24, 33]) {
      for (const heads of [2, 6, 14]) {
        for (const group of [0, 2]) {
          const { call, wide } = callOf(pages, heads, dim, group, { isa });
          native.scoreSync(call);
          const members = heads / call.kvHeads;
          const boundsOf = (head: number) =>
            Array.from({ length: pages }, (_, p) => {
              let sum = 0;
              for (let c = 0; c < dim; c++) {
                const [x, from] = [call.q[head * dim + c] as number, (Math.floor(head / members) * capacity + p) * 2 * dim + c];
                sum += Math.max(x * (wide[from] as number), x * (wide[from + dim] as number));
              }
              return sum / 2;
            });
          const all = Array.from({ length: call.batch * heads }, (_, head) => boundsOf(head));
          const greatest = (g: number) =>
            (all[g * members] as number[]).map((_, p) =>
              Math.max(...all.slice(g * members, (g + 1) * members).map((row) => row[p] as number)),
            );
          const expected = group === 0 ? all : Array.from({ length: call.batch * call.kvHeads }, (_, g) => greatest(g));
          expect(firstMismatch(call.out, expected.flat(), 0)).toBeNull();
        }
      }
    }
  });
});

test.each<[string, object, string]>([
  ['dot products', { kind: 0 }, 'ERR_SK_SHAPE'],
  ['two queries', { queries: 2 }, 'ERR_SK_SHAPE'],
  ['channels first', { channelsFirst: true }, 'ERR_SK_SHAPE'],
  ['pages one number short', { k: new Uint16Array(2 * 2 * capacity * 48 - 1) }, 'ERR_SK_SHAPE'],
  ['float32', { k: new Float32Array(2 * 2 * capacity * 48) }, 'ERR_SK_TYPE'],
])('refuses %s', (_, change, code) => {
  expect(() => native.scoreSync(callOf(capacity, 2, 24, 0).call)).not.toThrow();
  expect(() => native.scoreSync(callOf(capacity, 2, 24, 0, change).call)).toThrow(expect.objectContaining({ code }));
});
