import { createServer, type Socket } from 'node:net';
import test from 'ava';
import { duration, pack } from '@flotilla/xds';
import { Addresses, call, lastLog, startBackend, startMesh } from './testing/harness.js';
import { assignment, edsCluster, gateway, host, routes, to } from './testing/resources.js';
import { systemWait } from './testing/wait.js';

const addresses = new Addresses(2);
const istio = {
  retry_on: 'connect-failure,refused-stream,unavailable,cancelled',
  num_retries: 2,
  retry_host_predicate: [{ name: 'envoy.retry_host_predicates.previous_hosts' }],
  host_selection_retry_max_attempts: 5,
};

test('a host that refuses connections is passed over for another', async (t) => {
  const backend = await startBackend(t, addresses, 'alive');
  const mesh = await startMesh(t, addresses, {
    cluster: [edsCluster('x')],
    endpoint: [assignment('x', [addresses.next(), 1], [backend.ip, backend.port])],
    listener: [gateway(8080, 'r')],
    route: [routes('r', { ...host(['*'], to('x', { retry_policy: istio })), include_request_attempt_count: true })],
  });
  for (let i = 0; i < 10; i++) t.is((await call(mesh.ip, 8080, { method: 'POST', body: 'b' })).body, 'alive');
  const attempts = backend.requests.map(({ headers }) => headers['x-envoy-attempt-count']);
  t.true(attempts.includes('2'));
});

test('half of the hosts die under load: no request is lost, though their addresses are still announced', async (t) => {
  const backends = await Promise.all(Array.from({ length: 6 }, (_, i) => startBackend(t, addresses, `b${i}`)));
  const mesh = await startMesh(t, addresses, {
    cluster: [edsCluster('x', { lb_policy: 'LEAST_REQUEST' })],
    endpoint: [assignment('x', ...backends.map(({ ip, port }): [string, number] => [ip, port]))],
    listener: [gateway(8080, 'r')],
    route: [routes('r', host(['*'], to('x', { retry_policy: istio })))],
  });
  const statuses: number[] = [];
  const worker = async (): Promise<void> => {
    for (let i = 0; i < 60; i++) statuses.push((await call(mesh.ip, 8080)).status);
  };
  const load = Array.from({ length: 8 }, worker);
  await systemWait(() => statuses.length > 100, 'some load');
  for (const { server } of backends.slice(0, 3)) {
    server.close();
    server.closeAllConnections();
  }
  await Promise.all(load);
  t.is(statuses.length, 480);
  t.deepEqual(
    statuses.filter((status) => status !== 200),
    [],
  );
});

test('when nobody answers, the client is told as Envoy tells it', async (t) => {
  const mesh = await startMesh(t, addresses, {
    cluster: [edsCluster('x')],
    endpoint: [assignment('x', [addresses.next(), 1])],
    listener: [gateway(8080, 'r')],
    route: [routes('r', host(['*'], to('x')))],
  });
  const reply = await call(mesh.ip, 8080);
  t.is(reply.status, 503);
  t.is(
    reply.body,
    'upstream connect error or disconnect/reset before headers. reset reason: remote connection failure, ' +
      'transport failure reason: delayed connect error: Connection refused',
  );
  t.deepEqual((await lastLog(mesh)).slice(2, 4), ['503', 'UF']);
});

test('5xx: a GET is tried again, a POST that reached the upstream is not', async (t) => {
  let failures = 0;
  const backend = await startBackend(t, addresses, 'x', (req, res) => {
    req.resume();
    res.statusCode = failures++ % 2 === 0 ? 503 : 200;
    res.end('done');
  });
  const policy = { retry_on: '5xx', num_retries: 2, retry_back_off: { base_interval: duration(1) } };
  const mesh = await startMesh(t, addresses, {
    cluster: [edsCluster('x')],
    endpoint: [assignment('x', [backend.ip, backend.port])],
    listener: [gateway(8080, 'r')],
    route: [routes('r', host(['*'], to('x', { retry_policy: policy })))],
  });
  t.is((await call(mesh.ip, 8080)).status, 200);
  t.is(backend.requests.length, 2);
  t.is((await call(mesh.ip, 8080, { method: 'POST', body: 'pay' })).status, 503);
  t.is(backend.requests.length, 3);
  failures = 0;
  const keyed = await call(mesh.ip, 8080, { method: 'POST', body: 'pay', headers: { 'idempotency-key': 'k' } });
  t.is(keyed.status, 200);
});

