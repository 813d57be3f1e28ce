import {
  type Cluster,
  type ClusterLoadAssignment,
  duration,
  type HttpConnectionManager,
  type Listener,
  type ListenerFilter,
  pack,
  type Route,
  type RouteConfiguration,
  type TcpProxy,
  type VirtualHost,
} from '@flotilla/xds';

/** Short ways to write the Envoy resources that tests need. */
export const address = (host: string, port: number): NonNullable<Listener['address']> => ({
  socket_address: { address: host, port_value: port },
});

export const edsCluster = (name: string, more: Partial<Cluster> = {}): Cluster => ({
  name,
  type: 'EDS',
  lb_policy: 'ROUND_ROBIN',
  connect_timeout: duration(1000),
  eds_cluster_config: { eds_config: { ads: {} }, service_name: name },
  ...more,
});

export const originalDst = (name: string): Cluster => ({ name, type: 'ORIGINAL_DST', lb_policy: 'CLUSTER_PROVIDED' });

export const assignment = (name: string, ...hosts: [host: string, port: number][]): ClusterLoadAssignment => ({
  cluster_name: name,
  endpoints: [{ lb_endpoints: hosts.map(([host, port]) => ({ endpoint: { address: address(host, port) } })) }],
});

export const routes = (name: string, ...hosts: VirtualHost[]): RouteConfiguration => ({ name, virtual_hosts: hosts });

export const host = (domains: string[], ...list: Route[]): VirtualHost => ({
  name: domains[0] ?? '',
  domains,
  routes: list,
});

export const to = (cluster: string, more: Route['route'] = {}, match: Route['match'] = { prefix: '/' }): Route => ({
  match,
  route: { cluster, timeout: duration(0), ...more },
});

export function httpFilter(routeName: string | RouteConfiguration, more: HttpConnectionManager = {}) {
  return {
    name: 'envoy.filters.network.http_connection_manager',
    typed_config: pack('envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager', {
      stat_prefix: 'test',
      ...(typeof routeName === 'string'
        ? { rds: { config_source: { ads: {} }, route_config_name: routeName } }
        : { route_config: routeName }),
      server_name: 'istio-envoy',
      access_log: [
        {
          name: 'envoy.access_loggers.file',
          typed_config: pack('envoy.extensions.access_loggers.file.v3.FileAccessLog', { path: '/dev/stdout' }),
        },
      ],
      upgrade_configs: [{ upgrade_type: 'websocket' }],
      http_filters: [
        {
          name: 'envoy.filters.http.fault',
          typed_config: pack('envoy.extensions.filters.http.fault.v3.HTTPFault', {}),
        },
        { name: 'envoy.filters.http.cors', typed_config: pack('envoy.extensions.filters.http.cors.v3.Cors', {}) },
        { name: 'envoy.filters.http.router', typed_config: pack('envoy.extensions.filters.http.router.v3.Router', {}) },
      ],
      ...more,
    }),
  };
}

export function tcpFilter(cluster: string, more: TcpProxy = {}) {
  return {
    name: 'envoy.filters.network.tcp_proxy',
    typed_config: pack('envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy', {
      stat_prefix: cluster,
      cluster,
      ...more,
    }),
  };
}

const listenerFilterTypes = {
  proxy_protocol: 'envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol',
  http_inspector: 'envoy.extensions.filters.listener.http_inspector.v3.HttpInspector',
  tls_inspector: 'envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector',
  original_dst: 'envoy.extensions.filters.listener.original_dst.v3.OriginalDst',
} as const;

export function listenerFilter(name: keyof typeof listenerFilterTypes): ListenerFilter {
  return { name: `envoy.filters.listener.${name}`, typed_config: pack(listenerFilterTypes[name], {}) };
}

/** A gateway's listener: HTTP on a port of the pod. */
export const gateway = (
  port: number,
  routeName: string | RouteConfiguration,
  more: HttpConnectionManager = {},
): Listener => ({
  name: `0.0.0.0_${port}`,
  address: address('0.0.0.0', port),
  traffic_direction: 'OUTBOUND',
  filter_chains: [{ filters: [httpFilter(routeName, more)] }],
});
