/** Files: against formats written by hand, against onnx-proto, and at the boundary of what is valid. */
import { crc32 } from 'node:zlib';
import onnxProto from 'onnx-proto';
import { files, prune, type SparseKernelsError } from 'sparse-kernels';
import { describe, expect, it } from 'vitest';
import { generator, smallIntegers, uniform } from '../support/random.js';

const { onnx } = onnxProto;

/** A safetensors file as its specification draws it. */
function safetensors(header: unknown, data: ArrayLike<number> = [], length?: bigint): Uint8Array {
  const text = new TextEncoder().encode(typeof header === 'string' ? header : JSON.stringify(header));
  const bytes = new Uint8Array(8 + text.length + data.length);
  new DataView(bytes.buffer).setBigUint64(0, length ?? BigInt(text.length), true);
  bytes.set(text, 8);
  bytes.set(data, 8 + text.length);
  return bytes;
}

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

describe('packed tensors', () => {
  const formats: [files.PackFormat, prune.Scope][] = [
    [
      { kind: 'nm', pattern: '2:4' },
      { scope: 'nm', pattern: '2:4' },
    ],
    [
      { kind: 'nm', pattern: '1:2' },
      { scope: 'nm', pattern: '1:2' },
    ],
    [
      { kind: 'nm', pattern: '3:5' },
      { scope: 'nm', pattern: '3:5' },
    ],
    [
      { kind: 'nm', pattern: '7:32' },
      { scope: 'nm', pattern: '7:32' },
    ],
    [
      { kind: 'nm', pattern: '2:256' },
      { scope: 'nm', pattern: '2:256' },
    ],
    [
      { kind: 'nm', pattern: '2:4', rows: 8 },
      { scope: 'nm', pattern: '2:4', rows: 8 },
    ],
    [
      { kind: 'nm', pattern: '1:16', rows: 4 },
      { scope: 'nm', pattern: '1:16', rows: 4 },
    ],
    [
      { kind: 'block', block: [4, 1] },
      { scope: 'row', sparsity: 0.5, block: [4, 1] },
    ],
    [
      { kind: 'block', block: [1, 16] },
      { scope: 'global', sparsity: 0.7, block: [1, 16] },
    ],
    [{ kind: 'csr' }, { scope: 'global', sparsity: 0.9 }],
  ];

  it.each(formats)('come back through a file: %j', (format, scope) => {
    for (const [out, inputs] of [
      [1, 1],
      [7, 13],
      [16, 64],
      [9, 300],
    ] as const) {
      const { data, dims } = prune.magnitude({ data: uniform(out * inputs, 3), dims: [out, inputs] }, scope).weight;
      const weight: files.FileTensor = { type: 'float32', data, dims };
      const packed = files.pack(weight, format);
      expect(files.unpack(packed)).toEqual(weight);
      const bytes = files.writeSafetensors({ layer: packed, bias: all.f32 as files.FileTensor }, { checksum: true });
      const { tensors } = files.readSafetensors(bytes);
      expect([...tensors.keys()].sort()).toEqual(['bias', 'layer']);
      expect(tensors.get('layer')).toEqual(packed);
    }
  });

  it('keep the bits of other types', () => {
    const half: files.FileTensor = { type: 'float16', data: Uint16Array.of(0x8000, 0x3c00, 0x7e00, 0), dims: [1, 4] };
    const packed = files.pack(half, { kind: 'nm', pattern: '2:4' });
    expect(packed.parts.values).toEqual({ type: 'float16', data: Uint16Array.of(0x3c00, 0x7e00), dims: [1, 2] });
    expect(files.pack({ type: 'int8', data: Int8Array.of(0, 5, 0, 0), dims: [2, 2] }, { kind: 'csr' }).parts.values?.data).toEqual(
      Int8Array.of(5),
    );
    expect(files.pack({ type: 'int64', data: BigInt64Array.of(0n, 5n), dims: [1, 2] }, { kind: 'csr' }).parts.values?.data).toHaveLength(1);
  });

  it('have the documented order', () => {
    const weight: files.FileTensor = { type: 'float32', data: Float32Array.of(0, 7, 0, 8, 0, 0, 0, 0, 5, 0), dims: [1, 10] };
    const { parts } = files.pack(weight, { kind: 'nm', pattern: '2:4' });
    expect(parts.values).toEqual({ type: 'float32', data: Float32Array.of(7, 8, 0, 0, 5, 0), dims: [1, 6] });
    // Indices 1 and 3; none, so 2 and 3; 0 and the highest unused: as nibbles D, E, C.
    expect(parts.indices).toEqual({ type: 'uint8', data: Uint8Array.of(0xed, 0x0c), dims: [1, 2] });
    const shared = files.pack(
      { type: 'float32', data: Float32Array.of(0, 1, 0, 2), dims: [2, 2] },
      { kind: 'nm', pattern: '1:2', rows: 2 },
    );
    expect(shared.parts.values).toEqual({ type: 'float32', data: Float32Array.of(1, 2), dims: [1, 1, 2] });
    const blocks = files.pack({ type: 'float32', data: Float32Array.of(0, 1, 0, 0, 0, 2), dims: [2, 3] }, { kind: 'block', block: [1, 2] });
    expect(Object.values(blocks.parts).map(({ data }) => [...data])).toEqual([
      [0, 1, 2, 0],
      [0, 1],
      [0, 1, 2],
    ]);
  });

  it('must have the pattern, and a known format', () => {
    const weight: files.FileTensor = { type: 'float32', data: Float32Array.of(0, 0, 0, 0, 1, 2, 3, 0), dims: [1, 8] };
    expect(() => files.pack(weight, { kind: 'nm', pattern: '2:4' })).toThrow('row 0, group 1 has 3');
    expect(() => files.pack(weight, { kind: 'nm', pattern: '2:4' })).toThrow(code('ERR_SK_SPARSITY'));
    expect(() => files.pack(weight, { kind: 'nm', pattern: '4:4' })).toThrow(code('ERR_SK_PATTERN'));
    expect(() => files.pack(weight, { kind: 'ellpack' } as unknown as files.PackFormat)).toThrow(code('ERR_SK_OPTION'));
    expect(() => files.pack({ ...weight, dims: [8] }, { kind: 'csr' })).toThrow(code('ERR_SK_SHAPE'));
    expect(() => files.unpack(undefined as unknown as files.PackedTensor)).toThrow(code('ERR_SK_TYPE'));
  });

  const nm = files.pack({ type: 'float32', data: Float32Array.of(0, 7, 0, 8, 1, 0), dims: [1, 6] }, { kind: 'nm', pattern: '2:4' });
  const csr = files.pack({ type: 'float32', data: Float32Array.of(0, 7, 0, 8, 1, 0), dims: [2, 3] }, { kind: 'csr' });
  const part = (packed: files.PackedTensor, name: string, changed: Partial<files.FileTensor>): files.PackedTensor => {
    return { ...packed, parts: { ...packed.parts, [name]: { ...(packed.parts[name] as files.FileTensor), ...changed } } };
  };
  it.each([
    ['other dims', { ...nm, dims: [2, 6] as const }],
    ['dims whose product overflows', { ...csr, dims: [2, 2 ** 53 - 1] as const }],
    ['indices that descend', part(nm, 'indices', { data: Uint8Array.of(0xe7) })],
    ['equal indices', part(nm, 'indices', { data: Uint8Array.of(0xe5) })],
    ['values in the padding', part(nm, 'values', { data: Float32Array.of(7, 8, 1, 2) })],
    ['indices of another type', part(nm, 'indices', { type: 'bool' })],
    ['columns outside', part(csr, 'columns', { data: Int32Array.of(1, 0, 3) })],
    ['negative columns', part(csr, 'columns', { data: Int32Array.of(-1, 0, 1) })],
    ['columns that descend', part(csr, 'columns', { data: Int32Array.of(1, 1, 0) })],
    ['offsets past the end', part(csr, 'offsets', { data: Int32Array.of(0, 4, 3) })],
    ['offsets that do not begin at 0', part(csr, 'offsets', { data: Int32Array.of(1, 1, 3) })],
    ['offsets that end early', part(csr, 'offsets', { data: Int32Array.of(0, 1, 2) })],
  ])('are refused with %s', (_, packed) => {
    expect(() => files.unpack(packed)).toThrow(code('ERR_SK_FILE'));
  });

  const described = (json: string) => files.writeSafetensors(nmParts()).length && withMetadata(json);
  const nmParts = () => ({ 'w.values': nm.parts.values as files.FileTensor, 'w.indices': nm.parts.indices as files.FileTensor });
  function withMetadata(json: string): Uint8Array {
    const plain = files.writeSafetensors(nmParts());
    const length = Number(new DataView(plain.buffer).getBigUint64(0, true));
    const header = JSON.parse(new TextDecoder().decode(plain.subarray(8, 8 + length)));
    return safetensors({ __metadata__: { 'sparse-kernels': json }, ...header }, plain.subarray(8 + length));
  }
  const good = { kind: 'nm', pattern: '2:4', dtype: 'float32', dims: [1, 6] };
  const one = (w: unknown, version: unknown = 1) => JSON.stringify({ version, tensors: { w } });

  it('are found by their description', () => {
    expect(files.readSafetensors(described(one(good)) as Uint8Array).tensors.get('w')).toEqual(nm);
  });

  it.each([
    ['no JSON', '{', 'ERR_SK_FILE'],
    ['null', 'null', 'ERR_SK_VERSION'],
    ['a later version', one(good, 2), 'ERR_SK_VERSION'],
    ['another dtype', one({ ...good, dtype: 'float16' }), 'ERR_SK_FILE'],
    ['a pattern that is none', one({ ...good, pattern: '4:2' }), 'ERR_SK_FILE'],
    ['an unknown kind', one({ ...good, kind: 'ellpack' }), 'ERR_SK_FILE'],
    ['an unknown key', one({ ...good, zip: true }), 'ERR_SK_FILE'],
    ['dims that do not fit', one({ ...good, dims: [1, 60] }), 'ERR_SK_FILE'],
    ['no dims', one({ ...good, dims: undefined }), 'ERR_SK_FILE'],
    ['parts that are missing', JSON.stringify({ version: 1, tensors: { other: good } }), 'ERR_SK_FILE'],
    ['null for a tensor', one(null), 'ERR_SK_FILE'],
  ])('are refused when their description is %s', (_, json, expected) => {
    expect(() => files.readSafetensors(withMetadata(json))).toThrow(code(expected));
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

describe('readOnnx', () => {
  const type = onnx.TensorProto.DataType;
  const model = (initializer: object[], node: object[] = []) =>
    onnx.ModelProto.encode({ irVersion: 8, graph: { name: 'g', initializer, node } }).finish();
  const raw = (data: ArrayBufferView) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);

  it('reads raw data and lists of every kind', () => {
    const bytes = model([
      { name: 'raw', dataType: type.FLOAT, dims: [2, 3], rawData: raw(uniform(6, 1)) },
      { name: 'list', dataType: type.FLOAT, dims: [6], floatData: [...uniform(6, 1)] },
      { name: 'double', dataType: type.DOUBLE, dims: [1], doubleData: [Math.PI] },
      { name: 'int8', dataType: type.INT8, dims: [3], int32Data: [-128, 0, 127] },
      { name: 'half', dataType: type.FLOAT16, dims: [2], int32Data: [0x3c00, 0xc000] },
      { name: 'int64', dataType: type.INT64, dims: [2], int64Data: [-5, 7] },
      { name: 'uint32', dataType: type.UINT32, dims: [1], uint64Data: [4294967295] },
      { name: 'scalar', dataType: type.INT32, dims: [], int32Data: [-3] },
      { name: 'empty', dataType: type.FLOAT, dims: [0] },
    ]);
    expect(Object.fromEntries(files.readOnnx(bytes))).toEqual({
      raw: { type: 'float32', data: uniform(6, 1), dims: [2, 3] },
      list: { type: 'float32', data: uniform(6, 1), dims: [6] },
      double: { type: 'float64', data: Float64Array.of(Math.PI), dims: [1] },
      int8: { type: 'int8', data: Int8Array.of(-128, 0, 127), dims: [3] },
      half: { type: 'float16', data: Uint16Array.of(0x3c00, 0xc000), dims: [2] },
      int64: { type: 'int64', data: BigInt64Array.of(-5n, 7n), dims: [2] },
      uint32: { type: 'uint32', data: Uint32Array.of(4294967295), dims: [1] },
      scalar: { type: 'int32', data: Int32Array.of(-3), dims: [] },
      empty: { type: 'float32', data: new Float32Array(0), dims: [0] },
    });
  });

  it('reads Constant nodes', () => {
    const t = { dataType: type.FLOAT, dims: [1], floatData: [5] };
    const nodes = [
      { opType: 'Constant', output: ['w'], attribute: [{ name: 'value', type: 4, t }] },
      { opType: 'Constant', output: ['f'], attribute: [{ name: 'value_float', type: 1, f: 2 }] },
      { opType: 'ConstantOfShape', output: ['s'], attribute: [{ name: 'value', type: 4, t }] },
      { opType: 'MatMul', input: ['x', 'w'], output: ['y'] },
    ];
    expect([...files.readOnnx(model([], nodes))]).toEqual([['w', { type: 'float32', data: Float32Array.of(5), dims: [1] }]]);
  });

  it.each([
    ['no bytes', new Uint8Array(0)],
    ['text', new TextEncoder().encode('this is no model')],
    ['a length past the end', Uint8Array.of(0x3a, 0x05, 0x0a)],
    ['an endless number', new Uint8Array(20).fill(0xff)],
    ['too little data', model([{ name: 'a', dataType: type.FLOAT, dims: [2], rawData: new Uint8Array(7) }])],
    ['too much data', model([{ name: 'a', dataType: type.FLOAT, dims: [2], rawData: new Uint8Array(9) }])],
    ['a negative size', model([{ name: 'a', dataType: type.FLOAT, dims: [-1], rawData: new Uint8Array(4) }])],
    ['a huge size', model([{ name: 'a', dataType: type.FLOAT, dims: [2 ** 40, 2 ** 40], rawData: new Uint8Array(4) }])],
    ['strings', model([{ name: 'a', dataType: type.STRING, dims: [1], stringData: [Uint8Array.of(65)] }])],
    ['data elsewhere', model([{ name: 'a', dataType: type.FLOAT, dims: [1], dataLocation: 1 }])],
    ['one name twice', model([0, 1].map(() => ({ name: 'a', dataType: type.FLOAT, dims: [0] })))],
  ])('refuses %s', (_, bytes) => {
    expect(() => files.readOnnx(bytes)).toThrow(code('ERR_SK_FILE'));
  });
});

/** Row r keeps in chunk c the pair number (r + c) mod 6. */
const pairs = [
  [0, 1],
  [0, 2],
  [1, 2],
  [0, 3],
  [1, 3],
  [2, 3],
] as const;
function patternP(rows: number, columns: number): Uint8Array {
  const kept = new Uint8Array(rows * columns);
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < columns / 4; c++) for (const i of pairs[(r + c) % 6] as readonly number[]) kept[r * columns + 4 * c + i] = 1;
  }
  return kept;
}

describe('semi-structured', () => {
  it('has the metadata words of mma.sp, 16 bits', () => {
    const { meta } = files.toSemiStructured({ type: 'float16', data: Uint16Array.from(patternP(32, 32)), dims: [32, 32] });
    const bytes = new Uint8Array(meta.data.buffer);
    const lanes = [...new Uint32Array(meta.data.buffer).subarray(0, 8)].map((word) => word.toString(16).toUpperCase());
    expect(lanes).toEqual(['EDC9C984', 'C98484ED', 'C98484ED', '84EDEDC9', '4EDCDC98', 'DC98984E', 'DC98984E', '984E4EDC']);
    expect(crc32(bytes)).toBe(0x6bee730a);
  });

  it('has the metadata words of mma.sp, 8 bits', () => {
    const { meta } = files.toSemiStructured({ type: 'int8', data: Int8Array.from(patternP(32, 64)), dims: [32, 64] });
    const words = new Uint32Array(meta.data.buffer).subarray(0, 32);
    expect([...words.subarray(0, 4)].map((word) => word.toString(16).toUpperCase())).toEqual([
      '84EDC984',
      'C984EDC9',
      'C984EDC9',
      'EDC984ED',
    ]);
    expect(crc32(new Uint8Array(words.buffer, 0, 128))).toBe(0x15fd1d3c);
  });

  it.each(['float16', 'bfloat16', 'int8'] as const)('comes back: %s', (type) => {
    for (const [out, inputs] of [
      [32, 64],
      [64, 128],
      [96, 192],
    ] as const) {
      const { data } = prune.random(
        { data: new Float32Array(out * inputs), dims: [out, inputs] },
        { scope: 'nm', pattern: '2:4', seed: out },
      ).mask;
      const next = generator(1);
      const bits = Array.from(data, (one) => (one && next() < 0.9 ? 1 + Math.floor(next() * 100) : 0)); // some groups hold fewer than two
      const weight: files.FileTensor = { type, data: type === 'int8' ? Int8Array.from(bits) : Uint16Array.from(bits), dims: [out, inputs] };
      const semi = files.toSemiStructured(weight);
      expect(semi.packed.dims).toEqual([out, inputs / 2]);
      expect(semi.meta.dims).toEqual([out, inputs / (type === 'int8' ? 32 : 16)]);
      expect(files.fromSemiStructured(semi)).toEqual(weight);
    }
  });

  it('permutes words as PyTorch gathers them', () => {
    // The gather offsets of torch.sparse for [32, 128] int8 (magic0 4, magic1 [0, 1, 32, 33]) against ours.
    const [out, inputs, columns] = [32, 128, 4];
    const weight = { type: 'int8', data: Int8Array.from(patternP(out, inputs)), dims: [out, inputs] } as const;
    const { meta } = files.toSemiStructured(weight);
    const { parts } = files.pack(weight, { kind: 'nm', pattern: '2:4' });
    const canonical = new Int32Array((parts.indices as files.FileTensor).data.buffer);
    for (let r = 0; r < out; r++) {
      for (let c = 0; c < columns; c++) {
        const offset = (c % 2) * 2 + Math.floor(c / 2) * 2 * out + (r % 8) * 4 + ([0, 1, 32, 33][Math.floor((r % 32) / 8)] as number);
        expect(meta.data[offset]).toBe(canonical[r * columns + c]);
      }
    }
  });

  it('refuses other types, sizes, patterns and metadata', () => {
    const weight = (type: 'float16' | 'float32', out: number, inputs: number): files.FileTensor => {
      return { type, data: new (type === 'float16' ? Uint16Array : Float32Array)(out * inputs), dims: [out, inputs] };
    };
    expect(() => files.toSemiStructured(weight('float32', 32, 32))).toThrow(code('ERR_SK_DTYPE'));
    expect(() => files.toSemiStructured(weight('float16', 31, 32))).toThrow(code('ERR_SK_SHAPE'));
    expect(() => files.toSemiStructured(weight('float16', 32, 16))).toThrow(code('ERR_SK_SHAPE'));
    const dense = weight('float16', 32, 32);
    dense.data.fill(1 as never);
    expect(() => files.toSemiStructured(dense)).toThrow(code('ERR_SK_SPARSITY'));
    const semi = files.toSemiStructured(weight('float16', 32, 32));
    expect(() => files.fromSemiStructured({ ...semi, meta: { ...semi.meta, data: new Int16Array(64) } })).toThrow(code('ERR_SK_FILE'));
    expect(() => files.fromSemiStructured({ ...semi, meta: { ...semi.meta, dims: [64, 1] } })).toThrow(code('ERR_SK_FILE'));
  });
});

describe('xnnpack', () => {
  it('has the stream of the published example', () => {
    const data = new Float32Array(30);
    data.set([0, 5, 0, 0, 2, 0, 0, 6, 0, 3, 0, 0]);
    data[4 * 6] = 7;
    data[4 * 6 + 5] = 8;
    const packed = files.toXnnpack({ data, dims: [5, 6] }, { bias: Float32Array.of(0.1, 0.2, 0.3, 0.4, 0.5), block: 2 });
    expect(packed).toEqual({
      dims: [5, 6],
      block: 2,
      first: 1,
      differences: Int32Array.of(8, 4, -16, 20, -16),
      counts: Uint32Array.of(3, 0, 2),
      values: Float32Array.of(0.1, 0.2, 5, 6, 0, 3, 2, 0, 0.3, 0.4, 0.5, 7, 8),
    });
  });

  it.each([1, 2, 4] as const)('comes back in blocks of %i', (block) => {
    for (const [out, inputs] of [
      [1, 1],
      [5, 6],
      [16, 31],
    ] as const) {
      const { weight } = prune.random({ data: smallIntegers(out * inputs, 1), dims: [out, inputs] }, { scope: 'global', sparsity: 0.7 });
      const bias = uniform(out, 2);
      const back = files.fromXnnpack(files.toXnnpack(weight, { bias, block }));
      expect(back).toEqual({ weight: { ...weight, dims: [out, inputs] }, bias: { type: 'float32', data: bias, dims: [out] } });
    }
  });

  it('chooses blocks that are at least 90 % full', () => {
    const filled = (full: number) => Float32Array.from({ length: 40 }, (_, i) => (i < full ? 1 : 0));
    const blockOf = (data: Float32Array) => files.toXnnpack({ data, dims: [4, 10] }).block;
    expect(blockOf(filled(40))).toBe(4);
    expect(blockOf(filled(36))).toBe(4);
    expect(blockOf(filled(35))).toBe(1);
    expect(blockOf(filled(20))).toBe(2); // two full rows, two empty ones
    expect(blockOf(new Float32Array(40))).toBe(1);
  });

  const good = files.toXnnpack({ data: Float32Array.of(0, 7, 0, 0, 8, 9), dims: [2, 3] });
  it.each([
    ['a first channel outside', { first: 3 }],
    ['differences that leave the matrix', { differences: Int32Array.of(400, -4, 0) }],
    ['differences that descend within a block', { differences: Int32Array.of(4, -4, 0) }],
    ['differences that are no multiples of 4', { differences: Int32Array.of(0, 3, -3) }],
    ['differences that do not return', { differences: Int32Array.of(0, 4, 0) }],
    ['counts that do not fit', { counts: Uint32Array.of(1, 3) }],
    ['counts that overflow', { counts: Uint32Array.of(2 ** 32 - 1, 4) }],
    ['too few values', { values: good.values.subarray(1) }],
    ['other dims', { dims: [3, 3] as const }],
  ])('refuses %s', (_, changed) => {
    expect(() => files.fromXnnpack({ ...good, ...changed })).toThrow(code('ERR_SK_FILE'));
  });

  it('refuses other blocks and biases', () => {
    expect(() => files.toXnnpack({ data: new Float32Array(4), dims: [2, 2] }, { block: 3 as 2 })).toThrow(code('ERR_SK_OPTION'));
    expect(() => files.toXnnpack({ data: new Float32Array(4), dims: [2, 2] }, { bias: new Float32Array(3) })).toThrow(code('ERR_SK_SHAPE'));
  });
});
