/** safetensors against bytes written by hand and at the boundary of what is valid; element types to float32. */
import { files, type SparseKernelsError } from 'sparse-kernels';
import { describe, expect, it } from 'vitest';
import { uniform } from '../support/random.js';
import { safetensors } from '../support/safetensors.js';

const all: Record<string, files.FileTensor> = {
  f64: { type: 'float64', data: Float64Array.of(Math.PI, -0), dims: [2] },
  f32: { type: 'float32', data: uniform(6, 1), dims: [2, 3] },
  f16: { type: 'float16', data: Uint16Array.of(0x3c00, 0x8000, 0x7e00), dims: [3, 1] },
  bf16: { type: 'bfloat16', data: Uint16Array.of(0x3f80), dims: [1] },
  f8: { type: 'float8e4m3fn', data: Uint8Array.of(1, 2, 3), dims: [3] },
  f8e5: { type: 'float8e5m2', data: Uint8Array.of(9), dims: [1] },
  i64: { type: 'int64', data: BigInt64Array.of(-1n, 2n ** 40n), dims: [2] },
  u64: { type: 'uint64', data: BigUint64Array.of(2n ** 63n), dims: [1] },
  i32: { type: 'int32', data: Int32Array.of(-7), dims: [] },
  u32: { type: 'uint32', data: Uint32Array.of(2 ** 31), dims: [1] },
  i16: { type: 'int16', data: Int16Array.of(-300), dims: [1] },
  u16: { type: 'uint16', data: Uint16Array.of(65535), dims: [1] },
  i8: { type: 'int8', data: Int8Array.of(-128, 1, 5), dims: [3] },
  u8: { type: 'uint8', data: Uint8Array.of(255), dims: [1] },
  bool: { type: 'bool', data: Uint8Array.of(1, 0), dims: [2] },
  none: { type: 'float32', data: new Float32Array(0), dims: [0, 5] },
  '7': { type: 'float16', data: new Uint16Array(0), dims: [0] },
  __proto: { type: 'int8', data: Int8Array.of(3), dims: [1] },
};

const code = (expected: string) => expect.objectContaining({ code: expected });

