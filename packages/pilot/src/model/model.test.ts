import test from 'ava';
import * as fc from 'fast-check';
import { covers, intersection, resolveHost } from './host.js';
import { protocolOf } from './protocol.js';
import { NodeError, parseNode } from './proxy.js';

test('protocols by name, by appProtocol, by port', (t) => {
  const of = (name: string, more: { port?: number; appProtocol?: string; protocol?: string } = {}) =>
    protocolOf({ name, port: 1234, ...more });
  t.is(of('http'), 'HTTP');
  t.is(of('http-web'), 'HTTP');
  t.is(of('HTTP2-x'), 'HTTP2');
  t.is(of('grpc-web-1'), 'GRPC-Web');
  t.is(of('grpc-api'), 'GRPC');
  t.is(of('tcp-db'), 'TCP');
  t.is(of('httpx'), 'auto');
  t.is(of(''), 'auto');
  t.is(of('', { port: 3306 }), 'TCP');
  t.is(of('tcp', { appProtocol: 'http' }), 'HTTP');
  t.is(of('x', { appProtocol: 'kubernetes.io/h2c' }), 'HTTP2');
  t.is(of('http', { appProtocol: 'my.org/own' }), 'HTTP');
  t.is(of('http', { protocol: 'UDP' }), 'UDP');
});

test('short names', (t) => {
  t.is(resolveHost('reviews', 'ns', 'cluster.local'), 'reviews.ns.svc.cluster.local');
  t.is(resolveHost('reviews.other', 'ns', 'cluster.local'), 'reviews.other');
  t.is(resolveHost('*', 'ns', 'cluster.local'), '*');
  t.is(resolveHost('WWW.Example.COM', 'ns', 'cluster.local'), 'www.example.com');
});

test('wildcards', (t) => {
  t.true(covers('*', 'a.b'));
  t.true(covers('*.b', 'a.b'));
  t.true(covers('*.b', '*.a.b'));
  t.false(covers('*.a.b', '*.b'));
  t.false(covers('*.b', 'b'));
  t.is(intersection('*.example.com', '*'), '*.example.com');
  t.is(intersection('a.com', '*.org'), undefined);
});

test('an intersection is covered by both', (t) => {
  const host = fc
    .tuple(fc.boolean(), fc.array(fc.constantFrom('a', 'b'), { minLength: 1, maxLength: 4 }))
    .map(([wild, parts]) => (wild ? `*.${parts.join('.')}` : parts.join('.')));
  fc.assert(
    fc.property(host, host, (one, other) => {
      const both = intersection(one, other);
      t.is(both, intersection(other, one));
      if (both !== undefined) t.true(covers(one, both) && covers(other, both));
    }),
  );
});

test('nodes say who they are', (t) => {
  const proxy = parseNode({
    id: 'sidecar~127.65.1.2~reviews-v1-abc.default~default.svc.cluster.local',
    metadata: { LABELS: { app: 'reviews', n: 1 }, WORKLOAD_NAME: 'reviews-v1', INTERCEPTION_MODE: 'LOOPBACK' },
  });
  t.like(proxy, {
    type: 'sidecar',
    ip: '127.65.1.2',
    pod: 'reviews-v1-abc',
    namespace: 'default',
    labels: { app: 'reviews' },
    workloadName: 'reviews-v1',
    interception: 'LOOPBACK',
    http2: true,
  });
  t.false(parseNode({ id: 'router~1.2.3.4~a.b~b.svc.x', user_agent_name: 'flotilla-proxy' }).http2);
  t.is(parseNode({ id: 'router~1.2.3.4~a.b~b.svc.x' }).interception, 'REDIRECT');
  for (const id of ['', 'me', 'sidecar~1~2', 'ztunnel~1.2.3.4~a.b~b.svc.x', 'a~b~c~d~e']) {
    t.throws(() => parseNode({ id }), { instanceOf: NodeError });
  }
});
