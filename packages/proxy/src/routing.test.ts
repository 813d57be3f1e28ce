import test from 'ava';
import { duration } from '@flotilla/xds';
import { Addresses, call, lastLog, startBackend, startMesh } from './testing/harness.js';
import { assignment, edsCluster, gateway, host, routes, to } from './testing/resources.js';

const addresses = new Addresses(1);

test('routes by host and header to the clusters of a virtual host', async (t) => {
  const [v1, v2] = await Promise.all([startBackend(t, addresses, 'v1'), startBackend(t, addresses, 'v2')]);
  const jason = { prefix: '/', headers: [{ name: 'end-user', string_match: { exact: 'jason' } }] };
  const mesh = await startMesh(t, addresses, {
    cluster: [edsCluster('v1'), edsCluster('v2')],
    endpoint: [assignment('v1', [v1.ip, v1.port]), assignment('v2', [v2.ip, v2.port])],
    listener: [gateway(8080, 'http.8080')],
    route: [routes('http.8080', host(['reviews'], to('v2', {}, jason), to('v1')))],
  });
  const headers = { host: 'reviews' };
  t.is((await call(mesh.ip, 8080, { headers })).body, 'v1');
  t.is((await call(mesh.ip, 8080, { headers: { ...headers, 'end-user': 'jason' } })).body, 'v2');
  const none = await call(mesh.ip, 8080, { headers: { host: 'other' } });
  t.is(none.status, 404);
  t.is(none.headers.server, 'istio-envoy');
  const log = await lastLog(mesh, 3);
  t.deepEqual(log.slice(2, 5), ['404', 'NR', 'route_not_found']);
});

test('splits by weight and spreads over the endpoints of a cluster', async (t) => {
  const names = ['a1', 'a2', 'b'];
  const [a1, a2, b] = await Promise.all(names.map((name) => startBackend(t, addresses, name)));
  const weighted = {
    clusters: [
      { name: 'a', weight: 80 },
      { name: 'b', weight: 20 },
    ],
  };
  const mesh = await startMesh(t, addresses, {
    cluster: [edsCluster('a'), edsCluster('b')],
    endpoint: [assignment('a', [a1!.ip, a1!.port], [a2!.ip, a2!.port]), assignment('b', [b!.ip, b!.port])],
    listener: [gateway(8080, 'r')],
    route: [routes('r', host(['*'], { match: { prefix: '/' }, route: { weighted_clusters: weighted } }))],
  });
  const seen: Record<string, number> = {};
  for (let i = 0; i < 300; i++) {
    const { body } = await call(mesh.ip, 8080);
    seen[body] = (seen[body] ?? 0) + 1;
  }
  t.true(Math.abs((seen.a1 ?? 0) - (seen.a2 ?? 0)) <= 2, 'round robin is even');
  t.true((seen.b ?? 0) > 25 && (seen.b ?? 0) < 110, `${seen.b} of 300 went to b`);
});

test('rewrites, redirects, answers directly, and changes headers', async (t) => {
  const backend = await startBackend(t, addresses, 'x', (req, res) => {
    res.setHeader('x-secret', 'yes');
    res.end(JSON.stringify({ url: req.url, host: req.headers.host, headers: req.headers }));
  });
  const rewrite = to('x', { prefix_rewrite: '/v1', host_rewrite_literal: 'inner' }, { path_separated_prefix: '/api' });
  const mesh = await startMesh(t, addresses, {
    cluster: [edsCluster('x')],
    endpoint: [assignment('x', [backend.ip, backend.port])],
    listener: [gateway(8080, 'r', { use_remote_address: true })],
    route: [
      routes(
        'r',
        host(
          ['*'],
          {
            ...rewrite,
            request_headers_to_add: [{ header: { key: 'x-from', value: '%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%' } }],
            response_headers_to_remove: ['x-secret'],
            response_headers_to_add: [{ header: { key: 'x-cluster', value: '%UPSTREAM_CLUSTER%' } }],
          },
          {
            match: { path: '/old' },
            redirect: { path_redirect: '/new', host_redirect: 'other', response_code: 'FOUND' },
          },
          { match: { path: '/hello' }, direct_response: { status: 418, body: { inline_string: 'short and stout' } } },
          to('x', {}, { safe_regex: { regex: '/r[0-9]+' } }),
        ),
      ),
    ],
  });
  const reply = await call(mesh.ip, 8080, {
    path: '/api/books?id=1',
    headers: { host: 'outer', 'x-envoy-retry-on': '5xx' },
  });
  const seen = JSON.parse(reply.body) as { url: string; host: string; headers: Record<string, string> };
  t.is(seen.url, '/v1/books?id=1');
  t.is(seen.host, 'inner');
  t.is(seen.headers['x-envoy-original-path'], '/api/books?id=1');
  t.is(seen.headers['x-from'], seen.headers['x-forwarded-for']);
  t.is(seen.headers['x-forwarded-proto'], 'http');
  t.regex(seen.headers['x-request-id'] ?? '', /^[0-9a-f-]{36}$/);
  t.is(seen.headers['x-envoy-retry-on'], undefined, 'the edge drops what steers the mesh');
  t.is(reply.headers['x-secret'], undefined);
  t.is(reply.headers['x-cluster'], 'x');
  t.regex(String(reply.headers['x-envoy-upstream-service-time']), /^\d+$/);
  const moved = await call(mesh.ip, 8080, { path: '/old?q=1' });
  t.is(moved.status, 302);
  t.is(moved.headers.location, 'http://other/new?q=1');
  const tea = await call(mesh.ip, 8080, { path: '/hello' });
  t.deepEqual([tea.status, tea.body], [418, 'short and stout']);
  t.is((await call(mesh.ip, 8080, { path: '/r42' })).status, 200, 'regular expressions load their engine when needed');
});

