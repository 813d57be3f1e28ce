import { type Cluster, unpack } from '@flotilla/xds';
import test from 'ava';
import { addresses, bookinfo, resource, sidecar } from '../testing.js';

const client = sidecar('client');
const name = (subset = ''): string => `outbound|9080|${subset}|reviews.default.svc.cluster.local`;

function clusters(spec: string, more = ''): (subset?: string) => Cluster {
  const view = bookinfo()
    .apply(`{ kind: DestinationRule, metadata: { name: reviews }, spec: { host: reviews, ${spec} } }\n---\n${more}`)
    .view(client);
  return (subset) => resource(view, 'cluster', name(subset))!;
}

test('no limits, no ejection, two random choices, unless a rule says so', (t) => {
  const cluster = resource(bookinfo().view(client), 'cluster', name())!;
  t.is(cluster.circuit_breakers!.thresholds![0]!.max_connections, 4_294_967_295);
  t.is(cluster.outlier_detection, undefined);
  t.is(cluster.lb_policy, 'LEAST_REQUEST');
  t.is(cluster.typed_extension_protocol_options, undefined);
});

test('connection pool', (t) => {
  const cluster = clusters(`trafficPolicy: { connectionPool: {
    tcp: { maxConnections: 10, connectTimeout: 2s, tcpKeepalive: { time: 60s, probes: 3 } },
    http: { http1MaxPendingRequests: 5, http2MaxRequests: 20, maxRetries: 1, maxRequestsPerConnection: 7, idleTimeout: 30s } } }`)();
  t.deepEqual(cluster.circuit_breakers!.thresholds, [
    { max_connections: 10, max_pending_requests: 5, max_requests: 20, max_retries: 1, track_remaining: true },
  ]);
  t.deepEqual(cluster.connect_timeout, { seconds: 2 });
  t.deepEqual(cluster.upstream_connection_options!.tcp_keepalive, { keepalive_time: 60, keepalive_probes: 3 });
  const key = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';
  t.deepEqual(unpack(key, cluster.typed_extension_protocol_options![key]), {
    common_http_protocol_options: { idle_timeout: { seconds: 30 }, max_requests_per_connection: 7 },
    explicit_http_config: { http_protocol_options: {} },
  });
});

test('load balancers', (t) => {
  const policy = (settings: string) => clusters(`trafficPolicy: { loadBalancer: ${settings} }`)();
  t.is(policy('{ simple: ROUND_ROBIN }').lb_policy ?? 'ROUND_ROBIN', 'ROUND_ROBIN');
  t.is(policy('{ simple: RANDOM }').lb_policy, 'RANDOM');
  t.is(policy('{ simple: LEAST_CONN }').lb_policy, 'LEAST_REQUEST');
  const passthrough = policy('{ simple: PASSTHROUGH }');
  t.is(passthrough.type, 'ORIGINAL_DST');
  t.is(passthrough.lb_policy, 'CLUSTER_PROVIDED');
  const ring = policy('{ consistentHash: { httpHeaderName: x-user } }');
  t.is(ring.lb_policy, 'RING_HASH');
  t.is(ring.ring_hash_lb_config!.minimum_ring_size, 1024);
  t.is(
    policy('{ consistentHash: { useSourceIp: true, maglev: { tableSize: 101 } } }').maglev_lb_config!.table_size,
    101,
  );
  const slow = policy('{ simple: ROUND_ROBIN, warmup: { duration: 30s } }');
  t.deepEqual(slow.round_robin_lb_config!.slow_start_config!.slow_start_window, { seconds: 30 });
});

test('consistent hashing also tells the route what to hash', (t) => {
  const view = bookinfo()
    .apply(`{ kind: DestinationRule, metadata: { name: r }, spec: { host: reviews, trafficPolicy: { loadBalancer: {
      consistentHash: { httpCookie: { name: user, ttl: 10s } } } } } }`)
    .view(client);
  const host = resource(view, 'route', '9080')!.virtual_hosts!.find(({ domains }) => domains!.includes('reviews'))!;
  t.deepEqual(host.routes![0]!.route!.hash_policy, [{ cookie: { name: 'user', ttl: { seconds: 10 } } }]);
  t.is(host.routes![0]!.route!.retry_policy!.retry_host_predicate, undefined, 'another host would not have the state');
});

test('outlier detection', (t) => {
  const cluster = clusters(`trafficPolicy: { outlierDetection: {
    consecutive5xxErrors: 3, consecutiveGatewayErrors: 0, interval: 5s, baseEjectionTime: 15s, maxEjectionPercent: 50 } }`)();
  t.deepEqual(cluster.outlier_detection, {
    consecutive_5xx: 3,
    enforcing_consecutive_5xx: 100,
    enforcing_consecutive_gateway_failure: 0,
    enforcing_success_rate: 0,
    interval: { seconds: 5 },
    base_ejection_time: { seconds: 15 },
    max_ejection_percent: 50,
  });
  t.deepEqual(cluster.common_lb_config!.healthy_panic_threshold, {}, '0 %');
});