describe('safetensors', () => {
  it.each([false, true])('comes back as it was, checksum %s', (checksum) => {
    const bytes = files.writeSafetensors(all, { metadata: { format: 'pt', ключ: 'é' }, checksum });
    const { tensors, metadata } = files.readSafetensors(bytes);
    expect(metadata).toEqual({ format: 'pt', ключ: 'é' });
    expect(Object.fromEntries(tensors)).toEqual(all);
    expect(files.readSafetensors(Buffer.concat([bytes])).tensors).toEqual(tensors); // as readFile gives it
    expect(files.writeSafetensors(tensors, { metadata, checksum })).toEqual(bytes);
  });

  it('reads a file of the specification, at any offset of its buffer', () => {
    const file = safetensors(
      { b: { dtype: 'F32', shape: [1], data_offsets: [2, 6] }, a: { dtype: 'BF16', shape: [], data_offsets: [0, 2] } },
      [0x80, 0x3f, 0, 0, 0xc0, 0x3f],
    );
    const shifted = new Uint8Array(file.length + 3).subarray(3);
    shifted.set(file);
    const { tensors } = files.readSafetensors(shifted);
    expect(tensors.get('a')).toEqual({ type: 'bfloat16', data: Uint16Array.of(0x3f80), dims: [] });
    expect(tensors.get('b')).toEqual({ type: 'float32', data: Float32Array.of(1.5), dims: [1] });
  });

  it('writes what the specification says: 8-byte aligned header and data, widest types first, no holes', () => {
    const bytes = files.writeSafetensors({ a: all.i8 as files.FileTensor, b: all.f32 as files.FileTensor });
    const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
    expect(length % 8).toBe(0);
    const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length)));
    expect(header).toEqual({
      b: { dtype: 'F32', shape: [2, 3], data_offsets: [0, 24] },
      a: { dtype: 'I8', shape: [3], data_offsets: [24, 27] },
    });
    expect(bytes.length).toBe(8 + length + 27);
  });

  const f32 = (shape: unknown, data_offsets: unknown) => ({ dtype: 'F32', shape, data_offsets });
  it.each([
    ['no bytes', new Uint8Array(0)],
    ['seven bytes', new Uint8Array(7)],
    ['a header past the end', safetensors({}, [], 100n)],
    ['a header one byte past the end', safetensors({}, [], 3n)],
    ['a huge header length', safetensors({}, [], 2n ** 63n)],
    ['no JSON', safetensors('nonsense')],
    ['no UTF-8', safetensors('').fill(0xff, 8)],
    ['an array', safetensors([])],
    ['null', safetensors('null')],
    ['an unknown dtype', safetensors({ a: { dtype: 'F4', shape: [1], data_offsets: [0, 1] } }, [0])],
    ['a dtype of Object.prototype', safetensors({ a: { dtype: 'toString', shape: [1], data_offsets: [0, 1] } }, [0])],
    ['no entry', safetensors({ a: null })],
    ['a negative size', safetensors({ a: f32([-1], [0, 4]) }, [0, 0, 0, 0])],
    ['a fraction', safetensors({ a: f32([0.5], [0, 2]) }, [0, 0])],
    ['sizes whose product overflows', safetensors({ a: f32([2 ** 31, 2 ** 31], [0, 4]) }, [0, 0, 0, 0])],
    ['data outside the file', safetensors({ a: f32([1], [0, 4]) }, [0, 0, 0])],
    ['data behind the file', safetensors({ a: f32([1], [4, 8]) }, [0, 0, 0, 0])],
    ['offsets that descend', safetensors({ a: f32([1], [4, 0]) }, [0, 0, 0, 0])],
    ['one offset', safetensors({ a: f32([1], [4]) }, [0, 0, 0, 0])],
    ['overlapping tensors', safetensors({ a: f32([1], [0, 4]), b: f32([1], [0, 4]) }, [0, 0, 0, 0])],
    ['a hole', safetensors({ a: f32([1], [1, 5]) }, [0, 0, 0, 0, 0])],
    ['a tail', safetensors({ a: f32([1], [0, 4]) }, [0, 0, 0, 0, 0])],
    ['metadata that are no strings', safetensors({ __metadata__: { a: 1 } })],
  ])('refuses %s', (_, bytes) => {
    expect(() => files.readSafetensors(bytes)).toThrow(code('ERR_SK_FILE'));
  });

  it('finds every damaged bit of data and names', () => {
    const bytes = files.writeSafetensors({ weight: { type: 'int8', data: Int8Array.of(1, 2, 3, 4), dims: [2, 2] } }, { checksum: true });
    for (let bit = 0; bit < 8 * bytes.length; bit++) {
      const damaged = bytes.slice();
      damaged[bit >> 3] = (damaged[bit >> 3] as number) ^ (1 << (bit & 7));
      let error: SparseKernelsError | undefined;
      try {
        const { tensors, metadata } = files.readSafetensors(damaged);
        // Whoever damages the key itself only loses the check.
        expect(Object.keys(metadata).some((key) => key.includes('crc') || key.startsWith('sparse'))).toBe(true);
        expect(tensors.size).toBe(1);
      } catch (thrown) {
        error = thrown as SparseKernelsError;
        expect(['ERR_SK_FILE', 'ERR_SK_CHECKSUM']).toContain(error.code);
      }
    }
  });

  it('refuses what it cannot write', () => {
    const tensor = all.f32 as files.FileTensor;
    expect(() => files.writeSafetensors({ a: { ...tensor, type: 'float4' as 'float32' } })).toThrow(code('ERR_SK_DTYPE'));
    expect(() => files.writeSafetensors({ a: { ...tensor, type: 'int8' } })).toThrow(code('ERR_SK_TYPE'));
    expect(() => files.writeSafetensors({ a: { ...tensor, dims: [7] } })).toThrow(code('ERR_SK_SHAPE'));
    expect(() => files.writeSafetensors({ __metadata__: tensor })).toThrow(code('ERR_SK_OPTION'));
    expect(() => files.writeSafetensors({}, { metadata: { a: 1 as unknown as string } })).toThrow(code('ERR_SK_TYPE'));
    expect(() => files.writeSafetensors({}, { metadata: { 'sparse-kernels': 'mine' } })).toThrow(code('ERR_SK_OPTION'));
    expect(() => files.readSafetensors('bytes' as unknown as Uint8Array)).toThrow(code('ERR_SK_TYPE'));
    expect(files.readSafetensors(files.writeSafetensors({})).tensors.size).toBe(0);
  });
});

describe('toFloat32', () => {
  it('knows every float16', () => {
    const data = Uint16Array.from({ length: 65536 }, (_, i) => i);
    const values = files.toFloat32({ type: 'float16', data, dims: [65536] }).data;
    values.forEach((value, bits) => {
      const [sign, exponent, fraction] = [bits >> 15 ? -1 : 1, (bits >> 10) & 31, bits & 1023];
      const magnitude =
        exponent === 31
          ? fraction
            ? Number.NaN
            : Infinity
          : exponent
            ? 2 ** (exponent - 15) * (1 + fraction / 1024)
            : 2 ** -14 * (fraction / 1024);
      if (!Object.is(value, sign * magnitude)) throw new Error(`${bits.toString(16)} became ${value}`);
    });
  });

  it('converts the other types', () => {
    const values = (name: string) => [...files.toFloat32(all[name] as files.FileTensor).data];
    expect(values('bf16')).toEqual([1]);
    expect(values('f64')).toEqual([Math.fround(Math.PI), -0]);
    expect(values('i64')).toEqual([-1, 2 ** 40]);
    expect(values('bool')).toEqual([1, 0]);
    expect(() => values('f8')).toThrow(code('ERR_SK_OPTION'));
  });
});
