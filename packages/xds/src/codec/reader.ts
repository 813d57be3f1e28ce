import { WireError } from './errors.js';

const decoder = new TextDecoder();

/** Reads protobuf's wire format from `bytes`, between `at` and `end`. */
export class Reader {
  readonly bytes: Uint8Array;
  at: number;
  readonly end: number;

  constructor(bytes: Uint8Array, at = 0, end = bytes.length) {
    this.bytes = bytes;
    this.at = at;
    this.end = end;
  }

  #need(size: number): number {
    const at = this.at;
    if (size < 0 || at + size > this.end) throw new WireError(`truncated: ${size} bytes expected at offset ${at}`);
    this.at = at + size;
    return at;
  }

  /** Values above 2^53 lose precision, as every number of ours does. */
  varint(): number {
    let value = 0;
    let scale = 1;
    for (let i = 0; i < 10; i++) {
      if (this.at >= this.end) throw new WireError(`truncated number at offset ${this.at}`);
      const byte = this.bytes[this.at++]!;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 128;
    }
    throw new WireError(`number of more than ten bytes at offset ${this.at}`);
  }

  int32(): number {
    const start = this.at;
    const value = this.varint();
    if (value < 2 ** 31) return value;
    this.at = start;
    return Number(BigInt.asIntN(32, this.#big()));
  }

  int64(): number {
    const start = this.at;
    const value = this.varint();
    if (value < 2 ** 53) return value;
    this.at = start;
    return Number(BigInt.asIntN(64, this.#big()));
  }

  #big(): bigint {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = this.bytes[this.at++]!;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  }

  zigzag(): number {
    const value = this.varint();
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  view(size: number): DataView {
    return new DataView(this.bytes.buffer, this.bytes.byteOffset + this.#need(size), size);
  }

  /** The next length-delimited piece, as a reader over it. */
  piece(): Reader {
    const size = this.varint();
    const at = this.#need(size);
    return new Reader(this.bytes, at, at + size);
  }

  /** A view, not a copy; a plain Uint8Array even of a Buffer. */
  slice(): Uint8Array {
    const size = this.varint();
    const at = this.#need(size);
    return new Uint8Array(this.bytes.buffer, this.bytes.byteOffset + at, size);
  }

  string(): string {
    const size = this.varint();
    const at = this.#need(size);
    if (size > 64) return decoder.decode(this.bytes.subarray(at, at + size));
    let text = '';
    for (let i = at; i < at + size; i++) {
      const byte = this.bytes[i]!;
      if (byte >= 0x80) return decoder.decode(this.bytes.subarray(at, at + size));
      text += String.fromCharCode(byte);
    }
    return text;
  }

  /** Passes over a field of no interest. Groups, which proto3 has not, are refused. */
  skip(wireType: number): void {
    if (wireType === 0) this.varint();
    else if (wireType === 1) this.#need(8);
    else if (wireType === 2) this.#need(this.varint());
    else if (wireType === 5) this.#need(4);
    else throw new WireError(`wire type ${wireType} at offset ${this.at}`);
  }
}
