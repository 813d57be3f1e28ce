const encoder = new TextEncoder();

/**
 * Writes a message from its end to its start: a nested message is complete before its length is written, so nothing is
 * measured twice or moved.
 */
export class Writer {
  #buffer: Uint8Array;
  #start: number;

  constructor(size = 512) {
    this.#buffer = new Uint8Array(size);
    this.#start = size;
  }

  /** Bytes written so far. */
  get length(): number {
    return this.#buffer.length - this.#start;
  }

  /** A copy of what was written. */
  finish(): Uint8Array {
    return this.#buffer.slice(this.#start);
  }

  #reserve(size: number): number {
    if (this.#start < size) {
      const grown = new Uint8Array(Math.max(this.#buffer.length * 2, this.length + size));
      grown.set(this.#buffer.subarray(this.#start), grown.length - this.length);
      this.#start = grown.length - this.length;
      this.#buffer = grown;
    }
    this.#start -= size;
    return this.#start;
  }

  bytes(value: Uint8Array): void {
    // Growing replaces the buffer: reserve first, then look at it.
    const at = this.#reserve(value.length);
    this.#buffer.set(value, at);
  }

  /** Puts length and tag before what was written since `length` was `before`. */
  closeField(number: number, before: number): void {
    this.varint(this.length - before);
    this.varint(number * 8 + 2);
  }

  string(value: string): void {
    const length = value.length;
    if (length < 128) {
      let ascii = true;
      for (let i = 0; i < length && ascii; i++) ascii = value.charCodeAt(i) < 0x80;
      if (ascii) {
        const at = this.#reserve(length);
        for (let i = 0; i < length; i++) this.#buffer[at + i] = value.charCodeAt(i);
        return;
      }
    }
    this.bytes(encoder.encode(value));
  }

  /** An unsigned integer up to 2^53. */
  varint(value: number): void {
    let size = 1;
    for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 128)) size++;
    let at = this.#reserve(size);
    let rest = value;
    for (; size > 1; size--) {
      this.#buffer[at++] = (rest % 128) | 0x80;
      rest = Math.floor(rest / 128);
    }
    this.#buffer[at] = rest;
  }

  /** A signed integer as int32 and int64 are written: negative ones as 64-bit two's complement, ten bytes. */
  signed(value: number): void {
    if (value >= 0) return this.varint(value);
    let rest = BigInt.asUintN(64, BigInt(value));
    const at = this.#reserve(10);
    for (let i = 0; i < 10; i++) {
      this.#buffer[at + i] = Number(rest & 0x7fn) | (i < 9 ? 0x80 : 0);
      rest >>= 7n;
    }
  }

  zigzag(value: number): void {
    this.varint(value >= 0 ? value * 2 : -value * 2 - 1);
  }

  fixed32(value: number): void {
    this.#view(4).setUint32(0, value >>> 0, true);
  }

  fixed64(value: number): void {
    this.#view(8).setBigUint64(0, BigInt.asUintN(64, BigInt(value)), true);
  }

  float(value: number): void {
    this.#view(4).setFloat32(0, value, true);
  }

  double(value: number): void {
    this.#view(8).setFloat64(0, value, true);
  }

  #view(size: number): DataView {
    const at = this.#reserve(size);
    return new DataView(this.#buffer.buffer, this.#buffer.byteOffset + at, size);
  }
}
