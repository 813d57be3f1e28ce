/**
 * The PROXY protocol, versions 1 and 2 (haproxy.org, "The PROXY protocol"): who really connected, and to where.
 * Parsing is incremental and pure; addresses are text, ports numbers.
 */
export interface ProxyHeader {
  version: 1 | 2;
  /** Absent for LOCAL and UNKNOWN: the connection speaks for itself. */
  source?: { address: string; port: number };
  destination?: { address: string; port: number };
  /** Bytes that the header took. */
  size: number;
}

export type ProxyParse =
  | { is: 'header'; header: ProxyHeader }
  /** So far it may become a header. */
  | { is: 'more' }
  | { is: 'none' }
  | { is: 'invalid'; message: string };

const signature = Buffer.from([0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a]);
const v1Start = Buffer.from('PROXY ');
/** The longest line that version 1 allows, with its line end. */
const v1Max = 107;

export function parseProxyHeader(bytes: Buffer): ProxyParse {
  if (startsLike(bytes, signature)) return bytes.length < 16 ? { is: 'more' } : parseV2(bytes);
  if (startsLike(bytes, v1Start)) return bytes.length < v1Start.length ? { is: 'more' } : parseV1(bytes);
  return { is: 'none' };
}

/** One is a prefix of the other; no bytes at all are like anything. */
function startsLike(bytes: Buffer, start: Buffer): boolean {
  const n = Math.min(bytes.length, start.length);
  return bytes.subarray(0, n).equals(start.subarray(0, n));
}

function parseV1(bytes: Buffer): ProxyParse {
  const end = bytes.subarray(0, v1Max).indexOf('\r\n');
  if (end < 0) return bytes.length < v1Max ? { is: 'more' } : { is: 'invalid', message: 'line too long' };
  const [, family, source = '', destination = '', sport = '', dport = ''] = bytes.toString('latin1', 0, end).split(' ');
  const header: ProxyHeader = { version: 1, size: end + 2 };
  if (family === 'UNKNOWN') return { is: 'header', header };
  if ((family !== 'TCP4' && family !== 'TCP6') || !source || !destination)
    return { is: 'invalid', message: 'bad family' };
  const ports = [sport, dport].map((text) => (/^\d{1,5}$/.test(text) ? Number(text) : 65536));
  if (ports.some((port) => port > 65535)) return { is: 'invalid', message: 'bad port' };
  header.source = { address: source, port: ports[0]! };
  header.destination = { address: destination, port: ports[1]! };
  return { is: 'header', header };
}

function parseV2(bytes: Buffer): ProxyParse {
  const versionAndCommand = bytes[12]!;
  if (versionAndCommand >> 4 !== 2) return { is: 'invalid', message: `version ${versionAndCommand >> 4}` };
  const command = versionAndCommand & 0x0f;
  if (command > 1) return { is: 'invalid', message: `command ${command}` };
  const size = 16 + bytes.readUInt16BE(14);
  if (bytes.length < size) return { is: 'more' };
  const header: ProxyHeader = { version: 2, size };
  const family = bytes[13]! >> 4;
  if (command === 0 || family === 0 || family === 3) return { is: 'header', header };
  if (family > 3) return { is: 'invalid', message: `address family ${family}` };
  const width = family === 1 ? 4 : 16;
  if (size < 16 + 2 * width + 4) return { is: 'invalid', message: 'addresses are cut short' };
  const address = (at: number): string => (width === 4 ? bytes.subarray(at, at + 4).join('.') : ipv6(bytes, at));
  header.source = { address: address(16), port: bytes.readUInt16BE(16 + 2 * width) };
  header.destination = { address: address(16 + width), port: bytes.readUInt16BE(18 + 2 * width) };
  return { is: 'header', header };
}

function ipv6(bytes: Buffer, at: number): string {
  const groups = Array.from({ length: 8 }, (_, i) => bytes.readUInt16BE(at + 2 * i).toString(16));
  // RFC 5952: the longest run of zeros is "::".
  const text = groups.join(':');
  const runs = [...text.matchAll(/(?:^|:)0(?::0)+(?=:|$)/g)].sort((a, b) => b[0].length - a[0].length);
  if (!runs[0]) return text;
  const { index } = runs[0];
  const head = text.slice(0, index);
  const tail = text.slice(index + runs[0][0].length).replace(/^:/, '');
  return `${head}::${tail}`;
}

/** A version 2 header for a TCP connection over IPv4. */
export function encodeProxyV2(
  source: { address: string; port: number },
  destination: { address: string; port: number },
): Buffer {
  const out = Buffer.alloc(28);
  signature.copy(out);
  out[12] = 0x21;
  out[13] = 0x11;
  out.writeUInt16BE(12, 14);
  Buffer.from(source.address.split('.').map(Number)).copy(out, 16);
  Buffer.from(destination.address.split('.').map(Number)).copy(out, 20);
  out.writeUInt16BE(source.port, 24);
  out.writeUInt16BE(destination.port, 26);
  return out;
}
