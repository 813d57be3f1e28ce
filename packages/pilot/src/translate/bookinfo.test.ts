import { durationMs, type RouteAction, unpack, type VirtualHost } from '@flotilla/xds';
import test from 'ava';
import {
  addresses,
  bookinfo,
  bookinfoSubsets,
  ingressGateway,
  names,
  resource,
  sidecar,
  type TestMesh,
} from '../testing.js';

const productpage = sidecar('productpage-v1-x', { app: 'productpage', version: 'v1' });
const fqdn = (name: string): string => `${name}.default.svc.cluster.local`;

function hostOf(mesh: TestMesh, name: string): VirtualHost {
  const route = resource(mesh.view(productpage), 'route', '9080');
  return route!.virtual_hosts!.find((host) => host.name === `${fqdn(name)}:9080`)!;
}

function actions(mesh: TestMesh, name: string): RouteAction[] {
  return hostOf(mesh, name).routes!.map(({ route }) => route!);
}

const rule = (name: string, http: string): string => `
kind: VirtualService
metadata: { name: ${name} }
spec:
  hosts: [${name}]
  http:${http}
`;

test('services alone: one HTTP listener, a cluster for each service, addresses by pod', (t) => {
  const view = bookinfo().view(productpage);
  t.deepEqual(names(view, 'listener').sort(), ['0.0.0.0_9080', 'http_proxy', 'virtualInbound', 'virtualOutbound']);
  t.deepEqual(names(view, 'cluster').sort(), [
    'BlackHoleCluster',
    'HttpProxyPassthroughCluster',
    'InboundPassthroughCluster',
    'PassthroughCluster',
    'inbound|9080||',
    ...['details', 'productpage', 'ratings', 'reviews'].map((name) => `outbound|9080||${fqdn(name)}`),
  ]);
  t.deepEqual(addresses(view, `outbound|9080||${fqdn('reviews')}`), [
    '127.65.1.5:9080',
    '127.65.1.6:9080',
    '127.65.1.7:9080',
  ]);
  const cluster = resource(view, 'cluster', `outbound|9080||${fqdn('reviews')}`)!;
  t.is(cluster.type, 'EDS');
  t.is(cluster.lb_policy, 'LEAST_REQUEST');
  t.is(durationMs(cluster.connect_timeout), 10_000);
});

test('every spelling of a host, default retries, no timeout', (t) => {
  const host = hostOf(bookinfo(), 'reviews');
  t.deepEqual(host.domains, [
    'reviews.default.svc.cluster.local',
    'reviews',
    'reviews.default.svc',
    'reviews.default',
    '127.193.0.12',
  ]);
  const [route] = host.routes!;
  t.is(route!.route!.cluster, `outbound|9080||${fqdn('reviews')}`);
  t.is(durationMs(route!.route!.timeout), 0);
  const retry = route!.route!.retry_policy!;
  t.is(retry.num_retries, 2);
  t.is(retry.retry_on, 'connect-failure,refused-stream,unavailable,cancelled');
  t.is(retry.retry_host_predicate?.[0]?.name, 'envoy.retry_host_predicates.previous_hosts');
});

test('what is no service passes, and the port in a Host header is ignored', (t) => {
  const route = resource(bookinfo().view(productpage), 'route', '9080')!;
  t.true(route.ignore_port_in_host_matching);
  const last = route.virtual_hosts!.at(-1)!;
  t.is(last.name, 'allow_any');
  t.is(last.routes![0]!.route!.cluster, 'PassthroughCluster');
});

test('destination rules make a cluster for each subset, with the pods of its labels', (t) => {
  const view = bookinfo().apply(bookinfoSubsets).view(productpage);
  t.deepEqual(addresses(view, `outbound|9080|v1|${fqdn('reviews')}`), ['127.65.1.5:9080']);
  t.deepEqual(addresses(view, `outbound|9080|v3|${fqdn('reviews')}`), ['127.65.1.7:9080']);
  t.deepEqual(addresses(view, `outbound|9080|v3|${fqdn('ratings')}`), []);
  t.true(names(view, 'cluster').includes(`outbound|9080|v3|${fqdn('ratings')}`));
});

test('all traffic to v1', (t) => {
  const mesh = bookinfo().apply(bookinfoSubsets);
  mesh.apply(rule('reviews', ' [{ route: [{ destination: { host: reviews, subset: v1 } }] }]'));
  t.deepEqual(
    actions(mesh, 'reviews').map(({ cluster }) => cluster),
    [`outbound|9080|v1|${fqdn('reviews')}`],
  );
});

