import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { Resolver } from 'node:dns/promises';
import { connect } from 'node:net';
import { silentLogger } from '@flotilla/base';
import test from 'ava';
import * as packets from 'dns-packet';
import type { ServiceView } from '../services/model.js';
import { startDnsServer } from './server.js';
import { answer, type ZoneData } from './zone.js';

const endpoint = (ip: string, more = {}) => ({
  ip,
  ready: true,
  serving: true,
  terminating: false,
  ports: { http: 8080 },
  ...more,
});
const base = {
  namespace: 'default',
  publishNotReadyAddresses: false,
  ports: [{ name: 'http', protocol: 'TCP', port: 80 }],
};
const services: ServiceView[] = [
  { ...base, name: 'web', clusterIP: '127.254.0.10', endpoints: [] },
  {
    ...base,
    name: 'db',
    endpoints: [
      endpoint('127.126.1.2', { hostname: 'db-0' }),
      endpoint('127.126.1.3'),
      endpoint('127.126.1.4', { ready: false }),
    ],
  },
  { ...base, name: 'none', endpoints: [] },
  { ...base, name: 'out', externalName: 'example.com', endpoints: [] },
  { ...base, name: 'alias', externalName: 'web.default.svc.cluster.local', endpoints: [] },
  { ...base, name: 'many', endpoints: Array.from({ length: 100 }, (_, i) => endpoint(`127.126.2.${i + 1}`)) },
];
const data: ZoneData = {
  service: (namespace, name) => services.find((s) => s.namespace === namespace && s.name === name),
  serviceByIP: (ip) => services.find((s) => s.clusterIP === ip),
  hasNamespace: (name) => name === 'default',
};

const ask = (name: string, type = 'A'): unknown => {
  const found = answer(data, 'cluster.local', name, type);
  return found.kind === 'records' ? found.answers.map((record) => record.data) : found.kind;
};

test('services answer with their cluster IP', (t) => {
  t.deepEqual(ask('web.default.svc.cluster.local'), ['127.254.0.10']);
  t.deepEqual(ask('web.default.svc.cluster.local', 'AAAA'), []);
  t.is(ask('nope.default.svc.cluster.local'), 'nxdomain');
  t.is(ask('web.other.svc.cluster.local'), 'nxdomain');
  t.is(ask('web.default.cluster.local'), 'nxdomain');
  t.deepEqual(ask('default.svc.cluster.local'), []);
  t.is(ask('example.com'), 'foreign');
  t.is(ask('xcluster.local'), 'foreign');
});

test('headless services answer with their ready pods, each of which has a name', (t) => {
  t.deepEqual(ask('db.default.svc.cluster.local'), ['127.126.1.2', '127.126.1.3']);
  t.deepEqual(ask('db-0.db.default.svc.cluster.local'), ['127.126.1.2']);
  t.deepEqual(ask('127-126-1-3.db.default.svc.cluster.local'), ['127.126.1.3']);
  t.is(ask('db-9.db.default.svc.cluster.local'), 'nxdomain');
  t.is(ask('none.default.svc.cluster.local'), 'nxdomain');
});

test('ports answer with SRV records', (t) => {
  t.deepEqual(ask('_http._tcp.web.default.svc.cluster.local', 'SRV'), [
    { priority: 0, weight: 100, port: 80, target: 'web.default.svc.cluster.local' },
  ]);
  t.deepEqual(ask('_http._tcp.db.default.svc.cluster.local', 'SRV'), [
    { priority: 0, weight: 50, port: 8080, target: 'db-0.db.default.svc.cluster.local' },
    { priority: 0, weight: 50, port: 8080, target: '127-126-1-3.db.default.svc.cluster.local' },
  ]);
  t.is(ask('_nope._tcp.web.default.svc.cluster.local', 'SRV'), 'nxdomain');
});

test('pod names, reverse names, external names', (t) => {
  t.deepEqual(ask('1-2-3-4.default.pod.cluster.local'), ['1.2.3.4']);
  t.deepEqual(ask('10.0.254.127.in-addr.arpa', 'PTR'), ['web.default.svc.cluster.local']);
  t.is(ask('1.0.0.10.in-addr.arpa', 'PTR'), 'foreign');
  t.deepEqual(ask('out.default.svc.cluster.local'), ['example.com']);
});

test('serves over UDP and TCP, chases aliases, cuts what is too long, and refuses what it cannot know', async (t) => {
  const upstream = createSocket('udp4');
  upstream.on('message', (message, peer) => {
    const query = packets.decode(message);
    const answers = [{ type: 'A' as const, name: 'example.com', ttl: 1, data: '192.0.2.7' }];
    upstream.send(packets.encode({ ...query, type: 'response', answers }), peer.port, peer.address);
  });
  upstream.bind(0, '127.126.8.1');
  await once(upstream, 'listening');
  t.teardown(() => upstream.close());
  const options = { address: '127.126.8.2', port: 0, domain: 'cluster.local', data, logger: silentLogger };
  const server = await startDnsServer({ ...options, upstreams: [`127.126.8.1:${upstream.address().port}`] });
  t.teardown(() => server.stop());
  const resolver = new Resolver({ timeout: 1000, tries: 1 });
  resolver.setServers([server.address]);
  t.deepEqual(await resolver.resolve4('WEB.default.svc.cluster.local'), ['127.254.0.10']);
  t.deepEqual(await resolver.resolve4('alias.default.svc.cluster.local'), ['127.254.0.10']);
  t.deepEqual(await resolver.resolve4('example.com'), ['192.0.2.7']);
  await t.throwsAsync(resolver.resolve4('nope.default.svc.cluster.local'), { code: 'ENOTFOUND' });
  await t.throwsAsync(resolver.resolve6('web.default.svc.cluster.local'), { code: 'ENODATA' });
  // 100 addresses do not fit 512 bytes: cut, and whole over TCP, to which the resolver turns by itself.
  t.is((await resolver.resolve4('many.default.svc.cluster.local')).length, 100);

  const closed = await startDnsServer({ ...options, upstreams: [] });
  t.teardown(() => closed.stop());
  resolver.setServers([closed.address]);
  await t.throwsAsync(resolver.resolve4('example.com'), { code: 'EREFUSED' });
});

test('a broken or endless client does no harm', async (t) => {
  const server = await startDnsServer({
    address: '127.126.8.3',
    port: 0,
    domain: 'cluster.local',
    data,
    logger: silentLogger,
  });
  const [host = '', port = ''] = server.address.split(':');
  const udp = createSocket('udp4');
  t.teardown(() => udp.close());
  udp.send('garbage', Number(port), host);
  const tcp = connect({ host, port: Number(port) });
  await once(tcp, 'connect');
  tcp.write(Buffer.from([0, 5, 1, 2]));
  const resolver = new Resolver({ timeout: 1000, tries: 2 });
  resolver.setServers([server.address]);
  t.deepEqual(await resolver.resolve4('web.default.svc.cluster.local'), ['127.254.0.10']);
  const gone = once(tcp, 'close');
  await server.stop();
  await gone;
  t.pass();
});
