/**
 * Fuzzing of the loaders: whatever the bytes, they either load or fail with a code of ours. fast-check prints the seed of a failure.
 */
import fc from 'fast-check';
import onnxProto from 'onnx-proto';
import { files, type SparseKernelsError } from 'sparse-kernels';
import { expect, test } from 'vitest';
import { uniform } from '../support/random.js';
import { safetensors } from '../support/safetensors.js';

const tensor = (data: files.FileArray, type: files.FileType, dims = [data.length]): files.FileTensor => ({ type, data, dims });
const sparse = tensor(Float32Array.of(0, 7, 0, 8, 1, 0, 0, 0, 0, 0, 2, 3), 'float32', [2, 6]);
const valid = {
  safetensors: [
    files.writeSafetensors(
      { a: tensor(uniform(9, 1), 'float32', [3, 3]), b: tensor(Int8Array.of(1, 2), 'int8') },
      { metadata: { k: 'v' } },
    ),
    files.writeSafetensors({ w: files.pack(sparse, { kind: 'nm', pattern: '2:4' }), v: files.pack(sparse, { kind: 'csr' }) }),
    files.writeSafetensors(
      { w: files.pack(sparse, { kind: 'block', block: [2, 2] }), v: tensor(uniform(1, 1), 'float32') },
      { checksum: true },
    ),
  ],
  onnx: [
    onnxProto.onnx.ModelProto.encode({
      graph: {
        initializer: [
          { name: 'a', dataType: 1, dims: [2], rawData: new Uint8Array(8) },
          { name: 'b', dataType: 3, dims: [2], int32Data: [-1, 2] },
        ],
        node: [{ opType: 'Constant', output: ['c'], attribute: [{ name: 'value', t: { dataType: 1, dims: [1], floatData: [1] } }] }],
      },
    }).finish(),
  ],
};

/** Valid files with some bytes replaced, a stretch removed or doubled, or the end cut off. */
const mutated = (originals: readonly Uint8Array[]) =>
  fc
    .record({
      original: fc.constantFrom(...originals),
      bytes: fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { maxLength: 4 }),
      cut: fc.option(fc.nat()),
      repeat: fc.option(fc.tuple(fc.nat(), fc.nat(40))),
    })
    .map(({ original, bytes, cut, repeat }) => {
      let mutant = new Uint8Array(original);
      for (const [at, byte] of bytes) mutant[at % mutant.length] = byte;
      if (repeat) {
        const at = repeat[0] % mutant.length;
        mutant = Uint8Array.from([...mutant.subarray(0, at + repeat[1]), ...mutant.subarray(at)]);
      }
      return cut === null ? mutant : mutant.subarray(0, cut % (mutant.length + 1));
    });

/** JSON headers whose numbers, names and structure are anything. */
const anyHeader = fc
  .tuple(
    fc.dictionary(
      fc.oneof(fc.string(), fc.constantFrom('a', '__metadata__', '__proto__', 'constructor')),
      fc.oneof(
        fc.jsonValue(),
        fc.record({
          dtype: fc.oneof(fc.constantFrom('F32', 'BF16', 'I64', 'BOOL', 'valueOf'), fc.jsonValue()),
          shape: fc.oneof(fc.array(fc.oneof(fc.nat(4), fc.maxSafeNat(), fc.double())), fc.jsonValue()),
          data_offsets: fc.oneof(fc.tuple(fc.nat(40), fc.nat(40)), fc.tuple(fc.maxSafeNat(), fc.maxSafeNat()), fc.jsonValue()),
        }),
      ),
    ),
    fc.uint8Array({ maxLength: 40 }),
  )
  .map(([header, data]) => safetensors(header, data));

