/** Plans as bytes: they come back with the same bits, and whatever the bytes, they load or fail with a code of ours. */
import fc from 'fast-check';
import { files, nm, type SparseKernelsError, type TensorLike } from 'sparse-kernels';
import { describe, expect, test } from 'vitest';
import { pruneBySorting } from '../reference/nm.js';
import { uniform } from '../support/random.js';

const [out, inputs] = [20, 48];
const of = (data: Float32Array): TensorLike => ({ data, dims: [out, inputs] });
const pruned = (n: number, m: number, seed: number) => pruneBySorting(uniform(out * inputs, seed), out, inputs, n, m);
const bands = uniform(out * inputs, 3).map((w, i) => ((Math.floor(i / inputs / 4) * 3 + (i % inputs)) % 2 ? w : 0));
const bias = uniform(out, 4);
const x = uniform(5 * inputs, 5);

const plans: Record<string, nm.PlanOptions> = {
  '2:4': { weight: of(pruned(2, 4, 1)), pattern: '2:4', bias, activation: 'gelu' },
  '1:2': { weight: of(pruned(1, 2, 1)), pattern: '1:2' },
  'float16 3:8': { weight: of(pruned(3, 8, 1)), pattern: '3:8', dtype: 'float16' },
  'bfloat16 1:16': { weight: of(pruned(1, 16, 1)), pattern: '1:16', dtype: 'bfloat16' },
  'int8 2:4': { weight: of(pruned(2, 4, 1)), pattern: '2:4', dtype: 'int8', bias },
  'W8A8 4:8': { weight: of(pruned(4, 8, 1)), pattern: '4:8', dtype: 'int8', activations: 'int8' },
  'int4 2:4': { weight: of(pruned(2, 4, 1)), pattern: '2:4', dtype: 'int4', groupSize: 16, bias },
  'int4 groups': { weight: of(uniform(out * inputs, 3)), pattern: 'block', block: [1, 16], dtype: 'int4', zeroPoint: true },
  'W4A8 2:4': { weight: of(pruned(2, 4, 1)), pattern: '2:4', dtype: 'int4', activations: 'int8', zeroPoint: true, bias },
  'W4A8 groups': { weight: of(uniform(out * inputs, 3)), pattern: 'block', block: [1, 32], dtype: 'int4', activations: 'int8' },
  'int4 SwiGLU': {
    ...{ weight: of(pruned(2, 4, 1)), gate: of(pruned(2, 4, 2)), pattern: '2:4', activation: 'silu' },
    ...{ dtype: 'int4', groupSize: 32, zeroPoint: true },
  },
  unstructured: { weight: of(uniform(out * inputs, 6).map((w) => (w > 0.4 ? w : 0))), pattern: 'unstructured', dtype: 'float16' },
  'int8 unstructured': { weight: of(uniform(out * inputs, 6).map((w) => (w > 0.4 ? w : 0))), pattern: 'unstructured', dtype: 'int8' },
  'rows that share columns': { weight: of(bands), pattern: '1:2', rows: 4, tokens: 1 },
  blocks: { weight: of(bands), pattern: 'block', block: [4, 1], dtype: 'int8' },
  venom: { weight: of(pruned(1, 32, 7)), pattern: '2:32', rows: 2, venom: true },
  SwiGLU: { weight: of(pruned(2, 4, 1)), gate: of(pruned(2, 4, 2)), gateBias: bias, pattern: '2:4', activation: 'silu', dtype: 'int8' },
};

test.each(Object.entries(plans))('%s', (_, planOptions) => {
  const plan = nm.plan(planOptions);
  const again = nm.deserialize(plan.serialize());
  expect([again.kernel, again.pattern, again.gated, again.bytes]).toEqual([plan.kernel, plan.pattern, plan.gated, plan.bytes]);
  expect(again.toDense()).toEqual(plan.toDense());
  expect(again.runSync(x)).toEqual(plan.runSync(x));
  expect(again.serialize()).toEqual(plan.serialize());
});

