import {
  type BalancerKind,
  compileOutlier,
  type HostHealth,
  type HostInit,
  type HostSetOptions,
  InvalidConfig,
  type OutlierPolicy,
  refuse,
} from '@flotilla/traffic';
import {
  type Cluster,
  type ClusterLoadAssignment,
  durationMs,
  type HttpProtocolOptions,
  type JsonValue,
  type LbEndpoint,
  type LocalityLbEndpoints,
  type TransportSocket,
  unpack,
} from '@flotilla/xds';

/** A Cluster, checked and in our own terms. Times are milliseconds. */
export interface ClusterSpec {
  name: string;
  config: Cluster;
  discovery: 'STATIC' | 'EDS' | 'STRICT_DNS' | 'LOGICAL_DNS' | 'ORIGINAL_DST';
  /** The name under which EDS knows it. */
  edsName: string;
  /** How long EDS may take before the cluster starts without endpoints. */
  fetchTimeout: number;
  connectTimeout: number;
  balance: Pick<HostSetOptions, 'kind' | 'choiceCount' | 'panicThreshold'> & { byLocality: boolean };
  outlier: OutlierPolicy | undefined;
  /** Of upstream connections; 0 is for ever. */
  idleTimeout: number;
  maxRequestsPerConnection: number;
  /** STATIC: the endpoints. DNS: names to resolve. */
  assignment: Assignment;
  dnsRefresh: number;
  /** The destination as Istio's metrics name it. */
  service: { host: string; name: string; namespace: string };
}

/** A ClusterLoadAssignment in our own terms. */
export interface Assignment {
  hosts: HostInit[];
  localityWeights: ReadonlyMap<string, number>;
  overprovisioning: number;
}

const balancers: Record<string, BalancerKind> = {
  ROUND_ROBIN: 'ROUND_ROBIN',
  LEAST_REQUEST: 'LEAST_REQUEST',
  RANDOM: 'RANDOM',
  CLUSTER_PROVIDED: 'ROUND_ROBIN',
};
const hour = 3_600_000;

/** Throws InvalidConfig. */
export function compileCluster(config: Cluster): ClusterSpec {
  const name = config.name ?? '';
  if (!name) throw new InvalidConfig('name', 'a name is required');
  refuse('', config, ['cluster_type', 'health_checks', 'lb_subset_config', 'load_balancing_policy', 'filters']);
  refuse('', config, ['connection_pool_per_downstream_connection']);
  const policy = config.lb_policy ?? 'ROUND_ROBIN';
  const kind = balancers[policy];
  if (!kind) throw new InvalidConfig('lb_policy', `${policy} is not supported by this proxy yet`);
  refuse('least_request_lb_config', config.least_request_lb_config ?? {}, ['slow_start_config', 'active_request_bias']);
  refuse('round_robin_lb_config', config.round_robin_lb_config ?? {}, ['slow_start_config']);
  refuseTls(config.transport_socket, 'transport_socket');
  for (const [i, match] of (config.transport_socket_matches ?? []).entries()) {
    refuseTls(match.transport_socket, `transport_socket_matches[${i}].transport_socket`);
  }
  const discovery = config.type ?? 'STATIC';
  const http = httpOptions(config);
  const common = http?.common_http_protocol_options ?? config.common_http_protocol_options;
  const lb = config.common_lb_config;
  return {
    name,
    config,
    discovery,
    edsName: config.eds_cluster_config?.service_name || name,
    fetchTimeout: durationMs(config.eds_cluster_config?.eds_config?.initial_fetch_timeout) ?? 15_000,
    connectTimeout: durationMs(config.connect_timeout) ?? 5000,
    balance: {
      kind,
      choiceCount: config.least_request_lb_config?.choice_count ?? 2,
      panicThreshold: lb?.healthy_panic_threshold ? (lb.healthy_panic_threshold.value ?? 0) : 50,
      byLocality: lb?.locality_weighted_lb_config !== undefined,
    },
    outlier: config.outlier_detection && compileOutlier(config.outlier_detection, 'outlier_detection'),
    idleTimeout: durationMs(common?.idle_timeout) ?? hour,
    maxRequestsPerConnection: common?.max_requests_per_connection ?? config.max_requests_per_connection ?? 0,
    assignment: compileAssignment(config.load_assignment ?? {}, 'load_assignment', discovery.endsWith('DNS')),
    dnsRefresh: Math.max(1000, durationMs(config.dns_refresh_rate) ?? 5000),
    service: serviceOf(name, config),
  };
}