/** A valid file whose description of a packed tensor says anything of it. */
const anyDescription = fc
  .record({
    kind: fc.oneof(fc.constantFrom('nm', 'block', 'csr'), fc.jsonValue()),
    pattern: fc.oneof(fc.constantFrom('2:4', '1:2'), fc.jsonValue()),
    dtype: fc.oneof(fc.constantFrom('float32', 'int8'), fc.jsonValue()),
    dims: fc.oneof(fc.constant([2, 6]), fc.tuple(fc.maxSafeNat(), fc.maxSafeNat()), fc.jsonValue()),
  })
  .map((w) => {
    const packed = files.pack(sparse, { kind: 'nm', pattern: '2:4' });
    const parts = Object.fromEntries(Object.entries(packed.parts).map(([part, value]) => [`w.${part}`, value]));
    const plain = files.writeSafetensors(parts);
    const length = Number(new DataView(plain.buffer).getBigUint64(0, true));
    const described = { 'sparse-kernels': JSON.stringify({ version: 1, tensors: { w } }) };
    const header = { __metadata__: described, ...JSON.parse(new TextDecoder().decode(plain.subarray(8, 8 + length))) };
    return safetensors(header, plain.subarray(8 + length));
  });

function loadsOrSaysWhy(load: () => Iterable<unknown>): void {
  try {
    for (const value of load()) expect(value).toBeDefined();
  } catch (error) {
    expect(['ERR_SK_FILE', 'ERR_SK_CHECKSUM', 'ERR_SK_VERSION', 'ERR_SK_SHAPE', 'ERR_SK_MEMORY']).toContain(
      (error as SparseKernelsError).code,
    );
  }
}

const runs = { numRuns: 1500 };

test('safetensors of any bytes load or fail by name, and so do the packed tensors in them', () => {
  const any = fc.oneof(fc.uint8Array({ maxLength: 64 }), mutated(valid.safetensors), mutated(valid.safetensors), anyHeader, anyDescription);
  fc.assert(
    fc.property(any, (bytes) => {
      loadsOrSaysWhy(() => {
        const { tensors } = files.readSafetensors(bytes);
        // What has passed the checks can be made dense, unless the claimed size is beyond any memory.
        return [...tensors.values()].map((t) => ('parts' in t && t.dims[0] * t.dims[1] < 1e6 ? files.unpack(t) : t));
      });
    }),
    runs,
  );
});

test('what loads takes no more memory than the file', () => {
  fc.assert(
    fc.property(fc.oneof(mutated(valid.safetensors), anyHeader), (bytes) => {
      loadsOrSaysWhy(() => {
        const tensors = [...files.readSafetensors(bytes).tensors.values()];
        const parts = tensors.flatMap((t) => ('parts' in t ? Object.values(t.parts) : [t]));
        expect(parts.reduce((sum, { data }) => sum + data.buffer.byteLength, 0)).toBeLessThanOrEqual(bytes.length);
        return tensors;
      });
    }),
    runs,
  );
});

test('ONNX of any bytes loads or fails by name', () => {
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 64 }), mutated(valid.onnx), mutated(valid.onnx)), (bytes) => {
      loadsOrSaysWhy(() => files.readOnnx(bytes).values());
    }),
    runs,
  );
});

test('packing and unpacking gives the weight back', () => {
  const weight = fc
    .tuple(fc.integer({ min: 0, max: 9 }), fc.integer({ min: 0, max: 40 }))
    .chain(([out, inputs]) =>
      fc
        .array(fc.integer({ min: -1, max: 1 }), { minLength: out * inputs, maxLength: out * inputs })
        .map((values) => tensor(Int8Array.from(values), 'int8', [out, inputs])),
    );
  const size = fc.integer({ min: 1, max: 9 });
  const format: fc.Arbitrary<files.PackFormat> = fc.oneof(
    fc.constant({ kind: 'csr' as const }),
    fc.record({ kind: fc.constant('block' as const), block: fc.tuple(size, size) }),
    fc.integer({ min: 2, max: 20 }).map((m) => ({ kind: 'nm' as const, pattern: `${m - 1}:${m}` as const })),
  );
  fc.assert(
    fc.property(weight, format, (w, f) => {
      try {
        expect(files.unpack(files.pack(w, f))).toEqual(w);
      } catch (error) {
        expect((error as SparseKernelsError).code).toBe('ERR_SK_SPARSITY');
      }
    }),
  );
});
