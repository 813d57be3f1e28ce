import test from 'ava';
import { addFlag, InvalidConfig, newStreamInfo } from '@flotilla/traffic';
import {
  type AccessLog as AccessLogConfig,
  type Cluster,
  duration,
  type FileAccessLog,
  type Listener,
  pack,
} from '@flotilla/xds';
import { address, assignment, gateway, httpFilter, listenerFilter, routes, tcpFilter } from '../testing/resources.js';
import { compileAccessLogs } from './access-log.js';
import { compileAssignment, compileCluster } from './cluster-config.js';
import { compileListener } from './listener-config.js';

const sinks = { stdout() {}, stderr() {} };
function refusal(fn: () => unknown): string {
  try {
    fn();
  } catch (error) {
    if (error instanceof InvalidConfig) return error.message;
    throw error;
  }
  return '';
}

test('clusters: defaults, service names, what is refused', (t) => {
  const spec = compileCluster({ name: 'outbound|9080|v1|reviews.shop.svc.cluster.local', type: 'EDS' });
  t.like(spec, {
    connectTimeout: 5000,
    idleTimeout: 3_600_000,
    discovery: 'EDS',
    service: { host: 'reviews.shop.svc.cluster.local', name: 'reviews', namespace: 'shop' },
  });
  t.like(spec.balance, { kind: 'ROUND_ROBIN', panicThreshold: 50 });
  const cluster = (more: Cluster): string => refusal(() => compileCluster({ name: 'c', ...more }));
  t.is(cluster({ lb_policy: 'MAGLEV' }), 'lb_policy: MAGLEV is not supported by this proxy yet');
  t.is(
    cluster({ transport_socket: { name: 'envoy.transport_sockets.tls' } }),
    'transport_socket: envoy.transport_sockets.tls is not supported by this proxy yet',
  );
  t.is(cluster({ transport_socket: { name: 'envoy.transport_sockets.raw_buffer' } }), '');
  t.is(cluster({ health_checks: [{}] }), 'health_checks: not supported by this proxy');
  const h2 = pack('envoy.extensions.upstreams.http.v3.HttpProtocolOptions', {
    explicit_http_config: { http2_protocol_options: {} },
  });
  t.regex(cluster({ typed_extension_protocol_options: { http: h2 } }), /explicit_http_config\.http2_protocol_options/);
  t.is(
    refusal(() => compileCluster({})),
    'name: a name is required',
  );
});

test('assignments: localities, priorities, health, bad addresses', (t) => {
  const { hosts, localityWeights } = compileAssignment(
    {
      endpoints: [
        {
          locality: { region: 'r', zone: 'z' },
          load_balancing_weight: 3,
          lb_endpoints: [
            { endpoint: { address: address('10.0.0.1', 1) }, health_status: 'DRAINING', load_balancing_weight: 7 },
          ],
        },
        { priority: 1, lb_endpoints: [{ endpoint: { address: address('10.0.0.2', 2) } }] },
      ],
    },
    '',
  );
  t.like(hosts[0], { address: '10.0.0.1', port: 1, health: 'unhealthy', weight: 7, locality: 'r/z', priority: 0 });
  t.like(hosts[1], { health: 'healthy', priority: 1, weight: 1 });
  t.is(localityWeights.get('r/z'), 3);
  t.is(
    refusal(() => compileAssignment(assignment('c', ['reviews', 80]), '')),
    'endpoints[0].lb_endpoints[0].endpoint.address: malformed IP address: reviews',
  );
});

