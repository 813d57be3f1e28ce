import {
  compileCors,
  compileFault,
  compileRoutes,
  type Cors,
  type FaultPolicy,
  InvalidConfig,
  refuse,
  type Routes,
} from '@flotilla/traffic';
import { durationMs, type HttpConnectionManager, type HttpFilter, isKnownType, unpack } from '@flotilla/xds';
import { type AccessLog, compileAccessLogs, type LogSinks } from './access-log.js';

/** An HttpConnectionManager in our own terms. Times are milliseconds, 0 is none. */
export interface HttpSpec {
  statPrefix: string;
  /** Inline routes, or the name under which RDS has them. */
  routes: Routes | { rds: string; fetchTimeout: number };
  /** Filters that are in the chain. Their own configuration holds where a route has none. */
  fault: FaultPolicy | undefined;
  cors: Cors | undefined;
  suppressEnvoyHeaders: boolean;
  accessLogs: readonly AccessLog[];
  serverName: string;
  serverHeader: 'OVERWRITE' | 'APPEND_IF_ABSENT' | 'PASS_THROUGH';
  useRemoteAddress: boolean;
  trustedHops: number;
  appendXff: boolean;
  generateRequestId: boolean;
  preserveExternalRequestId: boolean;
  requestIdInResponse: boolean;
  clientCert: 'SANITIZE' | 'FORWARD_ONLY' | 'APPEND_FORWARD' | 'SANITIZE_SET' | 'ALWAYS_FORWARD_ONLY';
  via: string;
  upgrades: ReadonlySet<string>;
  streamIdleTimeout: number;
  requestTimeout: number;
  idleTimeout: number;
  maxHeaderBytes: number;
  maxHeaders: number;
  maxRequestsPerConnection: number;
  maxStreamDuration: number;
  normalizePath: boolean;
  mergeSlashes: boolean;
  escapedSlashes: string;
  stripPort: 'any' | 'matching' | 'no';
  acceptHttp10: boolean;
  underscores: 'ALLOW' | 'REJECT_REQUEST' | 'DROP_HEADER';
}

/** Throws InvalidConfig. */
export function compileHttp(config: HttpConnectionManager, path: string, sinks: LogSinks): HttpSpec {
  refuse(path, config, ['scoped_routes', 'original_ip_detection_extensions', 'early_header_mutation_extensions']);
  refuse(path, config, [
    'request_id_extension',
    'local_reply_config',
    'proxy_status_config',
    'typed_header_validation_config',
  ]);
  if (config.codec_type === 'HTTP2' || config.codec_type === 'HTTP3') {
    throw new InvalidConfig(`${path}.codec_type`, `${config.codec_type} is not supported by this proxy yet`);
  }
  const common = config.common_http_protocol_options ?? {};
  return {
    statPrefix: config.stat_prefix ?? '',
    routes: compileRouteSource(config, path),
    ...compileFilters(config.http_filters ?? [], `${path}.http_filters`),
    accessLogs: compileAccessLogs(config.access_log, `${path}.access_log`, sinks),
    serverName: config.server_name || 'envoy',
    serverHeader: config.server_header_transformation ?? 'OVERWRITE',
    useRemoteAddress: config.use_remote_address ?? false,
    trustedHops: config.xff_num_trusted_hops ?? 0,
    appendXff: !(config.skip_xff_append ?? false),
    generateRequestId: config.generate_request_id ?? true,
    preserveExternalRequestId: config.preserve_external_request_id ?? false,
    requestIdInResponse: config.always_set_request_id_in_response ?? false,
    clientCert: config.forward_client_cert_details ?? 'SANITIZE',
    via: config.via ?? '',
    upgrades: new Set(
      (config.upgrade_configs ?? []).filter((u) => u.enabled ?? true).map((u) => (u.upgrade_type ?? '').toLowerCase()),
    ),
    streamIdleTimeout: durationMs(config.stream_idle_timeout) ?? 300_000,
    requestTimeout: durationMs(config.request_timeout) ?? 0,
    idleTimeout: durationMs(common.idle_timeout) ?? 3_600_000,
    maxHeaderBytes: (config.max_request_headers_kb ?? 60) * 1024,
    maxHeaders: common.max_headers_count ?? 100,
    maxRequestsPerConnection: common.max_requests_per_connection ?? 0,
    maxStreamDuration: durationMs(common.max_stream_duration) ?? 0,
    normalizePath: config.normalize_path ?? false,
    mergeSlashes: config.merge_slashes ?? false,
    escapedSlashes: config.path_with_escaped_slashes_action ?? 'KEEP_UNCHANGED',
    stripPort: config.strip_any_host_port ? 'any' : config.strip_matching_host_port ? 'matching' : 'no',
    acceptHttp10: config.http_protocol_options?.accept_http_10 ?? false,
    underscores: common.headers_with_underscores_action ?? 'ALLOW',
  };
}

function compileRouteSource(config: HttpConnectionManager, path: string): HttpSpec['routes'] {
  if (config.route_config) {
    try {
      return compileRoutes(config.route_config);
    } catch (error) {
      if (!(error instanceof InvalidConfig)) throw error;
      throw new InvalidConfig(`${path}.route_config.${error.field}`, error.message.slice(error.field.length + 2));
    }
  }
  const name = config.rds?.route_config_name;
  if (!name) throw new InvalidConfig(path, 'a route specifier is required');
  return { rds: name, fetchTimeout: durationMs(config.rds?.config_source?.initial_fetch_timeout) ?? 15_000 };
}

type Filters = Pick<HttpSpec, 'fault' | 'cors' | 'suppressEnvoyHeaders'>;

/** Istio's own filters that say what this proxy does anyway (metrics, peer metadata), or matter to TLS only. */
const builtIn = /^(?:istio\.(?:stats|metadata_exchange|alpn)|envoy\.filters\.http\.(?:grpc_stats|peer_metadata))$/;

/** Filters are recognized by the type of their configuration. The order is ours: cors, fault, router. */
function compileFilters(filters: readonly HttpFilter[], path: string): Filters {
  const out: Filters = { fault: undefined, cors: undefined, suppressEnvoyHeaders: false };
  let router = false;
  for (const [i, filter] of filters.entries()) {
    const at = `${path}[${i}]`;
    refuse(at, filter, ['config_discovery']);
    if (router) throw new InvalidConfig(at, 'no filter may follow the router');
    if (filter.disabled) continue;
    const any = filter.typed_config;
    const fault = unpack('envoy.extensions.filters.http.fault.v3.HTTPFault', any);
    const routerConfig = unpack('envoy.extensions.filters.http.router.v3.Router', any);
    if (fault) out.fault = compileFault(fault, `${at}.typed_config`);
    else if (unpack('envoy.extensions.filters.http.cors.v3.Cors', any)) out.cors = compileCors({}, at);
    else if (routerConfig) {
      refuse(`${at}.typed_config`, routerConfig, ['upstream_http_filters', 'strict_check_headers']);
      out.suppressEnvoyHeaders = routerConfig.suppress_envoy_headers ?? false;
      router = true;
    } else if (!builtIn.test(filter.name ?? '') && !filter.is_optional) {
      const type = any?.type_url ?? '';
      const why = isKnownType(type) ? 'not supported by this proxy yet' : `unknown type ${type || '(none)'}`;
      throw new InvalidConfig(at, `filter ${filter.name}: ${why}`);
    }
  }
  if (!router) throw new InvalidConfig(path, 'the last filter must be the router');
  return out;
}