function refuseTls(socket: TransportSocket | undefined, path: string): void {
  if (!socket || socket.name === 'envoy.transport_sockets.raw_buffer') return;
  throw new InvalidConfig(path, `${socket.name || 'this transport'} is not supported by this proxy yet`);
}

const httpProtocolOptions = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';

function httpOptions(config: Cluster): HttpProtocolOptions | undefined {
  refuse('', config, ['http2_protocol_options']);
  const all = Object.entries(config.typed_extension_protocol_options ?? {});
  const known = all.map(([key, any]) => ({ key, options: unpack(httpProtocolOptions, any) }));
  for (const { key, options } of known) {
    const path = `typed_extension_protocol_options[${key}]`;
    if (!options) throw new InvalidConfig(path, 'not supported by this proxy');
    refuse(path, options, ['auto_config', 'http_filters']);
    refuse(`${path}.explicit_http_config`, options.explicit_http_config ?? {}, [
      'http2_protocol_options',
      'http3_protocol_options',
    ]);
  }
  return known[0]?.options;
}

/** @param names endpoints may have names instead of IP addresses (DNS clusters). */
export function compileAssignment(config: ClusterLoadAssignment, path: string, names = false): Assignment {
  const at = (field: string): string => (path ? `${path}.${field}` : field);
  refuse(at('policy'), config.policy ?? {}, ['drop_overloads']);
  const weights = new Map<string, number>();
  const hosts = (config.endpoints ?? []).flatMap((group, i) => {
    refuse(at(`endpoints[${i}]`), group, ['leds_cluster_locality_config', 'load_balancer_endpoints']);
    const locality = localityName(group);
    weights.set(locality, group.load_balancing_weight ?? 0);
    return (group.lb_endpoints ?? []).map((endpoint, j) =>
      compileEndpoint(endpoint, group, locality, at(`endpoints[${i}].lb_endpoints[${j}]`), names),
    );
  });
  return { hosts, localityWeights: weights, overprovisioning: config.policy?.overprovisioning_factor ?? 140 };
}

function localityName({ locality = {}, priority = 0 }: LocalityLbEndpoints): string {
  const place = [locality.region, locality.zone, locality.sub_zone].filter(Boolean).join('/');
  return priority === 0 ? place : `${place}#${priority}`;
}

const health: Record<string, HostHealth> = { UNHEALTHY: 'unhealthy', TIMEOUT: 'unhealthy', DRAINING: 'unhealthy' };

function compileEndpoint(
  config: LbEndpoint,
  group: LocalityLbEndpoints,
  locality: string,
  path: string,
  names: boolean,
): HostInit {
  refuse(path, config, ['endpoint_name']);
  const socket = config.endpoint?.address?.socket_address;
  const address = socket?.address ?? '';
  const port = socket?.port_value ?? 0;
  const field = `${path}.endpoint.address`;
  if (!socket || !address) throw new InvalidConfig(field, 'a socket address is required');
  if (!names && !/^[\d.]+$|:/.test(address)) throw new InvalidConfig(field, `malformed IP address: ${address}`);
  return {
    address,
    port,
    hostname: config.endpoint?.hostname ?? (names ? address : ''),
    weight: config.load_balancing_weight ?? 1,
    priority: group.priority ?? 0,
    locality,
    health: health[config.health_status ?? 'UNKNOWN'] ?? 'healthy',
    metadata: config.metadata?.filter_metadata ?? {},
  };
}

/** From Istio's metadata of the cluster, else from its name `outbound|9080|v1|reviews.default.svc.cluster.local`. */
function serviceOf(name: string, config: Cluster): ClusterSpec['service'] {
  const services = config.metadata?.filter_metadata?.istio?.services;
  const first = Array.isArray(services) ? services[0] : undefined;
  if (typeof first === 'object' && first !== null && !Array.isArray(first)) {
    const text = (value: JsonValue | undefined): string => (typeof value === 'string' ? value : '');
    return { host: text(first.host), name: text(first.name), namespace: text(first.namespace) };
  }
  const host = name.split('|')[3] ?? '';
  const [service = '', namespace = ''] = host.includes('.svc.') ? host.split('.') : [host];
  return { host: host || name, name: service || name, namespace };
}
