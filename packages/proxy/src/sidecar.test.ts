import { rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import test from 'ava';
import { encodeProxyV2 } from '@flotilla/wire';
import type { Listener } from '@flotilla/xds';
import { Addresses, call, lastLog, type Mesh, startBackend, startMesh } from './testing/harness.js';
import {
  address,
  assignment,
  edsCluster,
  host,
  httpFilter,
  listenerFilter,
  originalDst,
  routes,
  tcpFilter,
  to,
} from './testing/resources.js';
import { systemWait } from './testing/wait.js';

const addresses = new Addresses(3);
const reviews = 'outbound|9080||reviews.default.svc.cluster.local';

const outbound: Listener = {
  name: 'virtualOutbound',
  address: address('0.0.0.0', 15001),
  use_original_dst: true,
  traffic_direction: 'OUTBOUND',
  listener_filters: [listenerFilter('proxy_protocol')],
  filter_chains: [],
  default_filter_chain: { filters: [tcpFilter('PassthroughCluster')] },
};
const port9080: Listener = {
  name: '0.0.0.0_9080',
  address: address('0.0.0.0', 9080),
  bind_to_port: false,
  traffic_direction: 'OUTBOUND',
  listener_filters: [listenerFilter('tls_inspector'), listenerFilter('http_inspector')],
  listener_filters_timeout: { nanos: 100_000_000 },
  continue_on_listener_filters_timeout: true,
  filter_chains: [
    {
      filter_chain_match: { transport_protocol: 'raw_buffer', application_protocols: ['http/1.1', 'h2c'] },
      filters: [httpFilter('9080')],
    },
  ],
  default_filter_chain: { filters: [tcpFilter('PassthroughCluster')] },
};
const inbound = (...ports: number[]): Listener => ({
  name: 'virtualInbound',
  address: address('0.0.0.0', 15006),
  traffic_direction: 'INBOUND',
  listener_filters: [listenerFilter('original_dst')],
  filter_chains: ports.map((port) => ({
    filter_chain_match: { destination_port: port },
    filters: [
      httpFilter(
        routes(`inbound|${port}||`, host(['*'], { ...to(`inbound|${port}||`), decorator: { operation: 'app:80/*' } })),
      ),
    ],
  })),
  default_filter_chain: { filters: [tcpFilter('InboundPassthroughCluster')] },
});

/** As the preload shim does: connects to the proxy and says where it wanted to go. */
async function captured(mesh: Mesh, ip: string, port: number): Promise<Socket> {
  const socket = connect({ host: mesh.ip, port: 15001, localAddress: mesh.ip });
  await new Promise((resolve) => socket.once('connect', resolve));
  socket.write(encodeProxyV2({ address: mesh.ip, port: socket.localPort! }, { address: ip, port }));
  return socket;
}

function readAll(socket: Socket): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    socket.on('data', (chunk) => (text += String(chunk)));
    socket.once('end', () => resolve(text));
    socket.once('error', reject);
  });
}

test('a captured request goes to the listener of its port, and by its host to the cluster', async (t) => {
  const backend = await startBackend(t, addresses, 'reviews');
  const mesh = await startMesh(
    t,
    addresses,
    {
      cluster: [edsCluster(reviews), originalDst('PassthroughCluster')],
      endpoint: [assignment(reviews, [backend.ip, backend.port])],
      listener: [outbound, port9080],
      route: [routes('9080', host(['reviews', 'reviews:9080'], to(reviews)))],
    },
    { type: 'sidecar' },
  );
  const socket = await captured(mesh, '127.193.0.10', 9080);
  socket.write('GET /reviews/0 HTTP/1.1\r\nhost: reviews:9080\r\nconnection: close\r\n\r\n');
  const reply = await readAll(socket);
  t.regex(reply, /^HTTP\/1\.1 200 OK\r\n/);
  t.true(reply.endsWith('reviews'));
  const seen = backend.requests[0]!;
  t.is(seen.socket.remoteAddress, mesh.ip);
  t.is(seen.headers['x-forwarded-for'], undefined, 'a sidecar does not add itself');
  t.is(typeof seen.headers['x-envoy-peer-metadata'], 'string');
  const log = await lastLog(mesh);
  t.is(log[18], '127.193.0.10:9080');
  const metrics = await call(mesh.ip, 15020, { path: '/stats/prometheus' });
  t.regex(
    metrics.body,
    /istio_requests_total\{reporter="source",source_workload="app-v1".*destination_service="reviews\.default\.svc\.cluster\.local".*response_code="200".*\} 1/,
  );
});

