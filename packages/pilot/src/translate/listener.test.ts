import { type HttpConnectionManager, type Listener, type TcpProxy, unpack } from '@flotilla/xds';
import test from 'ava';
import { names, resource, sidecar, TestMesh } from '../testing.js';

const services = `
kind: Service
metadata: { name: web }
spec: { clusterIP: 127.193.0.1, selector: { app: web }, ports: [{ name: http, port: 80, targetPort: 8080 }] }
---
kind: Service
metadata: { name: db }
spec: { clusterIP: 127.193.0.2, selector: { app: db }, ports: [{ name: mysql, port: 3306 }] }
---
kind: Service
metadata: { name: guess }
spec: { clusterIP: 127.193.0.3, selector: { app: web }, ports: [{ name: whatever, port: 7000, targetPort: odd }] }
---
kind: Service
metadata: { name: api }
spec: { clusterIP: 127.193.0.4, selector: { app: api }, ports: [{ name: grpc, port: 9000 }] }
---
kind: Service
metadata: { name: peers }
spec: { clusterIP: None, selector: { app: peers }, ports: [{ name: tcp, port: 5000 }, { name: http, port: 80 }] }
---
kind: Service
metadata: { name: outside }
spec: { type: ExternalName, externalName: example.com, ports: [{ name: http, port: 80 }] }
`;
const mesh = (): TestMesh =>
  new TestMesh().apply(services).pod('web-1', '127.65.1.2', { app: 'web' }, { ports: { odd: 7070 } });
const web = sidecar('web-1', { app: 'web' });

function listener(name: string, proxy = web): Listener {
  return resource(mesh().view(proxy), 'listener', name)!;
}
const manager = (any: Parameters<typeof unpack>[1]): HttpConnectionManager | undefined =>
  unpack('envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager', any);
const tcp = (any: Parameters<typeof unpack>[1]): TcpProxy | undefined =>
  unpack('envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy', any);

test('a listener for each HTTP port, and one for each other service port', (t) => {
  t.deepEqual(names(mesh().view(web), 'listener').sort(), [
    '0.0.0.0_80',
    '0.0.0.0_9000',
    '127.193.0.2_3306',
    '127.193.0.3_7000',
    'http_proxy',
    'virtualInbound',
    'virtualOutbound',
  ]);
});

test('virtualOutbound hands over by original destination, else lets pass', (t) => {
  const found = listener('virtualOutbound');
  t.true(found.use_original_dst);
  t.deepEqual(
    found.listener_filters!.map(({ name }) => name),
    ['envoy.filters.listener.proxy_protocol'],
  );
  t.is(tcp(found.default_filter_chain!.filters![0]!.typed_config)!.cluster, 'PassthroughCluster');
  const redirected = listener('virtualOutbound', { ...web, interception: 'REDIRECT' });
  t.deepEqual(
    redirected.listener_filters!.map(({ name }) => name),
    ['envoy.filters.listener.original_dst'],
  );
});

test('HTTP on a port: sniffed, routed by name, anything else passes', (t) => {
  const found = listener('0.0.0.0_80');
  t.false(found.bind_to_port);
  t.is(found.traffic_direction, 'OUTBOUND');
  const [chain] = found.filter_chains!;
  t.deepEqual(chain!.filter_chain_match!.application_protocols, ['http/1.1', 'h2c']);
  const http = manager(chain!.filters![0]!.typed_config)!;
  t.is(http.rds!.route_config_name, '80');
  t.deepEqual(
    http.http_filters!.map(({ name }) => name),
    ['envoy.filters.http.fault', 'envoy.filters.http.cors', 'envoy.filters.http.router'],
  );
  t.is(tcp(found.default_filter_chain!.filters![0]!.typed_config)!.cluster, 'PassthroughCluster');
});

test('bytes go to their cluster; an unnamed port is sniffed first', (t) => {
  const db = listener('127.193.0.2_3306');
  t.is(db.listener_filters, undefined, 'the server speaks first');
  t.is(tcp(db.filter_chains![0]!.filters![0]!.typed_config)!.cluster, 'outbound|3306||db.default.svc.cluster.local');
  const guess = listener('127.193.0.3_7000');
  t.is(
    manager(guess.filter_chains![0]!.filters![0]!.typed_config)!.rds!.route_config_name,
    'guess.default.svc.cluster.local:7000',
  );
  t.is(guess.listener_filters_timeout?.seconds, 1);
  const route = resource(mesh().view(web), 'route', 'guess.default.svc.cluster.local:7000')!;
  t.deepEqual(
    route.virtual_hosts!.map(({ domains }) => domains),
    [['*']],
  );
});

