/**
 * safetensors: a 64-bit header length, a JSON header of names, types, shapes and byte ranges, then the data. Ranges follow each other
 * without holes and fill the file, so what a file makes us allocate is never more than the file itself.
 */
import { crc32 } from 'node:zlib';
import { rangeError, SparseKernelsError, typeError } from '../errors.js';
import { describe, options } from '../validate.js';
import { fromParts, METADATA_KEY, partsOf } from './packed-file.js';
import type { PackedTensor } from './packed-format.js';
import { byteArray, bytesOf, damaged, elementBytes, type FileTensor, type FileType, fileTensor, tensorOfBytes } from './tensor.js';

const typeOfName = {
  F64: 'float64',
  F32: 'float32',
  F16: 'float16',
  BF16: 'bfloat16',
  F8_E4M3: 'float8e4m3fn',
  F8_E5M2: 'float8e5m2',
  I64: 'int64',
  U64: 'uint64',
  I32: 'int32',
  U32: 'uint32',
  I16: 'int16',
  U16: 'uint16',
  I8: 'int8',
  U8: 'uint8',
  BOOL: 'bool',
} as const satisfies Record<string, FileType>;

const nameOfType = Object.fromEntries(Object.entries(typeOfName).map(([name, type]) => [type, name])) as Record<FileType, string>;

const PREFIX_BYTES = 8;
const MAX_HEADER_BYTES = 100_000_000; // the limit of the reference implementation
const CHECKSUM_KEY = 'sparse-kernels.crc32';

/** What a safetensors file holds. */
export interface Safetensors {
  /** Tensors by name: dense ones, and those that {@link pack} made. */
  readonly tensors: ReadonlyMap<string, FileTensor | PackedTensor>;
  /** What else the writer said. */
  readonly metadata: Readonly<Record<string, string>>;
}

/** Options of {@link writeSafetensors}. */
export interface WriteOptions {
  /** Strings to keep with the tensors. */
  readonly metadata?: Readonly<Record<string, string>>;
  /** Also keep a CRC-32 of header and data, which {@link readSafetensors} then checks. Default: false. */
  readonly checksum?: boolean;
}

interface Entry {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data_offsets: readonly [number, number];
}

/**
 * Tensors as the bytes of a safetensors file. Packed tensors ({@link pack}) become tensors that any reader can open, named
 * `<name>.values`, `<name>.indices` and so on; what they mean is JSON under `sparse-kernels` in the metadata.
 *
 * @param tensors - by name
 * @throws TypeError `ERR_SK_TYPE` / `ERR_SK_DTYPE`, RangeError `ERR_SK_SHAPE` / `ERR_SK_OPTION`
 * @example
 * ```ts
 * import { files, prune } from 'sparse-kernels';
 * const weight = prune.magnitude({ data: new Float32Array(256).fill(1), dims: [16, 16] }, { scope: 'nm', pattern: '2:4' }).weight;
 * const bytes = files.writeSafetensors({ weight: files.pack(weight, { kind: 'nm', pattern: '2:4' }) }, { checksum: true });
 * files.readSafetensors(bytes).tensors.get('weight');
 * ```
 */
export function writeSafetensors(
  tensors: Readonly<Record<string, FileTensor | PackedTensor>> | ReadonlyMap<string, FileTensor | PackedTensor>,
  writeOptions: WriteOptions = {},
): Uint8Array<ArrayBuffer> {
  const { metadata = {}, checksum } = options<WriteOptions>(writeOptions, 'options', ['metadata', 'checksum']);
  const { parts, described } = partsOf(tensors instanceof Map ? [...tensors] : Object.entries(tensors ?? {}));
  const strings = { ...checkedMetadata(metadata), ...(described && { [METADATA_KEY]: described }) };
  const checked = [...parts].map(([name, part]) => ({ name, ...fileTensor(part, name) }));
  checked.sort((a, b) => elementBytes(b.type) - elementBytes(a.type) || (a.name < b.name ? -1 : 1)); // widest first: all stay aligned

  const entries: [string, Entry][] = [];
  let end = 0;
  for (const { name, type, dims, data } of checked) {
    entries.push([name, { dtype: nameOfType[type], shape: dims, data_offsets: [end, end + data.byteLength] }]);
    end += data.byteLength;
  }
  const body = new Uint8Array(end);
  checked.forEach(({ data }, i) => {
    body.set(bytesOf(data), entries[i]?.[1].data_offsets[0]);
  });
  const header = headerBytes({ ...strings, ...(checksum && { [CHECKSUM_KEY]: crcOf(entries, strings, body) }) }, entries);
  const bytes = new Uint8Array(PREFIX_BYTES + header.length + end);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(header.length), true);
  bytes.set(header, PREFIX_BYTES);
  bytes.set(body, PREFIX_BYTES + header.length);
  return bytes;
}