test('a request body passes, in pieces and at length', async (t) => {
  const backend = await startBackend(t, addresses, 'echo', (req, res) => req.pipe(res));
  const mesh = await startMesh(t, addresses, {
    cluster: [edsCluster('echo')],
    endpoint: [assignment('echo', [backend.ip, backend.port])],
    listener: [gateway(8080, 'r')],
    route: [routes('r', host(['*'], to('echo')))],
  });
  const body = 'x'.repeat(3_000_000);
  t.is((await call(mesh.ip, 8080, { method: 'POST', body })).body.length, body.length);
  const chunked = await call(mesh.ip, 8080, {
    method: 'PUT',
    body: 'hello',
    headers: { 'transfer-encoding': 'chunked' },
  });
  t.is(chunked.body, 'hello');
  t.is(backend.requests.at(-1)?.headers['transfer-encoding'], 'chunked');
  t.is((await call(mesh.ip, 8080, { method: 'POST' })).status, 200);
  t.is(backend.requests.at(-1)?.headers['content-length'], '0');
});

test('an access log line in the order Istio gives it', async (t) => {
  const backend = await startBackend(t, addresses, 'x');
  const mesh = await startMesh(t, addresses, {
    cluster: [edsCluster('outbound|80||x.default.svc.cluster.local')],
    endpoint: [assignment('outbound|80||x.default.svc.cluster.local', [backend.ip, backend.port])],
    listener: [gateway(8080, 'r')],
    route: [routes('r', host(['*'], { ...to('outbound|80||x.default.svc.cluster.local'), name: 'default' }))],
  });
  await call(mesh.ip, 8080, { path: '/p?q', method: 'POST', body: 'four', headers: { host: 'h', 'user-agent': 'ua' } });
  const log = await lastLog(mesh);
  t.regex(log[0] ?? '', /^\[\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\]$/);
  t.deepEqual(log.slice(1, 9), ['"POST /p?q HTTP/1.1"', '200', '-', 'via_upstream', '-', '"-"', '4', '1']);
  t.deepEqual(log.slice(12, 13), ['"ua"']);
  t.deepEqual(log.slice(14, 17), [
    '"h"',
    `"${backend.ip}:${backend.port}"`,
    'outbound|80||x.default.svc.cluster.local',
  ]);
  t.true(log[17]?.startsWith(`${mesh.ip}:`), 'the pod is the source of its connections');
  t.is(log[18], `${mesh.ip}:8080`);
  t.deepEqual(log.slice(20), ['-', 'default']);
});

test('a route change takes effect on open connections, and endpoints follow', async (t) => {
  const [a, b] = await Promise.all([startBackend(t, addresses, 'a'), startBackend(t, addresses, 'b')]);
  const world = (target: string) => ({
    cluster: [edsCluster('a'), edsCluster('b')],
    endpoint: [assignment('a', [a.ip, a.port]), assignment('b', [b.ip, b.port])],
    listener: [gateway(8080, 'r')],
    route: [routes('r', host(['*'], to(target)))],
  });
  const mesh = await startMesh(t, addresses, world('a'));
  t.is((await call(mesh.ip, 8080)).body, 'a');
  mesh.pilot.push(world('b'));
  await mesh.pilot.settled();
  t.is((await call(mesh.ip, 8080)).body, 'b');
  mesh.pilot.push({ ...world('b'), endpoint: [assignment('a', [a.ip, a.port]), assignment('b')] });
  await mesh.pilot.settled();
  const none = await call(mesh.ip, 8080);
  t.deepEqual([none.status, none.body], [503, 'no healthy upstream']);
});