test('listeners: what is refused, by its path', (t) => {
  const listener = (more: Partial<Listener>): string =>
    refusal(() => compileListener({ ...gateway(80, 'r'), ...more }, sinks));
  t.is(listener({}), '');
  t.is(listener({ filter_chains: [] }), 'filter_chains: no filter chains specified');
  t.is(listener({ address: { pipe: { path: '/x' } } }), 'address: a socket address is required');
  t.regex(
    listener({
      filter_chains: [{ filters: [httpFilter('r')], transport_socket: { name: 'envoy.transport_sockets.tls' } }],
    }),
    /^filter_chains\[0\]\.transport_socket: .* yet$/,
  );
  const unknown = { name: 'x', typed_config: { type_url: 'type.googleapis.com/x.Y', value: new Uint8Array() } };
  t.regex(
    listener({ filter_chains: [{ filters: [unknown] }] }),
    /^filter_chains\[0\]\.filters\[0\]: network filter x \(type\.googleapis\.com\/x\.Y\)/,
  );
  t.regex(
    listener({ filter_chains: [{ filters: [tcpFilter('a'), tcpFilter('b')] }] }),
    /a terminal filter must be the last/,
  );
  const rbac = { name: 'rbac', typed_config: pack('envoy.extensions.filters.http.rbac.v3.RBAC', {}) };
  t.regex(
    listener({ filter_chains: [{ filters: [httpFilter('r', { http_filters: [rbac] })] }] }),
    /http_filters\[0\]: filter rbac: not supported by this proxy yet/,
  );
  t.regex(
    listener({ filter_chains: [{ filters: [httpFilter('r', { http_filters: [] })] }] }),
    /the last filter must be the router/,
  );
  const inline = routes('i', { domains: ['*', '*'], routes: [] });
  t.regex(
    listener({ filter_chains: [{ filters: [httpFilter(inline)] }] }),
    /route_config\.virtual_hosts\[0\]\.domains\[1\]: only a single wildcard/,
  );
});

test('listener filters: time limits, and switched off by port', (t) => {
  const but8080 = { not_match: { destination_port_range: { start: 8080, end: 8081 } } };
  const { inspect } = compileListener(
    {
      ...gateway(80, 'r'),
      listener_filters: [
        { ...listenerFilter('http_inspector'), filter_disabled: but8080 },
        listenerFilter('proxy_protocol'),
      ],
      listener_filters_timeout: duration(0),
      continue_on_listener_filters_timeout: true,
    },
    sinks,
  );
  t.deepEqual(inspect(8080), {
    proxyProtocol: 'required',
    http: true,
    proxyTimeout: 15_000,
    sniffTimeout: 0,
    onTimeout: 'continue',
  });
  t.is(inspect(9090).http, undefined);
});

test('access logs: filters, JSON, and only the standard streams', (t) => {
  const lines: string[] = [];
  const to = { stdout: (line: string) => lines.push(line), stderr() {} };
  const log = (file: FileAccessLog, filter?: AccessLogConfig['filter']): AccessLogConfig => ({
    name: 'l',
    typed_config: pack('envoy.extensions.access_loggers.file.v3.FileAccessLog', { path: '/dev/stdout', ...file }),
    ...(filter ? { filter } : {}),
  });
  const json = { code: '%RESPONSE_CODE%', flags: '%RESPONSE_FLAGS%', text: 'is %PROTOCOL%' };
  const atLeast500 = { status_code_filter: { comparison: { op: 'GE' as const, value: { default_value: 500 } } } };
  const noRoute = { response_flag_filter: { flags: ['NR'] } };
  const logs = compileAccessLogs(
    [
      log({ log_format: { json_format: json } }, atLeast500),
      log({ log_format: { text_format: '%RESPONSE_CODE%\n' } }, noRoute),
    ],
    'access_log',
    to,
  );
  for (const code of [200, 503]) {
    const info = { ...newStreamInfo(0), responseCode: code };
    for (const write of logs) write(info);
  }
  const missing = { ...newStreamInfo(0), responseCode: 404 };
  addFlag(missing, 'NR');
  for (const write of logs) write(missing);
  t.deepEqual(lines, ['{"code":503,"flags":null,"text":"is -"}\n', '404\n']);
  t.regex(
    refusal(() => compileAccessLogs([log({ path: '/tmp/x' })], 'access_log', sinks)),
    /^access_log\[0\]\.typed_config\.path/,
  );
});