test.each(['int4 2:4', 'int4 groups', 'W4A8 2:4'])('%s take in bytes what the format takes, scales and zero points among it', (name) => {
  const [out, inputs, groupSize] = [256, 1024, 64] as const;
  const { pattern, zeroPoint = false, block } = plans[name] as nm.PlanOptions;
  const weight = of(pruneBySorting(uniform(out * inputs, 1), out, inputs, 2, 4));
  const options = { pattern, zeroPoint, groupSize, dtype: 'int4' as const, ...(block && { block: [1, groupSize] as const }) };
  const plan = nm.plan({ weight: { ...weight, dims: [out, inputs] }, ...options });
  const groups = (out * inputs) / groupSize;
  const ofValues = block ? out * inputs * 0.5 + 4 * groups + 4 * (out + 1) : out * inputs * 0.375; // nibbles and column numbers; and 2-bit indices
  expect(plan.serialize().length).toBeLessThan(ofValues + groups * (zeroPoint ? 3 : 2) + 1024);
});

test('options of the machine are those of the caller', () => {
  const bytes = nm.plan({ ...(plans['2:4'] as nm.PlanOptions), isa: 'scalar' }).serialize();
  expect(nm.deserialize(bytes, { isa: 'scalar16' }).kernel).toMatch(/scalar16$/);
  expect(() => nm.deserialize(bytes, { threads: 0 })).toThrow(expect.objectContaining({ code: 'ERR_SK_OPTION' }));
  expect(() => nm.deserialize(bytes, { isa: 'mmx' as never })).toThrow(expect.objectContaining({ code: 'ERR_SK_OPTION' }));
});

/** What can still be read, with a checksum of its own. */
function summedAgain(bytes: Uint8Array): Uint8Array {
  const { tensors, metadata } = files.readSafetensors(bytes);
  return files.writeSafetensors(Object.fromEntries(tensors), { metadata, checksum: true });
}

describe('bytes that are no plan', () => {
  const bytes = nm.plan(plans.SwiGLU as nm.PlanOptions).serialize();
  test('every length but the whole', () => {
    for (let length = 0; length < bytes.length; length += 1 + (length >> 4)) {
      expect(() => nm.deserialize(bytes.subarray(0, length))).toThrow(expect.objectContaining({ code: 'ERR_SK_FILE' }));
    }
  });
  test('a later version', () => {
    const text = new TextDecoder('latin1').decode(bytes).replace('\\"version\\":1,\\"pattern', '\\"version\\":2,\\"pattern');
    const later = Uint8Array.from(text, (c) => c.charCodeAt(0));
    const unsummed = Uint8Array.from(text.replace('sparse-kernels.crc32', 'sparse-kernels.crc99'), (c) => c.charCodeAt(0));
    expect(() => nm.deserialize(later)).toThrow(expect.objectContaining({ code: 'ERR_SK_CHECKSUM' }));
    expect(() => nm.deserialize(unsummed)).toThrow(
      expect.objectContaining({ code: 'ERR_SK_CHECKSUM', message: expect.stringMatching(/has none/) }),
    );
    expect(() => nm.deserialize(summedAgain(unsummed))).toThrow(
      expect.objectContaining({ code: 'ERR_SK_VERSION', message: expect.stringMatching(/2/) }),
    );
  });
  test('fuzz: load, or fail with a code', () => {
    const mutation = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(fc.boolean(), mutation, (checked, changes) => {
        const mutant = bytes.slice();
        // Without its checksum the contents themselves must be found out.
        const at = Buffer.from(bytes).indexOf('sparse-kernels.crc32');
        if (!checked) mutant[at] = 'S'.charCodeAt(0);
        for (const [place, byte] of changes) mutant[place % mutant.length] = byte;
        try {
          nm.deserialize(checked ? mutant : summedAgain(mutant)).runSync(x);
        } catch (error) {
          expect((error as SparseKernelsError).code).toMatch(/^ERR_SK_(FILE|CHECKSUM|VERSION)$/);
        }
      }),
      { numRuns: 500 },
    );
  });
});