test('an idle connection that the upstream closes just then costs the client nothing', async (t) => {
  // Answers once per connection and resets it when the next request arrives.
  const server = createServer((socket: Socket) => {
    let requests = 0;
    socket.on('error', () => {});
    socket.on('data', () => {
      if (++requests > 1) return void socket.resetAndDestroy();
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok');
    });
  });
  const ip = addresses.next();
  await new Promise<void>((resolve) => server.listen(7000, ip, resolve));
  t.teardown(() => server.close());
  const mesh = await startMesh(t, addresses, {
    cluster: [edsCluster('x')],
    endpoint: [assignment('x', [ip, 7000])],
    listener: [gateway(8080, 'r')],
    route: [routes('r', host(['*'], to('x', { retry_policy: { retry_on: 'reset-before-request', num_retries: 2 } })))],
  });
  for (let i = 0; i < 5; i++) t.is((await call(mesh.ip, 8080)).body, 'ok');
});

test('a body larger than the replay buffer is sent once', async (t) => {
  let calls = 0;
  const backend = await startBackend(t, addresses, 'x', (req, res) => {
    calls++;
    req.resume();
    req.once('end', () => {
      res.statusCode = 503;
      res.end();
    });
  });
  const mesh = await startMesh(t, addresses, {
    cluster: [edsCluster('x')],
    endpoint: [assignment('x', [backend.ip, backend.port])],
    listener: [gateway(8080, 'r')],
    route: [routes('r', host(['*'], to('x', { retry_policy: { retry_on: '5xx', num_retries: 3 } })))],
  });
  t.is((await call(mesh.ip, 8080, { method: 'PUT', body: 'x'.repeat(1000) })).status, 503);
  t.is(calls, 4);
  t.is((await call(mesh.ip, 8080, { method: 'PUT', body: 'x'.repeat(100_000) })).status, 503);
  t.is(calls, 5);
});

test('an upstream that dies in mid-response: the client sees a broken response, not a short one', async (t) => {
  const backend = await startBackend(t, addresses, 'x', (_req, res) => {
    res.writeHead(200, { 'content-length': 100 });
    res.write('half', () => res.socket?.destroy());
  });
  const mesh = await startMesh(t, addresses, {
    cluster: [edsCluster('x')],
    endpoint: [assignment('x', [backend.ip, backend.port])],
    listener: [gateway(8080, 'r')],
    route: [routes('r', host(['*'], to('x')))],
  });
  await t.throwsAsync(call(mesh.ip, 8080));
  t.deepEqual((await lastLog(mesh)).slice(2, 4), ['200', 'UC']);
});

test('circuit breaking: what exceeds connections and pending requests overflows', async (t) => {
  const waiting: (() => void)[] = [];
  const backend = await startBackend(t, addresses, 'x', (_req, res) => waiting.push(() => res.end('ok')));
  const circuit_breakers = { thresholds: [{ max_connections: 1, max_pending_requests: 1 }] };
  const mesh = await startMesh(t, addresses, {
    cluster: [edsCluster('x', { circuit_breakers })],
    endpoint: [assignment('x', [backend.ip, backend.port])],
    listener: [gateway(8080, 'r')],
    route: [routes('r', host(['*'], to('x')))],
  });
  const first = call(mesh.ip, 8080);
  await systemWait(() => waiting.length === 1, 'the first request');
  const second = call(mesh.ip, 8080);
  await systemWait(
    () => mesh.proxy.config.clusters.get('x')?.breakers.DEFAULT.pending.active === 1,
    'a pending request',
  );
  const third = await call(mesh.ip, 8080);
  t.is(third.status, 503);
  t.is(third.headers['x-envoy-overloaded'], 'true');
  t.deepEqual((await lastLog(mesh)).slice(2, 4), ['503', 'UO']);
  waiting[0]!();
  t.is((await first).body, 'ok');
  await systemWait(() => waiting.length === 2, 'the second request');
  waiting[1]!();
  t.is((await second).body, 'ok');
});