test('a subset overrides piece by piece, a port as a whole', (t) => {
  const find = clusters(`
    trafficPolicy: {
      loadBalancer: { simple: RANDOM },
      connectionPool: { tcp: { maxConnections: 1 } },
      portLevelSettings: [{ port: { number: 80 }, loadBalancer: { simple: ROUND_ROBIN } }] },
    subsets: [
      { name: v1, labels: { version: v1 }, trafficPolicy: { loadBalancer: { simple: ROUND_ROBIN } } },
      { name: v2, labels: { version: v2 }, trafficPolicy: {
          portLevelSettings: [{ port: { number: 9080 }, loadBalancer: { simple: LEAST_REQUEST } }] } }]`);
  const facts = (cluster: Cluster) => [
    cluster.lb_policy ?? 'ROUND_ROBIN',
    cluster.circuit_breakers!.thresholds![0]!.max_connections,
  ];
  t.deepEqual(facts(find()), ['RANDOM', 1]);
  t.deepEqual(facts(find('v1')), ['ROUND_ROBIN', 1]);
  t.deepEqual(facts(find('v2')), ['LEAST_REQUEST', 4_294_967_295]);
});

test('rules of the same host add up their subsets; the oldest policy counts', (t) => {
  const find = clusters(
    'trafficPolicy: { loadBalancer: { simple: RANDOM } }, subsets: [{ name: v1, labels: { version: v1 } }]',
    `{ kind: DestinationRule, metadata: { name: second }, spec: { host: reviews.default.svc.cluster.local,
       trafficPolicy: { loadBalancer: { simple: ROUND_ROBIN } }, subsets: [{ name: v2, labels: { version: v2 } }] } }`,
  );
  t.is(find().lb_policy, 'RANDOM');
  t.truthy(find('v1'));
  t.truthy(find('v2'));
});

test("a client's own namespace decides before the service's, and that before the root", (t) => {
  const dr = (namespace: string, simple: string): string =>
    `{ kind: DestinationRule, metadata: { name: r, namespace: ${namespace} }, spec: {
       host: "reviews.default.svc.cluster.local", trafficPolicy: { loadBalancer: { simple: ${simple} } } } }`;
  const mesh = bookinfo().apply([dr('default', 'RANDOM'), dr('mine', 'ROUND_ROBIN')].join('\n---\n'));
  const policy = (namespace: string) =>
    resource(mesh.view(sidecar('x', {}, { namespace })), 'cluster', name())!.lb_policy ?? 'ROUND_ROBIN';
  t.is(policy('mine'), 'ROUND_ROBIN');
  t.is(policy('default'), 'RANDOM');
  t.is(policy('other'), 'RANDOM');
  const root = bookinfo().apply(`{ kind: DestinationRule, metadata: { name: r, namespace: istio-system }, spec: {
       host: "*.cluster.local", trafficPolicy: { loadBalancer: { simple: RANDOM } } } }`);
  t.is(resource(root.view(client), 'cluster', name())!.lb_policy, 'RANDOM');
});

test('encryption that cannot be given is refused, not left out', (t) => {
  const view = bookinfo()
    .apply(`{ kind: DestinationRule, metadata: { name: r }, spec: { host: reviews, trafficPolicy: { tls: { mode: ISTIO_MUTUAL } },
      subsets: [{ name: v1, labels: { version: v1 }, trafficPolicy: { tls: { mode: DISABLE } } }] } }`)
    .view(client);
  t.false(view.all('cluster').has(name()));
  t.true(view.all('cluster').has(name('v1')));
  t.regex(view.problems[0]!.message, /ISTIO_MUTUAL is not supported yet/);
});

test('endpoints: not-ready ones are left out; when none is ready, those that still serve while terminating', (t) => {
  const mesh = bookinfo();
  mesh.pod('reviews-v1-x', '127.65.1.5', { app: 'reviews', version: 'v1' }, { ready: false });
  t.deepEqual(addresses(mesh.view(client), name()), ['127.65.1.6:9080', '127.65.1.7:9080']);
  mesh.pod('reviews-v2-x', '127.65.1.6', { app: 'reviews', version: 'v2' }, { terminating: true });
  t.deepEqual(addresses(mesh.view(client), name()), ['127.65.1.7:9080']);
  mesh.pod('reviews-v3-x', '127.65.1.7', { app: 'reviews', version: 'v3' }, { ready: false });
  t.deepEqual(addresses(mesh.view(client), name()), ['127.65.1.6:9080']);
});

test('endpoints tell where they are and whose they are', (t) => {
  const mesh = bookinfo();
  mesh.put('nodes', {
    metadata: {
      name: 'node-1',
      labels: { 'topology.kubernetes.io/region': 'eu', 'topology.kubernetes.io/zone': 'eu-1' },
    },
  });
  mesh.pod(
    'reviews-v9-abc-x',
    '127.65.1.9',
    { app: 'reviews', version: 'v9', 'pod-template-hash': 'abc' },
    { owner: { kind: 'ReplicaSet', name: 'reviews-v9-abc' } },
  );
  const { endpoints } = resource(mesh.view(client), 'endpoint', name())!;
  t.deepEqual(endpoints![0]!.locality, { region: 'eu', zone: 'eu-1' });
  t.is(endpoints![0]!.load_balancing_weight, 4);
  const last = endpoints![0]!.lb_endpoints!.at(-1)!;
  t.deepEqual(last.metadata!.filter_metadata, { istio: { workload: 'reviews-v9;default;reviews;v9;Kubernetes' } });
});
