import test from 'ava';
import * as fc from 'fast-check';
import { sniffHttp, sniffTls } from './sniff.js';

const http = (text: string) => {
  const found = sniffHttp(Buffer.from(text, 'latin1'));
  return found.is === 'http' ? found.protocol : found.is;
};

test('HTTP by its request line', (t) => {
  t.is(http('GET / HTTP/1.1\r\nhost: x\r\n'), 'http/1.1');
  t.is(http('GET / HTTP/1.0\r\n'), 'http/1.0');
  t.is(http('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), 'h2c');
  for (const part of ['', 'G', 'GET', 'GET ', 'GET /pa', 'GET / HTTP/1', 'PRI * HTTP/2.0\r\n'])
    t.is(http(part), 'more', part);
  for (const other of [
    '\x16\x03\x01',
    'GET / HTTP/9.9\r\n',
    'hello world\n',
    'SSH-2.0-x\r\n',
    '*1\r\n$4\r\nPING\r\n',
    'GET  \x00',
  ]) {
    t.is(http(other), 'other', other);
  }
  t.is(http(`GET /${'x'.repeat(9000)}`), 'other', 'no request line is that long');
});

/** A ClientHello with a server name and ALPN, as a browser sends it. */
function hello(name: string, alpn: string[]): Buffer {
  const extension = (type: number, body: Buffer): Buffer => Buffer.concat([u16(type), u16(body.length), body]);
  const sni = Buffer.concat([u16(name.length + 3), Buffer.from([0]), u16(name.length), Buffer.from(name)]);
  const list = Buffer.concat(alpn.map((p) => Buffer.concat([Buffer.from([p.length]), Buffer.from(p)])));
  const extensions = Buffer.concat([extension(0, sni), extension(16, Buffer.concat([u16(list.length), list]))]);
  const body = Buffer.concat([
    Buffer.from([3, 3]),
    Buffer.alloc(32),
    Buffer.from([0]),
    u16(2),
    Buffer.from([0x13, 1, 1, 0]),
    u16(extensions.length),
    extensions,
  ]);
  const handshake = Buffer.concat([Buffer.from([1, 0]), u16(body.length), body]);
  return Buffer.concat([Buffer.from([0x16, 3, 1]), u16(handshake.length), handshake]);
}

function u16(value: number): Buffer {
  const out = Buffer.alloc(2);
  out.writeUInt16BE(value);
  return out;
}

test('TLS by its ClientHello', (t) => {
  const bytes = hello('Reviews.example', ['h2', 'http/1.1']);
  t.deepEqual(sniffTls(bytes), { is: 'tls', serverName: 'reviews.example', alpn: ['h2', 'http/1.1'] });
  t.is(sniffTls(bytes.subarray(0, 20)).is, 'more');
  t.is(sniffTls(Buffer.from('GET / HTTP/1.1')).is, 'other');
});

test('property: no bytes make them throw', (t) => {
  const bytes = hello('a', []);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), fc.nat(bytes.length), (noise, at) => {
      const mixed = Buffer.concat([bytes.subarray(0, at), Buffer.from(noise)]);
      t.truthy(sniffTls(mixed).is);
      t.truthy(sniffHttp(Buffer.from(noise)).is);
    }),
  );
});