test('tcp routes: weights, subnets, source labels', (t) => {
  const view = mesh()
    .apply(`
kind: VirtualService
metadata: { name: db }
spec:
  hosts: [db]
  tcp:
  - match: [{ destinationSubnets: [127.193.0.2/32], port: 3306 }]
    route: [{ destination: { host: web, port: { number: 80 } } }]
  - match: [{ sourceLabels: { app: nobody } }]
    route: [{ destination: { host: guess } }]
  - route:
    - { destination: { host: db, subset: a }, weight: 1 }
    - { destination: { host: db, subset: b }, weight: 3 }
`)
    .view(web);
  const chains = resource(view, 'listener', '127.193.0.2_3306')!.filter_chains!;
  t.is(chains.length, 2);
  t.deepEqual(chains[0]!.filter_chain_match!.prefix_ranges, [{ address_prefix: '127.193.0.2', prefix_len: 32 }]);
  t.deepEqual(tcp(chains[1]!.filters![0]!.typed_config)!.weighted_clusters!.clusters, [
    { name: 'outbound|3306|a|db.default.svc.cluster.local', weight: 1 },
    { name: 'outbound|3306|b|db.default.svc.cluster.local', weight: 3 },
  ]);
});

test('a proxy without HTTP/2 gets gRPC as bytes', (t) => {
  const view = mesh().view({ ...web, http2: false });
  t.true(names(view, 'listener').includes('127.193.0.4_9000'));
  const api = resource(view, 'listener', '127.193.0.4_9000')!;
  t.deepEqual(api.filter_chains![0]!.filter_chain_match!.application_protocols, ['http/1.1']);
  t.is(tcp(api.filter_chains![1]!.filters![0]!.typed_config)!.cluster, 'outbound|9000||api.default.svc.cluster.local');
  const options = (proxy: typeof web) =>
    unpack(
      'envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
      Object.values(
        resource(mesh().view(proxy), 'cluster', 'outbound|9000||api.default.svc.cluster.local')!
          .typed_extension_protocol_options!,
      )[0],
    );
  t.truthy(options(web)!.explicit_http_config!.http2_protocol_options);
  t.truthy(options({ ...web, http2: false })!.use_downstream_protocol_config);
});

test('virtualInbound: a chain for each served port, named ports looked up in the pod', (t) => {
  const found = listener('virtualInbound');
  const ports = found.filter_chains!.map(({ filter_chain_match }) => [
    filter_chain_match!.destination_port,
    filter_chain_match!.application_protocols,
  ]);
  t.deepEqual(ports, [
    [15006, undefined],
    [7070, ['http/1.1', 'h2c']],
    [7070, undefined],
    [8080, undefined],
  ]);
  const http = manager(found.filter_chains![3]!.filters![0]!.typed_config)!;
  t.is(http.route_config!.name, 'inbound|8080||');
  const [route] = http.route_config!.virtual_hosts![0]!.routes!;
  t.is(route!.route!.cluster, 'inbound|8080||');
  t.is(route!.route!.retry_policy!.retry_on, 'reset-before-request');
  t.is(http.server_name, 'istio-envoy');
  t.is(tcp(found.default_filter_chain!.filters![0]!.typed_config)!.cluster, 'InboundPassthroughCluster');
  const inspector = found.listener_filters!.find(({ name }) => name === 'envoy.filters.listener.http_inspector');
  t.deepEqual(inspector!.filter_disabled, { not_match: { destination_port_range: { start: 7070, end: 7071 } } });
});

test('inbound clusters go to where the client connected, from 127.0.0.6 when captured by the kernel', (t) => {
  const loopback = resource(mesh().view(web), 'cluster', 'inbound|8080||')!;
  t.is(loopback.type, 'ORIGINAL_DST');
  t.is(loopback.upstream_bind_config, undefined);
  const redirected = resource(mesh().view({ ...web, interception: 'REDIRECT' }), 'cluster', 'inbound|8080||')!;
  t.is(redirected.upstream_bind_config!.source_address!.address, '127.0.0.6');
});

test('headless services: the client has chosen; a gateway has not', (t) => {
  const cluster = 'outbound|80||peers.default.svc.cluster.local';
  t.is(resource(mesh().view(web), 'cluster', cluster)!.type, 'ORIGINAL_DST');
  t.is(resource(mesh().view({ ...web, type: 'router' }), 'cluster', cluster)!.type, 'EDS');
  const route = resource(mesh().view(web), 'route', '80')!;
  const peers = route.virtual_hosts!.find(({ name }) => name === 'peers.default.svc.cluster.local:80')!;
  t.true(peers.domains!.includes('*.peers.default.svc.cluster.local'));
});

test('an external name is resolved by the proxy', (t) => {
  const cluster = resource(mesh().view(web), 'cluster', 'outbound|80||outside.default.svc.cluster.local')!;
  t.is(cluster.type, 'STRICT_DNS');
  t.deepEqual(cluster.load_assignment!.endpoints![0]!.lb_endpoints![0]!.endpoint!.address!.socket_address, {
    address: 'example.com',
    port_value: 80,
  });
});
