/**
 * Writes the protobuf wire format from back to front, as gogo/protobuf does: when a message's length is to be written,
 * its content already stands. Callers write fields, list items and map entries in reverse.
 */
export class ProtobufWriter {
  #buffer = Buffer.allocUnsafe(1024);
  #at = 1024;

  /** How much has been written: the difference of two positions is the length of what stands between them. */
  get position(): number {
    return this.#buffer.length - this.#at;
  }

  finish(): Uint8Array {
    return this.#buffer.subarray(this.#at);
  }

  tag(number: number, wireType: number): void {
    this.varint((number << 3) | wireType);
  }

  /** A non-negative integer below 2^53. */
  varint(value: number): void {
    const length = varintLength(value);
    let at = this.#reserve(length);
    let rest = value;
    while (rest >= 0x80) {
      this.#buffer[at++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.#buffer[at] = rest;
  }

  /** Negative numbers take ten bytes, as two's complement of 64 bits, also for int32. */
  int64(value: number): void {
    if (value >= 0) this.varint(value);
    else this.bigint64(BigInt(value));
  }

  bigint64(value: bigint): void {
    const bytes: number[] = [];
    let rest = BigInt.asUintN(64, value);
    for (; rest >= 0x80n; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
    bytes.push(Number(rest));
    const at = this.#reserve(bytes.length);
    this.#buffer.set(bytes, at);
  }

  double(value: number): void {
    const at = this.#reserve(8);
    this.#buffer.writeDoubleLE(value, at);
  }

  /** With its length in front. */
  string(value: string): void {
    const length = Buffer.byteLength(value);
    const at = this.#reserve(length);
    this.#buffer.write(value, at, length, 'utf8');
    this.varint(length);
  }

  /** With their length in front. */
  bytes(value: Uint8Array): void {
    this.raw(value);
    this.varint(value.length);
  }

  raw(value: Uint8Array): void {
    const at = this.#reserve(value.length);
    this.#buffer.set(value, at);
  }

  /** May replace the buffer: call it before touching that. */
  #reserve(length: number): number {
    if (length > this.#at) this.#grow(length);
    this.#at -= length;
    return this.#at;
  }

  #grow(length: number): void {
    const written = this.#buffer.length - this.#at;
    const buffer = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, written + length + 1024));
    this.#buffer.copy(buffer, buffer.length - written, this.#at);
    this.#at = buffer.length - written;
    this.#buffer = buffer;
  }
}

function varintLength(value: number): number {
  let length = 1;
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) length++;
  return length;
}
