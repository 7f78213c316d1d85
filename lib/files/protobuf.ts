/** The wire format of protocol buffers, as far as reading needs it. Every length is checked before anything is read. */
import { damaged } from './tensor.js';

/** One field of a message: a number, or the bytes of a string, a packed list or another message. */
export interface Field {
  readonly number: number;
  readonly value: bigint | Uint8Array;
}

const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
const FIXED32 = 5;

/** The fields of a message in their order. */
export function* fieldsOf(message: Uint8Array): Generator<Field> {
  const reader = new Reader(message);
  while (!reader.done) {
    const key = Number(BigInt.asUintN(32, reader.varint()));
    const [number, wire] = [key >>> 3, key & 7];
    if (wire === VARINT) yield { number, value: reader.varint() };
    else if (wire === BYTES) yield { number, value: reader.bytes(reader.varint()) };
    else if (wire === FIXED64 || wire === FIXED32) yield { number, value: reader.bytes(wire === FIXED64 ? 8n : 4n) };
    else throw damaged(`expected a protobuf field but the file has wire type ${wire}: it is damaged or foreign`);
  }
}

/** A repeated varint field: packed into bytes, or a value of its own each time. */
export function* varintsOf(value: bigint | Uint8Array): Generator<bigint> {
  if (typeof value === 'bigint') {
    yield value;
    return;
  }
  const reader = new Reader(value);
  while (!reader.done) yield reader.varint();
}

/** The bytes of a length-delimited field. */
export function bytesField({ number, value }: Field): Uint8Array {
  if (typeof value !== 'bigint') return value;
  throw damaged(`expected protobuf field ${number} to be bytes but it is a number`);
}

/** The text of a length-delimited field. */
export function textField(field: Field): string {
  return new TextDecoder().decode(bytesField(field));
}

class Reader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get done(): boolean {
    return this.#at >= this.#bytes.length;
  }

  varint(): bigint {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.#bytes[this.#at++];
      if (byte === undefined) throw damaged('expected a protobuf number but the file ends: it is truncated');
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asUintN(64, value);
    }
    throw damaged('expected a protobuf number of at most 10 bytes: the file is damaged or foreign');
  }

  bytes(length: bigint): Uint8Array {
    const left = this.#bytes.length - this.#at;
    if (length > BigInt(left))
      throw damaged(`expected ${length} bytes of a protobuf field but ${left} are left: the file is truncated or foreign`);
    this.#at += Number(length);
    return this.#bytes.subarray(this.#at - Number(length), this.#at);
  }
}