/**
 * Reads the bytes of a safetensors file; each tensor gets memory of its own. Tensors that {@link writeSafetensors} wrote packed come back
 * as {@link PackedTensor}, their indices checked; {@link unpack} makes them dense.
 *
 * @param bytes - the whole file
 * @throws TypeError `ERR_SK_TYPE`, SparseKernelsError `ERR_SK_FILE` (truncated, damaged or foreign bytes), `ERR_SK_CHECKSUM`,
 * `ERR_SK_VERSION` (packed tensors of a later version)
 * @example
 * ```ts
 * import { files } from 'sparse-kernels';
 * const bytes = files.writeSafetensors({ bias: { type: 'float32', data: Float32Array.of(1, 2), dims: [2] } });
 * const { tensors } = files.readSafetensors(bytes); // in practice: await readFile('model.safetensors')
 * ```
 */
export function readSafetensors(bytes: Uint8Array): Safetensors {
  return readChecked(bytes, false);
}

/** As {@link readSafetensors}; a file without a checksum is an error where one is needed. */
export function readChecked(bytes: Uint8Array, checksumNeeded: boolean): Safetensors {
  const { strings, entries, body } = readHeader(byteArray(bytes, 'bytes'));
  const { [CHECKSUM_KEY]: checksum, [METADATA_KEY]: described, ...metadata } = strings;
  if (checksum === undefined && checksumNeeded) {
    throw new SparseKernelsError('ERR_SK_CHECKSUM', 'expected a checksum but the file has none: it is damaged, or was written by others');
  }
  if (checksum !== undefined) {
    const { [CHECKSUM_KEY]: _, ...summed } = strings;
    const computed = crcOf(entries, summed, body);
    if (checksum !== computed) {
      throw new SparseKernelsError(
        'ERR_SK_CHECKSUM',
        `expected a CRC-32 of ${describe(checksum)} but the file has ${computed}: it is damaged`,
      );
    }
  }
  const dense = new Map(
    entries.map(([name, { dtype, shape, data_offsets }]) => [
      name,
      tensorOfBytes(typeOfName[dtype as keyof typeof typeOfName], shape, body.subarray(...data_offsets)),
    ]),
  );
  return { tensors: fromParts(dense, described), metadata };
}

function headerBytes(metadata: Record<string, string>, entries: readonly [string, Entry][]): Uint8Array {
  const json = JSON.stringify(
    Object.fromEntries([...(Object.keys(metadata).length ? [['__metadata__', metadata] as const] : []), ...entries]),
  );
  const header = new TextEncoder().encode(json);
  const padded = new Uint8Array(Math.ceil(header.length / 8) * 8).fill(0x20);
  padded.set(header);
  return padded;
}

/** Of what the header says, sorted by name as JSON does not keep every order, and of the data. */
function crcOf(entries: readonly [string, Entry][], metadata: Readonly<Record<string, string>>, body: Uint8Array): string {
  const said = [Object.entries(metadata).sort(), entries.map(([name, e]) => [name, e.dtype, e.shape, e.data_offsets]).sort()];
  return crc32(body, crc32(JSON.stringify(said)))
    .toString(16)
    .padStart(8, '0');
}