test('responses of every shape: HEAD, 204, 304, an early answer, 100-continue, many headers', async (t) => {
  const backend = await startBackend(t, addresses, 'x', (req, res) => {
    if (req.method === 'HEAD') res.writeHead(200, { 'content-length': 9 }).end();
    else if (req.url === '/204') res.writeHead(204).end();
    else if (req.url === '/304') res.writeHead(304, { etag: '"e"' }).end();
    else if (req.url === '/early') res.writeHead(413, { 'content-length': 2 }).end('no');
    else res.setHeader('set-cookie', ['a=1', 'b=2']).end(`${req.headers.expect ?? 'none'} body`);
  });
  const mesh = await startMesh(t, addresses, {
    cluster: [edsCluster('x')],
    endpoint: [assignment('x', [backend.ip, backend.port])],
    listener: [gateway(8080, 'r')],
    route: [routes('r', host(['*'], to('x')))],
  });
  const head = await call(mesh.ip, 8080, { method: 'HEAD' });
  t.deepEqual([head.status, head.body, head.headers['content-length']], [200, '', '9']);
  t.is((await call(mesh.ip, 8080, { path: '/204' })).status, 204);
  const unchanged = await call(mesh.ip, 8080, { path: '/304' });
  t.deepEqual([unchanged.status, unchanged.headers.etag], [304, '"e"']);
  const early = await call(mesh.ip, 8080, { path: '/early', method: 'POST', body: 'x'.repeat(200_000) }).catch(
    () => undefined,
  );
  if (early) t.deepEqual([early.status, early.body], [413, 'no']);
  const expecting = await call(mesh.ip, 8080, { method: 'POST', body: 'b', headers: { expect: '100-continue' } });
  t.is(expecting.body, 'none body');
  t.deepEqual(expecting.headers['set-cookie'], ['a=1', 'b=2']);
  const many = Object.fromEntries(Array.from({ length: 120 }, (_, i) => [`x-${i}`, '1']));
  t.is((await call(mesh.ip, 8080, { headers: many })).status, 431);
});

test('a request that takes too long to arrive: 408', async (t) => {
  const backend = await startBackend(t, addresses, 'x', (req) => req.resume());
  const mesh = await startMesh(t, addresses, {
    cluster: [edsCluster('x')],
    endpoint: [assignment('x', [backend.ip, backend.port])],
    listener: [gateway(8080, 'r', { request_timeout: duration(100) })],
    route: [routes('r', host(['*'], to('x')))],
  });
  const { connect } = await import('node:net');
  const socket = connect(8080, mesh.ip, () =>
    socket.write('POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n123'),
  );
  const text = await new Promise<string>((resolve) => socket.once('data', (chunk) => resolve(String(chunk))));
  t.regex(text, /^HTTP\/1\.1 408 /);
  socket.destroy();
});

test('HTTP/1.0, a missing host and an oversized head are refused as Envoy does', async (t) => {
  const mesh = await startMesh(t, addresses, {
    listener: [
      gateway(8080, routes('inline', host(['*'], { match: { prefix: '/' }, direct_response: { status: 200 } }))),
    ],
  });
  t.is((await call(mesh.ip, 8080, { headers: { big: 'x'.repeat(70_000) } })).status, 431);
  t.is((await call(mesh.ip, 8080)).status, 200);
});

test('timeouts: 504 with UT, and a deadline for one try', async (t) => {
  const backend = await startBackend(t, addresses, 'slow', () => {});
  const perTry = { retry_policy: { retry_on: '5xx', num_retries: 1, per_try_timeout: duration(200) } };
  const mesh = await startMesh(t, addresses, {
    cluster: [edsCluster('slow')],
    endpoint: [assignment('slow', [backend.ip, backend.port])],
    listener: [gateway(8080, 'r')],
    route: [routes('r', host(['*'], to('slow', { timeout: duration(200) }, { prefix: '/whole' }), to('slow', perTry)))],
  });
  const whole = await call(mesh.ip, 8080, { path: '/whole' });
  t.deepEqual([whole.status, whole.body], [504, 'upstream request timeout']);
  t.deepEqual((await lastLog(mesh)).slice(2, 5), ['504', 'UT', 'response_timeout']);
  const each = await call(mesh.ip, 8080, { path: '/try' });
  t.is(each.status, 504);
  t.deepEqual((await lastLog(mesh, 2)).slice(2, 5), ['504', 'URX,UT', 'upstream_per_try_timeout']);
  t.is(backend.requests.length, 3);
});