test('what is not HTTP passes to where it was going, server-first protocols without a stall', async (t) => {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.write('220 ready\r\n');
    socket.on('end', () => socket.end('bye')).resume();
    socket.on('error', () => {});
  });
  const ip = addresses.next();
  await new Promise<void>((resolve) => server.listen(9080, ip, resolve));
  t.teardown(() => server.close());
  const mesh = await startMesh(
    t,
    addresses,
    { cluster: [originalDst('PassthroughCluster')], listener: [outbound, port9080], route: [routes('9080')] },
    { type: 'sidecar' },
  );
  const socket = await captured(mesh, ip, 9080);
  const first = await new Promise((resolve) => socket.once('data', (chunk) => resolve(String(chunk))));
  t.is(first, '220 ready\r\n');
  const rest = readAll(socket);
  socket.end('quit\r\n');
  t.is(await rest, 'bye', 'a half-closed connection still carries the answer');
});

test('a connection to the outbound port without a PROXY header is closed', async (t) => {
  const mesh = await startMesh(
    t,
    addresses,
    { cluster: [originalDst('PassthroughCluster')], listener: [outbound] },
    { type: 'sidecar' },
  );
  const socket = connect(15001, mesh.ip, () => socket.write('GET / HTTP/1.1\r\n\r\n'));
  const closed = await new Promise((resolve) => {
    socket.once('error', () => resolve(true));
    socket.once('close', () => resolve(true));
  });
  t.true(closed);
});

test('ports that the app announces are accepted at the pod, and lead to its private twin', async (t) => {
  const mesh = await startMesh(
    t,
    addresses,
    {
      cluster: [originalDst('inbound|9080||'), originalDst('InboundPassthroughCluster')],
      listener: [inbound(9080)],
    },
    { type: 'sidecar' },
  );
  const app = await startBackend(t, addresses, 'app', undefined, { ip: mesh.localIP, port: 9080 });
  const other = await startBackend(t, addresses, 'plain', undefined, { ip: mesh.localIP, port: 7070 });
  writeFileSync(`${mesh.captureDir}/inbound/9080`, '');
  writeFileSync(`${mesh.captureDir}/inbound/7070`, '');
  await systemWait(() => mesh.proxy.listeners.bound('virtualInbound').length === 3, 'the ports to be opened');
  const reply = await call(mesh.ip, 9080, {
    headers: { 'x-envoy-peer-metadata': 'AA==', 'x-envoy-peer-metadata-id': 'x' },
  });
  t.is(reply.body, 'app');
  t.is(reply.headers['x-envoy-decorator-operation'], 'app:80/*');
  t.is(app.requests[0]?.headers['x-envoy-peer-metadata'], undefined);
  t.is((await call(mesh.ip, 7070)).body, 'plain', 'a port of no service passes as plain bytes');
  t.is(other.requests.length, 1);
  const log = await lastLog(mesh);
  t.is(log[18], `${mesh.ip}:9080`);
  rmSync(`${mesh.captureDir}/inbound/7070`);
  await systemWait(() => mesh.proxy.listeners.bound('virtualInbound').length === 2, 'the port to be closed');
  await t.throwsAsync(call(mesh.ip, 7070));
});

test('an app that is not up yet: 503 with UF, and its own connections through HTTP_PROXY', async (t) => {
  const backend = await startBackend(t, addresses, 'reviews');
  const httpProxy: Listener = {
    name: 'http_proxy',
    address: address('0.0.0.0', 15007),
    traffic_direction: 'OUTBOUND',
    filter_chains: [{ filters: [httpFilter('http_proxy')] }],
  };
  const mesh = await startMesh(
    t,
    addresses,
    {
      cluster: [originalDst('inbound|9080||'), originalDst('InboundPassthroughCluster'), edsCluster(reviews)],
      endpoint: [assignment(reviews, [backend.ip, backend.port])],
      listener: [inbound(9080), httpProxy],
      route: [routes('http_proxy', host(['reviews:9080'], to(reviews)))],
    },
    { type: 'sidecar' },
  );
  writeFileSync(`${mesh.captureDir}/inbound/9080`, '');
  await systemWait(() => mesh.proxy.listeners.bound('virtualInbound').length === 2, 'the port to be opened');
  t.is((await call(mesh.ip, 9080)).status, 503);
  const absolute = await call(mesh.ip, 15007, { path: 'http://reviews:9080/reviews/0' });
  t.is(absolute.body, 'reviews');
  t.is(backend.requests[0]?.url, '/reviews/0');
  t.is(backend.requests[0]?.headers.host, 'reviews:9080');
});