function checkedMetadata(metadata: unknown): Record<string, string> {
  if (typeof metadata !== 'object' || metadata === null) {
    throw typeError('ERR_SK_TYPE', `expected metadata to be an object of strings but received ${describe(metadata)}`);
  }
  for (const [key, value] of Object.entries(metadata)) {
    if (typeof value !== 'string')
      throw typeError('ERR_SK_TYPE', `expected metadata.${key} to be a string but received ${describe(value)}`);
    if (key === METADATA_KEY || key === CHECKSUM_KEY) throw rangeError('ERR_SK_OPTION', `expected metadata without the key ${key}`);
  }
  return metadata as Record<string, string>;
}

/** Checks everything that the header says against the length of the file. Entries come in the order of their data. */
function readHeader(bytes: Uint8Array): { strings: Record<string, string>; entries: [string, Entry][]; body: Uint8Array } {
  if (bytes.length < PREFIX_BYTES)
    throw damaged(`expected a safetensors file of at least ${PREFIX_BYTES} bytes but received ${bytes.length}`);
  const length = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true);
  if (length > MAX_HEADER_BYTES || Number(length) > bytes.length - PREFIX_BYTES) {
    throw damaged(
      `expected a safetensors header inside ${bytes.length} bytes but its length is ${length}: the file is truncated or foreign`,
    );
  }
  const bodyStart = PREFIX_BYTES + Number(length);
  const header = parseJson(bytes.subarray(PREFIX_BYTES, bodyStart));
  const body = bytes.subarray(bodyStart);
  const strings: Record<string, string> = Object.create(null);
  const entries: [string, Entry][] = [];
  for (const [name, value] of Object.entries(header)) {
    if (name !== '__metadata__') {
      entries.push([name, entryOf(name, value)]);
      continue;
    }
    for (const [key, text] of Object.entries((value ?? {}) as object)) {
      if (typeof text !== 'string')
        throw damaged(`expected the metadata ${describe(key)} to be a string but the file has ${describe(text)}`);
      strings[key] = text;
    }
  }
  entries.sort(([, a], [, b]) => a.data_offsets[0] - b.data_offsets[0] || a.data_offsets[1] - b.data_offsets[1]);
  let end = 0;
  for (const [name, { data_offsets }] of entries) {
    if (data_offsets[0] !== end)
      throw damaged(`expected the data of ${describe(name)} to begin at ${end} but it begins at ${data_offsets[0]}`);
    end = data_offsets[1];
  }
  if (end !== body.length) throw damaged(`expected ${end} bytes of data but the file has ${body.length}: it is truncated or has a tail`);
  return { strings: { ...strings }, entries, body };
}

function parseJson(bytes: Uint8Array): object {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new SparseKernelsError('ERR_SK_FILE', 'expected a safetensors header of JSON in UTF-8', { cause });
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  throw damaged(`expected the safetensors header to be an object but the file has ${describe(value)}`);
}

function entryOf(name: string, value: unknown): Entry {
  const { dtype, shape, data_offsets } = (value ?? {}) as Partial<Record<keyof Entry, unknown>>;
  const whole = (list: unknown): list is number[] => Array.isArray(list) && list.every((n) => Number.isSafeInteger(n) && n >= 0);
  if (typeof dtype !== 'string' || !Object.hasOwn(typeOfName, dtype)) {
    throw damaged(
      `expected the dtype of ${describe(name)} to be one of ${Object.keys(typeOfName).join(', ')} but the file has ${describe(dtype)}`,
    );
  }
  if (!whole(shape) || !whole(data_offsets) || data_offsets.length !== 2) {
    throw damaged(
      `expected ${describe(name)} to have a shape and two data_offsets but the file has ${describe(shape)}, ${describe(data_offsets)}`,
    );
  }
  const [begin, end] = data_offsets as [number, number];
  const bytes = shape.reduce((product, n) => product * n, elementBytes(typeOfName[dtype as keyof typeof typeOfName]));
  if (end - begin !== bytes) {
    throw damaged(`expected ${describe(name)} to have ${bytes} bytes for ${dtype} ${describe(shape)} but its offsets have ${end - begin}`);
  }
  return { dtype, shape, data_offsets: [begin, end] };
}
