/** Packed tensors: their documented order, in files and out, and what a file may say of them. */
import { files, prune } from 'sparse-kernels';
import { expect, it } from 'vitest';
import { uniform } from '../support/random.js';
import { safetensors } from '../support/safetensors.js';

const bias: files.FileTensor = { type: 'float32', data: uniform(6, 1), dims: [2, 3] };
const code = (expected: string) => expect.objectContaining({ code: expected });

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
    const bytes = files.writeSafetensors({ layer: packed, bias }, { checksum: true });
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
  const shared = files.pack({ type: 'float32', data: Float32Array.of(0, 1, 0, 2), dims: [2, 2] }, { kind: 'nm', pattern: '1:2', rows: 2 });
  expect(shared.parts.values).toEqual({ type: 'float32', data: Float32Array.of(1, 2), dims: [1, 1, 2] });
  const blocks = files.pack({ type: 'float32', data: Float32Array.of(0, 1, 0, 0, 0, 2), dims: [2, 3] }, { kind: 'block', block: [1, 2] });
  expect(Object.values(blocks.parts).map(({ data }) => [...data])).toEqual([
    [0, 1, 2, 0],
    [0, 1],
    [0, 1, 2],
  ]);
});

it('keep two values of 4 bits in a byte', () => {
  const data = Int8Array.of(0, 7, 0, -8, -1, 0, 0, 0, 3, 0, 0, 0);
  for (const format of [{ kind: 'nm', pattern: '2:4' }, { kind: 'block', block: [1, 3] }, { kind: 'csr' }] as const) {
    const weight: files.FileTensor = { type: 'int8', data, dims: [3, 4] };
    const packed = files.pack(weight, { ...format, bits: 4 });
    const wide = files.pack(weight, format).parts.values as files.FileTensor;
    expect(packed.parts.values?.data).toHaveLength(Math.ceil(wide.data.length / 2));
    const { tensors } = files.readSafetensors(files.writeSafetensors({ packed }));
    expect(tensors.get('packed')).toEqual(packed);
    expect(files.unpack(packed)).toEqual(weight);
  }
  const { parts } = files.pack({ type: 'int8', data, dims: [1, 12] }, { kind: 'csr', bits: 4 });
  expect(parts.values).toEqual({ type: 'uint8', data: Uint8Array.of(0x87, 0x3f), dims: [2] });
  const eight: files.FileTensor = { type: 'int8', data: Int8Array.of(8), dims: [1, 1] };
  expect(() => files.pack(eight, { kind: 'csr', bits: 4 })).toThrow(code('ERR_SK_VALUE'));
  expect(() => files.pack({ ...eight, type: 'uint8', data: Uint8Array.of(1) }, { kind: 'csr', bits: 4 })).toThrow(code('ERR_SK_DTYPE'));
  expect(() => files.pack(eight, { kind: 'csr', bits: 8 } as never)).toThrow(code('ERR_SK_OPTION'));
});

it('must have the pattern, and a known format', () => {
  const weight: files.FileTensor = { type: 'float32', data: Float32Array.of(0, 0, 0, 0, 1, 2, 3, 0), dims: [1, 8] };
  expect(() => files.pack(weight, { kind: 'nm', pattern: '2:4' })).toThrow('row 0, group 1 has 3');
  expect(() => files.pack(weight, { kind: 'nm', pattern: '2:4' })).toThrow(code('ERR_SK_SPARSITY'));
  expect(() => files.pack(weight, { kind: 'nm', pattern: '4:4' })).toThrow(code('ERR_SK_PATTERN'));
  expect(() => files.pack(weight, { kind: 'ellpack' } as unknown as files.PackFormat)).toThrow(code('ERR_SK_OPTION'));
  for (const dims of [[8], [2, 2, 2]]) expect(() => files.pack({ ...weight, dims }, { kind: 'csr' })).toThrow(code('ERR_SK_SHAPE'));
  expect(() => files.unpack(undefined as unknown as files.PackedTensor)).toThrow(code('ERR_SK_TYPE'));
});

const nm = files.pack({ type: 'float32', data: Float32Array.of(0, 7, 0, 8, 1, 0), dims: [1, 6] }, { kind: 'nm', pattern: '2:4' });
const csr = files.pack({ type: 'float32', data: Float32Array.of(0, 7, 0, 8, 1, 0), dims: [2, 3] }, { kind: 'csr' });
const nibbles = files.pack({ type: 'int8', data: Int8Array.of(0, 1, 2, 3), dims: [2, 2] }, { kind: 'csr', bits: 4 });
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
  ['a byte of nibbles too few', part(nibbles, 'values', { data: Uint8Array.of(1), dims: [1] })],
  ['a nibble behind the last', part(nibbles, 'values', { data: Uint8Array.of(0x21, 0x13) })],
  ['nibbles that are int8', part(nibbles, 'values', { type: 'int8', data: Int8Array.of(1, 2) })],
  ['columns outside', part(csr, 'columns', { data: Int32Array.of(1, 0, 3) })],
  ['negative columns', part(csr, 'columns', { data: Int32Array.of(-1, 0, 1) })],
  ['columns that descend', part(csr, 'columns', { data: Int32Array.of(1, 1, 0) })],
  ['offsets past the end', part(csr, 'offsets', { data: Int32Array.of(0, 4, 3) })],
  ['offsets that do not begin at 0', part(csr, 'offsets', { data: Int32Array.of(1, 1, 3) })],
  ['offsets that end early', part(csr, 'offsets', { data: Int32Array.of(0, 1, 2) })],
])('are refused with %s', (_, packed) => {
  expect(() => files.unpack(packed)).toThrow(code('ERR_SK_FILE'));
});

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
  expect(files.readSafetensors(withMetadata(one(good))).tensors.get('w')).toEqual(nm);
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
  ['a number for dims', one({ ...good, dims: 6 }), 'ERR_SK_FILE'],
  ['an object for dims', one({ ...good, dims: { length: 2 } }), 'ERR_SK_FILE'],
  ['null for a tensor', one(null), 'ERR_SK_FILE'],
])('are refused when their description is %s', (_, json, expected) => {
  expect(() => files.readSafetensors(withMetadata(json))).toThrow(code(expected));
});