test('outlier detection takes a failing host out', async (t) => {
  const bad = await startBackend(t, addresses, 'bad', (_req, res) => {
    res.statusCode = 500;
    res.end();
  });
  const good = await startBackend(t, addresses, 'good');
  const outlier_detection = { consecutive_5xx: 3, max_ejection_percent: 100, base_ejection_time: duration(60_000) };
  const mesh = await startMesh(t, addresses, {
    cluster: [edsCluster('x', { outlier_detection })],
    endpoint: [assignment('x', [bad.ip, bad.port], [good.ip, good.port])],
    listener: [gateway(8080, 'r')],
    route: [routes('r', host(['*'], to('x')))],
  });
  for (let i = 0; i < 10; i++) await call(mesh.ip, 8080);
  t.is(bad.requests.length, 3);
  const { body } = await call(mesh.ip, 15000, { path: '/clusters' });
  t.true(body.includes(`x::${bad.ip}:${bad.port}::health_flags::/failed_outlier_check`));
});

test('faults: a delay for jason, an abort for others, and headers that ask for them', async (t) => {
  const backend = await startBackend(t, addresses, 'ratings');
  const fault = (config: object) => ({
    typed_per_filter_config: {
      'envoy.filters.http.fault': pack('envoy.extensions.filters.http.fault.v3.HTTPFault', config),
    },
  });
  const percentage = { numerator: 100 };
  const jason = { prefix: '/', headers: [{ name: 'end-user', string_match: { exact: 'jason' } }] };
  const mesh = await startMesh(t, addresses, {
    cluster: [edsCluster('x')],
    endpoint: [assignment('x', [backend.ip, backend.port])],
    listener: [gateway(8080, 'r')],
    route: [
      routes(
        'r',
        host(
          ['*'],
          { ...to('x', {}, jason), ...fault({ delay: { fixed_delay: duration(80), percentage } }) },
          { ...to('x', {}, { prefix: '/asked' }), ...fault({ abort: { header_abort: {}, percentage } }) },
          { ...to('x'), ...fault({ abort: { http_status: 500, percentage } }) },
        ),
      ),
    ],
  });
  const started = performance.now();
  t.is((await call(mesh.ip, 8080, { headers: { 'end-user': 'jason' } })).body, 'ratings');
  t.true(performance.now() - started >= 75);
  t.deepEqual((await lastLog(mesh)).slice(2, 5), ['200', 'DI', 'via_upstream']);
  const aborted = await call(mesh.ip, 8080);
  t.deepEqual([aborted.status, aborted.body], [500, 'fault filter abort']);
  t.deepEqual((await lastLog(mesh, 2)).slice(2, 5), ['500', 'FI', 'fault_filter_abort']);
  t.is((await call(mesh.ip, 8080, { path: '/asked', headers: { 'x-envoy-fault-abort-request': '429' } })).status, 429);
  t.is((await call(mesh.ip, 8080, { path: '/asked' })).status, 200);
});

test('a client that goes away cancels the upstream request', async (t) => {
  let closed = false;
  const backend = await startBackend(t, addresses, 'x', (_req, res) => res.once('close', () => (closed = true)));
  const mesh = await startMesh(t, addresses, {
    cluster: [edsCluster('x')],
    endpoint: [assignment('x', [backend.ip, backend.port])],
    listener: [gateway(8080, 'r')],
    route: [routes('r', host(['*'], to('x')))],
  });
  const { connect } = await import('node:net');
  const socket = connect(8080, mesh.ip, () => socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n'));
  await systemWait(() => backend.requests.length === 1, 'the request');
  socket.destroy();
  await systemWait(() => closed, 'the upstream to be told');
  t.deepEqual((await lastLog(mesh)).slice(2, 5), ['0', 'DC', 'downstream_remote_disconnect']);
  t.is(mesh.proxy.config.clusters.get('x')?.breakers.DEFAULT.requests.active, 0);
});