test('a user by header', (t) => {
  const mesh = bookinfo()
    .apply(bookinfoSubsets)
    .apply(
      rule(
        'reviews',
        `
  - match: [{ headers: { end-user: { exact: jason } } }]
    route: [{ destination: { host: reviews, subset: v2 } }]
  - route: [{ destination: { host: reviews, subset: v1 } }]`,
      ),
    );
  const [jason, others] = hostOf(mesh, 'reviews').routes!;
  t.deepEqual(jason!.match!.headers, [{ name: 'end-user', string_match: { exact: 'jason' } }]);
  t.is(jason!.route!.cluster, `outbound|9080|v2|${fqdn('reviews')}`);
  t.is(others!.match!.prefix, '/');
  t.is(others!.route!.cluster, `outbound|9080|v1|${fqdn('reviews')}`);
});

test('halves by weight', (t) => {
  const mesh = bookinfo()
    .apply(bookinfoSubsets)
    .apply(
      rule(
        'reviews',
        `
  - route:
    - { destination: { host: reviews, subset: v1 }, weight: 50 }
    - { destination: { host: reviews, subset: v3 }, weight: 50 }`,
      ),
    );
  t.deepEqual(actions(mesh, 'reviews')[0]!.weighted_clusters?.clusters, [
    { name: `outbound|9080|v1|${fqdn('reviews')}`, weight: 50 },
    { name: `outbound|9080|v3|${fqdn('reviews')}`, weight: 50 },
  ]);
});

test('a delay and an abort for one user', (t) => {
  const withFault = (fault: string): VirtualHost =>
    hostOf(
      bookinfo()
        .apply(bookinfoSubsets)
        .apply(
          rule(
            'ratings',
            `
  - match: [{ headers: { end-user: { exact: jason } } }]
    fault: ${fault}
    route: [{ destination: { host: ratings, subset: v1 } }]
  - route: [{ destination: { host: ratings, subset: v1 } }]`,
          ),
        ),
      'ratings',
    );
  const faultOf = (host: VirtualHost) =>
    unpack(
      'envoy.extensions.filters.http.fault.v3.HTTPFault',
      host.routes![0]!.typed_per_filter_config!['envoy.filters.http.fault'],
    );
  const delayed = withFault('{ delay: { percentage: { value: 100.0 }, fixedDelay: 7s } }');
  t.deepEqual(faultOf(delayed), {
    delay: { fixed_delay: { seconds: 7 }, percentage: { numerator: 1_000_000, denominator: 'MILLION' } },
  });
  t.is(delayed.routes![1]!.typed_per_filter_config, undefined);
  t.deepEqual(faultOf(withFault('{ abort: { percentage: { value: 100.0 }, httpStatus: 500 } }')), {
    abort: { http_status: 500, percentage: { numerator: 1_000_000, denominator: 'MILLION' } },
  });
});

const gateway = `
kind: Gateway
metadata: { name: bookinfo-gateway }
spec:
  selector: { istio: ingressgateway }
  servers:
  - { port: { number: 8080, name: http, protocol: HTTP }, hosts: ["*"] }
---
kind: VirtualService
metadata: { name: bookinfo }
spec:
  hosts: ["*"]
  gateways: [bookinfo-gateway]
  http:
  - match:
    - uri: { exact: /productpage }
    - uri: { prefix: /static }
    - uri: { prefix: /api/v1/products }
    route: [{ destination: { host: productpage, port: { number: 9080 } } }]
`;

test('the gateway: one listener, three routes, nothing else', (t) => {
  const view = bookinfo().apply(gateway).view(ingressGateway);
  t.deepEqual(names(view, 'listener'), ['0.0.0.0_8080']);
  const route = resource(view, 'route', 'http.8080')!;
  t.deepEqual(
    route.virtual_hosts!.map(({ name, domains }) => [name, domains]),
    [['*:8080', ['*']]],
  );
  t.deepEqual(
    route.virtual_hosts![0]!.routes!.map(({ match, route: action }) => [match!.path ?? match!.prefix, action!.cluster]),
    [
      ['/productpage', `outbound|9080||${fqdn('productpage')}`],
      ['/static', `outbound|9080||${fqdn('productpage')}`],
      ['/api/v1/products', `outbound|9080||${fqdn('productpage')}`],
    ],
  );
  t.false(names(view, 'cluster').includes('PassthroughCluster'));
});

test('a rule for the gateway does not touch the sidecars', (t) => {
  const plain = bookinfo().view(productpage).find('route', '9080')!;
  t.is(bookinfo().apply(gateway).view(productpage).find('route', '9080')!.version, plain.version);
});
