/**
 * What the two ends of a stream say to each other, one message each, on `stream.<identity>.<id>.up` (to the server) and
 * `.down` (to the client): a type byte, for frames a sequence number (4 bytes, big endian, from 0, per direction), then
 * the rest. NATS may lose messages with a connection; the sequence shows it.
 */
export type Frame =
  /** A piece of a frame; `more`: it continues in the next one. */
  | { type: 'data'; seq: number; more: boolean; data: Uint8Array }
  /** The sender has no more frames; the other direction goes on. */
  | { type: 'end'; seq: number }
  /** The sender is ready to take this many more bytes. */
  | { type: 'credit'; bytes: number }
  /** The stream is over, whatever is under way. */
  | { type: 'reset'; reason: string };

const codes = { data: 1, more: 2, end: 3, credit: 4, reset: 5 } as const;

export function encodeFrame(frame: Frame): Uint8Array {
  switch (frame.type) {
    case 'data': {
      const out = withNumber(frame.more ? codes.more : codes.data, frame.seq, frame.data.length);
      out.set(frame.data, 5);
      return out;
    }
    case 'end':
      return withNumber(codes.end, frame.seq, 0);
    case 'credit':
      return withNumber(codes.credit, frame.bytes, 0);
    case 'reset':
      return Buffer.concat([Buffer.from([codes.reset]), Buffer.from(frame.reason)]);
  }
}

/** Undefined if it is not a frame. */
export function decodeFrame(bytes: Uint8Array): Frame | undefined {
  const code = bytes[0];
  if (code === codes.reset) return { type: 'reset', reason: Buffer.from(bytes.subarray(1)).toString() };
  if (bytes.length < 5) return undefined;
  const number = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).readUInt32BE(1);
  switch (code) {
    case codes.data:
    case codes.more:
      return { type: 'data', seq: number, more: code === codes.more, data: bytes.subarray(5) };
    case codes.end:
      return { type: 'end', seq: number };
    case codes.credit:
      return { type: 'credit', bytes: number };
    default:
      return undefined;
  }
}

function withNumber(code: number, number: number, extra: number): Buffer {
  const out = Buffer.allocUnsafe(5 + extra);
  out[0] = code;
  out.writeUInt32BE(number >>> 0, 1);
  return out;
}
