/** Formats of others: ONNX against onnx-proto, semi-structured and XNNPACK's layouts against those written by hand, and what is refused. */
import { crc32 } from 'node:zlib';
import onnxProto from 'onnx-proto';
import { files, prune } from 'sparse-kernels';
import { describe, expect, it } from 'vitest';
import { generator, smallIntegers, uniform } from '../support/random.js';

const { onnx } = onnxProto;

const code = (expected: string) => expect.objectContaining({ code: expected });

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
