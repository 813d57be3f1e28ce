import {
  type AccessLog,
  type Filter,
  type HttpConnectionManager,
  type HttpFilter,
  pack,
  type RouteConfiguration,
  type TcpProxy,
} from '@flotilla/xds';
import { overAds } from './cluster.js';
import { defaults } from './durations.js';
import { filters } from './names.js';

/** Istio's default access log, one line a request (mesh configuration `accessLogFormat`). */
const accessLogFormat = `${[
  '[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" %RESPONSE_CODE% %RESPONSE_FLAGS%',
  '%RESPONSE_CODE_DETAILS% %CONNECTION_TERMINATION_DETAILS% "%UPSTREAM_TRANSPORT_FAILURE_REASON%"',
  '%BYTES_RECEIVED% %BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)%',
  '"%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%" "%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%"',
  '%UPSTREAM_CLUSTER% %UPSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_REMOTE_ADDRESS%',
  '%REQUESTED_SERVER_NAME% %ROUTE_NAME%',
].join(' ')}\n`;

/** Made on first use and shared: they are the same in every listener. */
let shared: { accessLog: AccessLog[]; httpFilters: HttpFilter[] } | undefined;

function sharedParts(): { accessLog: AccessLog[]; httpFilters: HttpFilter[] } {
  shared ??= {
    accessLog: [
      {
        name: filters.fileAccessLog,
        typed_config: pack('envoy.extensions.access_loggers.file.v3.FileAccessLog', {
          path: '/dev/stdout',
          log_format: { text_format_source: { inline_string: accessLogFormat } },
        }),
      },
    ],
    httpFilters: [
      { name: filters.fault, typed_config: pack('envoy.extensions.filters.http.fault.v3.HTTPFault', {}) },
      { name: filters.cors, typed_config: pack('envoy.extensions.filters.http.cors.v3.Cors', {}) },
      { name: filters.router, typed_config: pack('envoy.extensions.filters.http.router.v3.Router', {}) },
    ],
  };
  return shared;
}

export interface HttpOptions {
  readonly statPrefix: string;
  /** A route to ask for by name, or one given here and now. */
  readonly routes: string | RouteConfiguration;
  /** Who connects: a pod's own program, another pod, or the world. */
  readonly side: 'outbound' | 'inbound' | 'gateway';
}

/** An HTTP connection manager with Istio's settings for its side. */
export function httpManager({ statPrefix, routes, side }: HttpOptions): Filter {
  const { accessLog, httpFilters } = sharedParts();
  const manager: HttpConnectionManager = {
    stat_prefix: statPrefix,
    ...(typeof routes === 'string'
      ? { rds: { config_source: { ...overAds, initial_fetch_timeout: defaults.noTimeout }, route_config_name: routes } }
      : { route_config: routes }),
    http_filters: httpFilters,
    access_log: accessLog,
    use_remote_address: side === 'gateway',
    // Istio's outbound side answers as "envoy", the others as "istio-envoy".
    ...(side === 'outbound' ? {} : { server_name: 'istio-envoy' }),
    forward_client_cert_details: side === 'gateway' ? 'SANITIZE_SET' : 'APPEND_FORWARD',
    upgrade_configs: [{ upgrade_type: 'websocket' }],
    stream_idle_timeout: defaults.noTimeout,
    normalize_path: true,
    path_with_escaped_slashes_action: 'KEEP_UNCHANGED',
  };
  return {
    name: filters.httpConnectionManager,
    typed_config: pack('envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager', manager),
  };
}

/** Bytes to one cluster, or to several by weight. */
export function tcpProxy(statPrefix: string, to: string | { name: string; weight: number }[]): Filter {
  const [first] = to;
  const target: Partial<TcpProxy> =
    typeof to === 'string'
      ? { cluster: to }
      : to.length === 1 && typeof first === 'object'
        ? { cluster: first.name }
        : { weighted_clusters: { clusters: to } };
  return {
    name: filters.tcpProxy,
    typed_config: pack('envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy', {
      stat_prefix: statPrefix,
      ...target,
      access_log: sharedParts().accessLog,
    }),
  };
}
