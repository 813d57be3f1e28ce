import { createHash } from 'node:crypto';
import { createServer as createHttpServer, request as httpRequest } from 'node:http';
import { connect, type Socket } from 'node:net';
import test from 'ava';
import { Addresses, call, lastLog, startBackend, startMesh } from './testing/harness.js';
import { assignment, edsCluster, gateway, host, routes, to } from './testing/resources.js';
import { systemWait } from './testing/wait.js';

const addresses = new Addresses(4);

test('NACK names the field; what is good in the same update is used', async (t) => {
  const backend = await startBackend(t, addresses, 'x');
  const mesh = await startMesh(t, addresses, {
    cluster: [edsCluster('x'), edsCluster('hashed', { lb_policy: 'RING_HASH' })],
    endpoint: [assignment('x', [backend.ip, backend.port])],
    listener: [gateway(8080, 'r')],
    route: [routes('r', host(['*'], to('x')))],
  });
  t.is((await call(mesh.ip, 8080)).body, 'x');
  t.true(mesh.pilot.rejections.some((m) => m.includes('cluster hashed: lb_policy: RING_HASH is not supported')));
  const bad = routes(
    'r',
    host(['*'], { match: { prefix: '/' }, route: { cluster: 'x', cluster_specifier_plugin: 'p' } }),
  );
  mesh.pilot.push({
    cluster: [edsCluster('x')],
    endpoint: [assignment('x', [backend.ip, backend.port])],
    listener: [gateway(8080, 'r')],
    route: [bad],
  });
  await systemWait(
    () =>
      mesh.pilot.rejections.some((m) =>
        m.includes('route r: virtual_hosts[0].routes[0].route.cluster_specifier_plugin'),
      ),
    'the NACK',
  );
  t.is((await call(mesh.ip, 8080)).body, 'x', 'the last good routes stay in use');
});

test('not ready until listeners have their routes and clusters their endpoints', async (t) => {
  const backend = await startBackend(t, addresses, 'x');
  const listener = gateway(8080, 'r');
  const mesh = await startMesh(t, addresses, { cluster: [edsCluster('x')], listener: [listener] }, { wait: false });
  await systemWait(() => mesh.proxy.config.waitingFor.join().includes('routes of'), 'clusters and listeners');
  const waiting = await call(mesh.ip, 15021, { path: '/healthz/ready' });
  t.is(waiting.status, 503);
  t.true(waiting.body.includes('endpoints of x, routes of listener 0.0.0.0_8080'));
  mesh.pilot.push({
    cluster: [edsCluster('x')],
    endpoint: [assignment('x', [backend.ip, backend.port])],
    listener: [listener],
    route: [routes('r', host(['*'], to('x')))],
  });
  await systemWait(async () => (await call(mesh.ip, 15021, { path: '/healthz/ready' })).status === 200, 'readiness');
  t.is((await call(mesh.ip, 8080)).body, 'x');
});

test('pilot away and back: traffic goes on, and the next state is taken up', async (t) => {
  const [a, b] = await Promise.all([startBackend(t, addresses, 'a'), startBackend(t, addresses, 'b')]);
  const world = (backend: { ip: string; port: number }) => ({
    cluster: [edsCluster('x')],
    endpoint: [assignment('x', [backend.ip, backend.port])],
    listener: [gateway(8080, 'r')],
    route: [routes('r', host(['*'], to('x')))],
  });
  const mesh = await startMesh(t, addresses, world(a));
  mesh.pilot.stop();
  await systemWait(() => !mesh.proxy.connected, 'the loss to be noticed');
  t.is((await call(mesh.ip, 8080)).body, 'a');
  mesh.pilot.push(world(b));
  await mesh.pilot.start();
  await systemWait(async () => (await call(mesh.ip, 8080)).body === 'b', 'the new endpoints');
  t.is(mesh.proxy.state, 'LIVE');
});

test('drain: no new connections, requests under way finish', async (t) => {
  let finish: (() => void) | undefined;
  const backend = await startBackend(t, addresses, 'x', (_req, res) => (finish = () => res.end('late')));
  const mesh = await startMesh(t, addresses, {
    cluster: [edsCluster('x')],
    endpoint: [assignment('x', [backend.ip, backend.port])],
    listener: [gateway(8080, 'r')],
    route: [routes('r', host(['*'], to('x')))],
  });
  const idle = connect(8080, mesh.ip);
  await new Promise((resolve) => idle.once('connect', resolve));
  const late = call(mesh.ip, 8080);
  await systemWait(() => finish !== undefined, 'the request');
  const stopped = mesh.proxy.stop();
  await t.throwsAsync(call(mesh.ip, 8080));
  t.is((await call(mesh.ip, 15021, { path: '/healthz/ready' })).status, 503);
  finish!();
  const reply = await late;
  t.is(reply.body, 'late');
  t.is(reply.headers.connection, 'close');
  await stopped;
});

