import test from 'ava';
import * as fc from 'fast-check';
import type { FilterChainMatch } from '@flotilla/xds';
import { type ConnectionFacts, FilterChainTable } from './filter-chain.js';
import { InvalidConfig } from './invalid.js';
import { compileRange, parseIp } from './ip.js';

const facts = (more: Partial<ConnectionFacts> = {}): ConnectionFacts => ({
  destinationIp: '10.0.0.1',
  destinationPort: 80,
  sourceIp: '10.0.0.2',
  sourcePort: 4000,
  directSourceIp: '10.0.0.2',
  transportProtocol: 'raw_buffer',
  applicationProtocols: [],
  ...more,
});
const table = (matches: Record<string, FilterChainMatch>, fallback?: string): FilterChainTable<string> =>
  new FilterChainTable(
    Object.entries(matches).map(([value, match]) => ({ match, value })),
    fallback,
  );

test('port first, then what is most specific', (t) => {
  const chains = table(
    {
      any80: { destination_port: 80 },
      http80: { destination_port: 80, application_protocols: ['http/1.1'] },
      tls: { transport_protocol: 'tls' },
    },
    'default',
  );
  t.is(chains.find(facts()), 'any80');
  t.is(chains.find(facts({ applicationProtocols: ['http/1.1'] })), 'http80');
  t.is(chains.find(facts({ destinationPort: 81, transportProtocol: 'tls' })), 'tls');
  t.is(chains.find(facts({ destinationPort: 81 })), 'default');
  t.is(chains.find(facts({ transportProtocol: 'tls' })), 'any80', 'the port is decided before the transport');
});

test('addresses by the longest prefix, names by the longest wildcard, source types', (t) => {
  const cidr = (address_prefix: string, prefix_len: number) => ({ prefix_ranges: [{ address_prefix, prefix_len }] });
  const byAddress = table({ wide: cidr('10.0.0.0', 8), narrow: cidr('10.0.0.1', 32) });
  t.is(byAddress.find(facts()), 'narrow');
  t.is(byAddress.find(facts({ destinationIp: '10.9.9.9' })), 'wide');
  t.is(byAddress.find(facts({ destinationIp: '11.0.0.1' })), undefined);
  const byName = table({
    exact: { server_names: ['a.b.c'] },
    two: { server_names: ['*.b.c'] },
    one: { server_names: ['*.c'] },
    none: {},
  });
  t.deepEqual(
    ['a.b.c', 'x.b.c', 'x.y.c', 'z', undefined].map((serverName) =>
      byName.find(facts(serverName ? { serverName } : {})),
    ),
    ['exact', 'two', 'one', 'none', 'none'],
  );
  const byType = table({ local: { source_type: 'SAME_IP_OR_LOOPBACK' }, far: { source_type: 'EXTERNAL' } });
  t.deepEqual([byType.find(facts({ sourceIp: '127.0.0.1' })), byType.find(facts())], ['local', 'far']);
});

test('two chains with the same match are refused', (t) => {
  t.throws(() => table({ a: { destination_port: 1 }, b: { destination_port: 1 } }), { instanceOf: InvalidConfig });
});

test('IP addresses and ranges', (t) => {
  t.is(parseIp('::ffff:10.0.0.1'), parseIp('10.0.0.1'));
  t.is(parseIp('2001:db8::1'), parseIp('2001:0db8:0:0:0:0:0:1'));
  for (const bad of ['', '1.2.3', '1.2.3.256', '::1::2', '1:2:3', 'g::', '1:2:3:4:5:6:7:8:9'])
    t.is(parseIp(bad), undefined, bad);
  t.throws(() => compileRange({ address_prefix: '10.0.0.0', prefix_len: 33 }, 'r'), { instanceOf: InvalidConfig });
});

test('property: an address is in the range of each of its own prefixes, and no other', (t) => {
  fc.assert(
    fc.property(fc.ipV4(), fc.ipV4(), fc.integer({ min: 0, max: 32 }), (one, other, prefix_len) => {
      const test_ = compileRange({ address_prefix: one, prefix_len }, '');
      t.is(test_(parseIp(one)), 96 + prefix_len);
      const bits = (ip: string): string =>
        ip
          .split('.')
          .map((b) => Number(b).toString(2).padStart(8, '0'))
          .join('')
          .slice(0, prefix_len);
      t.is(test_(parseIp(other)) >= 0, bits(one) === bits(other));
    }),
  );
});
