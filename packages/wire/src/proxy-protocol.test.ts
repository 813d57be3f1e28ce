import test from 'ava';
import * as fc from 'fast-check';
import { encodeProxyV2, parseProxyHeader } from './proxy-protocol.js';

const parse = (bytes: Buffer | string) => parseProxyHeader(Buffer.from(bytes as string, 'latin1'));

test('version 1', (t) => {
  const line = 'PROXY TCP4 10.0.0.1 10.0.0.2 1000 80\r\n';
  t.deepEqual(parse(`${line}GET /`), {
    is: 'header',
    header: {
      version: 1,
      source: { address: '10.0.0.1', port: 1000 },
      destination: { address: '10.0.0.2', port: 80 },
      size: line.length,
    },
  });
  t.deepEqual(parse('PROXY UNKNOWN\r\n'), { is: 'header', header: { version: 1, size: 15 } });
  t.is(parse('PROXY TCP4 1').is, 'more');
  t.is(parse('PRO').is, 'more');
  t.is(parse('POST / HTTP/1.1').is, 'none');
  t.is(parse('PROXY TCP4 10.0.0.1 10.0.0.2 1000 99999\r\n').is, 'invalid');
  t.is(parse(`PROXY ${'x'.repeat(200)}`).is, 'invalid');
});

test('version 2: IPv6, LOCAL, nonsense', (t) => {
  const head = (command: number, family: number, body: Buffer): Buffer => {
    const start = encodeProxyV2({ address: '1.2.3.4', port: 1 }, { address: '1.2.3.4', port: 1 }).subarray(0, 16);
    start[12] = command;
    start[13] = family;
    start.writeUInt16BE(body.length, 14);
    return Buffer.concat([start, body]);
  };
  const six = Buffer.alloc(36);
  six[0] = 0x20;
  six[1] = 0x01;
  six[15] = 1;
  six[31] = 2;
  six.writeUInt16BE(1000, 32);
  six.writeUInt16BE(80, 34);
  const parsed = parseProxyHeader(head(0x21, 0x21, six));
  t.deepEqual(parsed.is === 'header' && [parsed.header.source, parsed.header.destination], [
    { address: '2001::1', port: 1000 },
    { address: '::2', port: 80 },
  ]);
  const local = parseProxyHeader(head(0x20, 0, Buffer.alloc(0)));
  t.true(local.is === 'header' && local.header.destination === undefined);
  t.is(parseProxyHeader(head(0x31, 0x11, Buffer.alloc(12))).is, 'invalid');
  t.is(parseProxyHeader(head(0x22, 0x11, Buffer.alloc(12))).is, 'invalid');
  t.is(parseProxyHeader(head(0x21, 0x11, Buffer.alloc(4))).is, 'invalid');
});

test('property: what is written is read, whole or in any two pieces', (t) => {
  const endpoint = fc.record({ address: fc.ipV4(), port: fc.integer({ min: 0, max: 65_535 }) });
  fc.assert(
    fc.property(endpoint, endpoint, fc.nat(40), (source, destination, cut) => {
      const bytes = Buffer.concat([encodeProxyV2(source, destination), Buffer.from('rest')]);
      if (cut < 28) t.is(parseProxyHeader(bytes.subarray(0, cut)).is, 'more');
      t.deepEqual(parseProxyHeader(bytes), { is: 'header', header: { version: 2, source, destination, size: 28 } });
    }),
  );
});

test('property: no bytes make it throw', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => t.truthy(parseProxyHeader(Buffer.from(bytes)).is)),
  );
});