test('a changed listener keeps its socket; a removed one is closed', async (t) => {
  const inline = (body: string) =>
    gateway(
      8080,
      routes(
        'i',
        host(['*'], { match: { prefix: '/' }, direct_response: { status: 200, body: { inline_string: body } } }),
      ),
    );
  const mesh = await startMesh(t, addresses, { listener: [inline('one')] });
  t.is((await call(mesh.ip, 8080)).body, 'one');
  mesh.pilot.push({ listener: [inline('two')] });
  await mesh.pilot.settled();
  t.is((await call(mesh.ip, 8080)).body, 'two');
  mesh.pilot.push({ listener: [] });
  await mesh.pilot.settled();
  await t.throwsAsync(call(mesh.ip, 8080));
});

test('a WebSocket goes through as a tunnel, both ways, and ends on both sides', async (t) => {
  const server = createHttpServer();
  let upstreamClosed = false;
  server.on('upgrade', (req, socket: Socket) => {
    const accept = createHash('sha1')
      .update(`${req.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
      .digest('base64');
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
    );
    socket.on('data', (chunk) => socket.write(`echo ${String(chunk)} ${req.url}`));
    socket.on('error', () => {});
    socket.once('end', () => socket.end());
    socket.once('close', () => (upstreamClosed = true));
  });
  const ip = addresses.next();
  await new Promise<void>((resolve) => server.listen(7001, ip, resolve));
  t.teardown(() => server.close());
  const mesh = await startMesh(t, addresses, {
    cluster: [edsCluster('ws')],
    endpoint: [assignment('ws', [ip, 7001])],
    listener: [gateway(8080, 'r')],
    route: [routes('r', host(['*'], to('ws', { prefix_rewrite: '/chat' }, { prefix: '/ws' })))],
  });
  const headers = {
    connection: 'Upgrade',
    upgrade: 'websocket',
    'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
    'sec-websocket-version': '13',
  };
  const request = httpRequest({ host: mesh.ip, port: 8080, path: '/ws', headers, agent: false });
  request.end();
  const socket = await new Promise<Socket>((resolve, reject) => {
    request.once('upgrade', (_res, upgraded: Socket) => resolve(upgraded));
    request.once('error', reject);
  });
  socket.write('ping');
  t.is(await new Promise((resolve) => socket.once('data', (chunk) => resolve(String(chunk)))), 'echo ping /chat');
  socket.destroy();
  await systemWait(() => upstreamClosed, 'the upstream to be closed');
  t.is((await lastLog(mesh))[2], '101');
});

test('an upgrade to h2c is an offer that is not taken; any other is refused', async (t) => {
  const backend = await startBackend(t, addresses, 'plain');
  const mesh = await startMesh(t, addresses, {
    cluster: [edsCluster('x')],
    endpoint: [assignment('x', [backend.ip, backend.port])],
    listener: [gateway(8080, 'r')],
    route: [routes('r', host(['*'], to('x')))],
  });
  const offer = { connection: 'Upgrade, HTTP2-Settings', upgrade: 'h2c', 'http2-settings': 'AAMAAABkAAQAoAAAAAIAAAAA' };
  t.is((await call(mesh.ip, 8080, { method: 'POST', body: 'b', headers: offer })).body, 'plain');
  t.is(backend.requests[0]?.headers.upgrade, undefined);
  t.is((await call(mesh.ip, 8080, { headers: { connection: 'Upgrade', upgrade: 'tls/1.0' } })).status, 403);
});

test('admin: config dump, clusters, statistics; what changes state needs POST', async (t) => {
  const backend = await startBackend(t, addresses, 'x');
  const mesh = await startMesh(t, addresses, {
    cluster: [edsCluster('x')],
    endpoint: [assignment('x', [backend.ip, backend.port])],
    listener: [gateway(8080, 'r')],
    route: [routes('r', host(['*'], to('x')))],
  });
  await call(mesh.ip, 8080);
  const get = async (path: string, method = 'GET') => await call(mesh.ip, 15000, { path, method });
  const dump = JSON.parse((await get('/config_dump')).body) as { configs: Record<string, unknown>[] };
  t.deepEqual(
    dump.configs.map((config) => String(config['@type']).split('.').at(-1)),
    ['BootstrapConfigDump', 'ClustersConfigDump', 'ListenersConfigDump', 'RoutesConfigDump', 'EndpointsConfigDump'],
  );
  const clusters = JSON.parse((await get('/clusters?format=json')).body) as {
    cluster_statuses: { name: string; host_statuses: object[] }[];
  };
  t.deepEqual(
    clusters.cluster_statuses.map(({ name, host_statuses }) => [name, host_statuses.length]),
    [['x', 1]],
  );
  t.regex((await get('/stats?filter=upstream_rq_total')).body, /^cluster\.x\.upstream_rq_total: 1\n$/);
  t.regex(
    (await get('/stats/prometheus')).body,
    /envoy_cluster_upstream_rq_xx\{response_code_class="2",cluster_name="x"\} 1/,
  );
  t.is((await get('/ready')).body, 'LIVE\n');
  t.is((await get('/listeners')).body, `0.0.0.0_8080::${mesh.ip}:8080\n`);
  t.is((await get('/logging?level=debug')).status, 405);
  t.is((await get('/logging?level=error', 'POST')).status, 200);
  t.is((await get('/nonsense')).status, 404);
  t.is((await get('/server_info')).status, 200);
  t.is((await call(mesh.ip, 15090, { path: '/stats/prometheus' })).status, 200);
});
