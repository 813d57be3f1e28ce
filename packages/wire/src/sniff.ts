/** What the first bytes of a connection tell about its protocol. */
export type Sniffed = { is: 'http'; protocol: 'http/1.0' | 'http/1.1' | 'h2c' } | { is: 'other' } | { is: 'more' };

const h2Preface = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
/** Longest request line that is waited for before a connection is taken for something else. */
const maxRequestLine = 8192;

/** As Envoy's HTTP inspector: a request line that ends in an HTTP version, or HTTP/2's preface. */
export function sniffHttp(bytes: Buffer): Sniffed {
  if (bytes.length === 0) return { is: 'more' };
  const start = bytes.toString('latin1', 0, h2Preface.length);
  if (h2Preface.startsWith(start))
    return start.length === h2Preface.length ? { is: 'http', protocol: 'h2c' } : { is: 'more' };
  const line = bytes.subarray(0, maxRequestLine);
  const end = line.indexOf('\n');
  const text = line.toString('latin1', 0, end < 0 ? line.length : end);
  // A token (RFC 9110 §5.6.2), a blank, then anything printable.
  if (!/^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,32}(?: [\x21-\xff]*(?: [\x20-\x7e]*\r?)?)?$/.test(text)) return { is: 'other' };
  if (end < 0) return line.length < maxRequestLine ? { is: 'more' } : { is: 'other' };
  const version = / HTTP\/1\.([01])\r?$/.exec(text);
  if (!version) return { is: 'other' };
  return { is: 'http', protocol: version[1] === '0' ? 'http/1.0' : 'http/1.1' };
}

export type TlsSniff = { is: 'tls'; serverName?: string; alpn: string[] } | { is: 'other' } | { is: 'more' };

/** The server name and ALPN protocols of a TLS ClientHello (RFC 8446 §4.1.2), as Envoy's TLS inspector reads them. */
export function sniffTls(bytes: Buffer): TlsSniff {
  if (bytes.length === 0) return { is: 'more' };
  if (bytes[0] !== 0x16 || (bytes.length > 1 && bytes[1] !== 3)) return { is: 'other' };
  if (bytes.length < 5) return { is: 'more' };
  const length = bytes.readUInt16BE(3);
  if (bytes.length < 5 + length) return length > 16_384 ? { is: 'other' } : { is: 'more' };
  try {
    return readHello(bytes.subarray(5, 5 + length));
  } catch {
    // Cut short or nonsense inside its own lengths: TLS it claims to be, but no more can be said.
    return { is: 'tls', alpn: [] };
  }
}

function readHello(hello: Buffer): TlsSniff {
  if (hello[0] !== 1) return { is: 'other' };
  let at = 4 + 2 + 32;
  at += 1 + hello.readUInt8(at);
  at += 2 + hello.readUInt16BE(at);
  at += 1 + hello.readUInt8(at);
  const out: { is: 'tls'; serverName?: string; alpn: string[] } = { is: 'tls', alpn: [] };
  if (at >= hello.length) return out;
  const end = at + 2 + hello.readUInt16BE(at);
  at += 2;
  while (at + 4 <= end) {
    const type = hello.readUInt16BE(at);
    const size = hello.readUInt16BE(at + 2);
    const body = hello.subarray(at + 4, at + 4 + size);
    if (type === 0 && body.length > 5)
      out.serverName = body.toString('latin1', 5, 5 + body.readUInt16BE(3)).toLowerCase();
    if (type === 16) out.alpn = protocols(body);
    at += 4 + size;
  }
  return out;
}

function protocols(body: Buffer): string[] {
  const out: string[] = [];
  for (let at = 2; at < body.length; at += 1 + body[at]!) out.push(body.toString('latin1', at + 1, at + 1 + body[at]!));
  return out;
}
