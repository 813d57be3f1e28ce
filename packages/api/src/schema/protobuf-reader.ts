import { NamedError } from '@flotilla/base';

/** Bytes that are not the protobuf message they should be. */
export class ProtobufError extends NamedError {
  constructor(message: string, cause?: unknown) {
    super('BadProtobuf', message, { cause });
  }
}

export const VARINT = 0;
export const FIXED64 = 1;
export const BYTES = 2;
const GROUP_START = 3;
const GROUP_END = 4;
const FIXED32 = 5;

/** Reads the protobuf wire format from one message's bytes. Every method throws ProtobufError at a premature end. */
export class ProtobufReader {
  readonly #bytes: Buffer;
  #at: number;
  readonly #end: number;
  /** Halves of the last varint: 64 bits do not fit a number. */
  #low = 0;
  #high = 0;

  constructor(bytes: Uint8Array, from = 0, end = bytes.length) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#at = from;
    this.#end = end;
  }

  get done(): boolean {
    return this.#at >= this.#end;
  }

  /** The next field's `number << 3 | wire type`. */
  tag(): number {
    const tag = this.uint32();
    if (tag >>> 3 === 0) throw new ProtobufError('protobuf: field number 0');
    return tag;
  }

  #varint(): void {
    let low = 0;
    let high = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      if (this.#at >= this.#end) throw truncated();
      const byte = this.#bytes[this.#at++]!;
      const bits = byte & 0x7f;
      if (shift < 28) low |= bits << shift;
      else if (shift === 28) {
        low |= bits << 28;
        high = bits >>> 4;
      } else if (shift < 63) high |= bits << (shift - 32);
      else high |= (bits & 1) << 31;
      if (byte < 0x80) {
        this.#low = low >>> 0;
        this.#high = high >>> 0;
        return;
      }
    }
    throw new ProtobufError('protobuf: varint is longer than 64 bits');
  }

  uint32(): number {
    this.#varint();
    return this.#low;
  }

  int32(): number {
    this.#varint();
    return this.#low | 0;
  }

  /** Exact below 2^53, the nearest number beyond. */
  int64(): number {
    this.#varint();
    return (this.#high | 0) * 4294967296 + this.#low;
  }

  bigint64(): bigint {
    this.#varint();
    return BigInt.asIntN(64, (BigInt(this.#high) << 32n) | BigInt(this.#low));
  }

  bool(): boolean {
    this.#varint();
    return this.#low !== 0 || this.#high !== 0;
  }

  double(): number {
    const from = this.#take(8);
    return this.#bytes.readDoubleLE(from);
  }

  string(): string {
    const length = this.uint32();
    const from = this.#take(length);
    return this.#bytes.toString('utf8', from, from + length);
  }

  /** A view, not a copy. */
  bytes(): Buffer {
    const length = this.uint32();
    const from = this.#take(length);
    return this.#bytes.subarray(from, from + length);
  }

  /** A reader of the length-delimited value that comes next. */
  nested(): ProtobufReader {
    const length = this.uint32();
    const from = this.#take(length);
    return new ProtobufReader(this.#bytes, from, from + length);
  }

  skip(tag: number): void {
    switch (tag & 7) {
      case VARINT:
        return this.#varint();
      case FIXED64:
        this.#take(8);
        return;
      case BYTES:
        this.#take(this.uint32());
        return;
      case GROUP_START:
        return this.#skipGroup(tag >>> 3);
      case FIXED32:
        this.#take(4);
        return;
      default:
        throw new ProtobufError(`protobuf: unexpected wire type ${tag & 7}`);
    }
  }

  #skipGroup(number: number): void {
    for (let tag = this.tag(); tag !== ((number << 3) | GROUP_END); tag = this.tag()) this.skip(tag);
  }

  #take(length: number): number {
    const from = this.#at;
    if (length > this.#end - from) throw truncated();
    this.#at = from + length;
    return from;
  }
}

function truncated(): ProtobufError {
  return new ProtobufError('unexpected EOF');
}
