import type { istio } from '@flotilla/api';
import { type Cluster, type Duration, type HttpProtocolOptions, type OutlierDetection, pack } from '@flotilla/xds';
import { durationOf } from './durations.js';
import { filters } from './names.js';
import type { Settings } from './rules.js';

/** Istio's "no limit". */
const unlimited = 4_294_967_295;

/** Breakers as Istio sets them: no limit where a rule sets none, not even Envoy's 1024. */
export function circuitBreakers(pool: istio.ConnectionPoolSettings | undefined): Cluster['circuit_breakers'] {
  return {
    thresholds: [
      {
        max_connections: pool?.tcp?.maxConnections ?? unlimited,
        max_pending_requests: pool?.http?.http1MaxPendingRequests ?? unlimited,
        max_requests: pool?.http?.http2MaxRequests ?? unlimited,
        max_retries: pool?.http?.maxRetries ?? unlimited,
        track_remaining: true,
      },
    ],
  };
}

/** Applies a rule's connection pool, load balancer and outlier detection to a cluster. */
export function applySettings(cluster: Cluster, settings: Settings): void {
  const { connectionPool: pool, loadBalancer, outlierDetection } = settings;
  cluster.circuit_breakers = circuitBreakers(pool);
  const connectTimeout = durationOf(pool?.tcp?.connectTimeout);
  if (connectTimeout) cluster.connect_timeout = connectTimeout;
  applyKeepalive(cluster, pool?.tcp?.tcpKeepalive);
  applyLoadBalancer(cluster, loadBalancer);
  if (outlierDetection) applyOutlierDetection(cluster, outlierDetection);
}

function applyKeepalive(cluster: Cluster, keepalive: istio.TcpKeepalive | undefined): void {
  if (!keepalive) return;
  const seconds = (text: string | undefined): number | undefined => durationOf(text)?.seconds;
  const tcp_keepalive = {
    keepalive_probes: keepalive.probes,
    keepalive_time: seconds(keepalive.time),
    keepalive_interval: seconds(keepalive.interval),
  };
  cluster.upstream_connection_options = { tcp_keepalive: present(tcp_keepalive) };
}

const policies = {
  LEAST_CONN: 'LEAST_REQUEST',
  LEAST_REQUEST: 'LEAST_REQUEST',
  UNSPECIFIED: 'LEAST_REQUEST',
  ROUND_ROBIN: 'ROUND_ROBIN',
  RANDOM: 'RANDOM',
} as const;

function applyLoadBalancer(cluster: Cluster, settings: istio.LoadBalancerSettings | undefined): void {
  if (cluster.type === 'ORIGINAL_DST') return;
  cluster.lb_policy = 'LEAST_REQUEST';
  if (!settings) return;
  if (settings.simple === 'PASSTHROUGH') {
    cluster.type = 'ORIGINAL_DST';
    cluster.lb_policy = 'CLUSTER_PROVIDED';
    delete cluster.eds_cluster_config;
    return;
  }
  if (settings.simple) cluster.lb_policy = policies[settings.simple];
  if (settings.consistentHash) applyConsistentHash(cluster, settings.consistentHash);
  const warmup = durationOf(settings.warmup?.duration ?? settings.warmupDurationSecs);
  if (warmup) applySlowStart(cluster, warmup, settings.warmup);
}

function applySlowStart(
  cluster: Cluster,
  slow_start_window: Duration,
  warmup: istio.WarmupConfiguration | undefined,
): void {
  const slow_start_config = {
    slow_start_window,
    aggression: { default_value: warmup?.aggression ?? 1, runtime_key: 'slowstart.aggression' },
    min_weight_percent: { value: warmup?.minimumPercent ?? 10 },
  };
  if (cluster.lb_policy === 'ROUND_ROBIN') cluster.round_robin_lb_config = { slow_start_config };
  else if (cluster.lb_policy === 'LEAST_REQUEST') cluster.least_request_lb_config = { slow_start_config };
}

function applyConsistentHash(cluster: Cluster, hash: istio.ConsistentHashLB): void {
  if (hash.maglev) {
    cluster.lb_policy = 'MAGLEV';
    if (hash.maglev.tableSize) cluster.maglev_lb_config = { table_size: hash.maglev.tableSize };
    return;
  }
  cluster.lb_policy = 'RING_HASH';
  cluster.ring_hash_lb_config = { minimum_ring_size: hash.ringHash?.minimumRingSize ?? hash.minimumRingSize ?? 1024 };
}

/** Success-rate ejection is off as in Istio; the panic threshold is 0 unless the rule says otherwise. */
function applyOutlierDetection(cluster: Cluster, rule: istio.OutlierDetection): void {
  const out: OutlierDetection = { enforcing_success_rate: 0 };
  const count = rule.consecutive5xxErrors ?? rule.consecutiveErrors;
  if (count !== undefined) {
    if (count > 0) out.consecutive_5xx = count;
    out.enforcing_consecutive_5xx = count > 0 ? 100 : 0;
  }
  const gateway = rule.consecutiveGatewayErrors;
  if (gateway !== undefined) {
    if (gateway > 0) out.consecutive_gateway_failure = gateway;
    out.enforcing_consecutive_gateway_failure = gateway > 0 ? 100 : 0;
  }
  if (rule.splitExternalLocalOriginErrors) {
    out.split_external_local_origin_errors = true;
    const local = rule.consecutiveLocalOriginFailures;
    if (local) {
      out.consecutive_local_origin_failure = local;
      out.enforcing_consecutive_local_origin_failure = 100;
      out.enforcing_local_origin_success_rate = 0;
    }
  }
  const interval = durationOf(rule.interval);
  if (interval) out.interval = interval;
  const base = durationOf(rule.baseEjectionTime);
  if (base) out.base_ejection_time = base;
  if (rule.maxEjectionPercent) out.max_ejection_percent = rule.maxEjectionPercent;
  cluster.outlier_detection = out;
  cluster.common_lb_config = { healthy_panic_threshold: { value: Math.max(0, rule.minHealthPercent ?? 0) } };
}

/** How the cluster's connections speak HTTP; undefined for plain HTTP/1.1 with nothing special. */
export function httpOptions(
  protocol: 'http1' | 'http2' | 'downstream',
  http: istio.HTTPSettings | undefined,
): Cluster['typed_extension_protocol_options'] {
  const common = present({
    idle_timeout: durationOf(http?.idleTimeout),
    max_requests_per_connection: http?.maxRequestsPerConnection || undefined,
  });
  const http2 = { max_concurrent_streams: http?.maxConcurrentStreams || 1_073_741_824 };
  const spoken = http?.useClientProtocol
    ? 'downstream'
    : http?.h2UpgradePolicy === 'UPGRADE' && protocol === 'http1'
      ? 'http2'
      : protocol;
  if (spoken === 'http1' && Object.keys(common).length === 0) return undefined;
  const options: HttpProtocolOptions = {};
  if (Object.keys(common).length > 0) options.common_http_protocol_options = common;
  if (spoken === 'http2') options.explicit_http_config = { http2_protocol_options: http2 };
  else if (spoken === 'http1') options.explicit_http_config = { http_protocol_options: {} };
  else options.use_downstream_protocol_config = { http_protocol_options: {}, http2_protocol_options: http2 };
  return { [filters.httpProtocolOptions]: pack(filters.httpProtocolOptions, options) };
}

/** `value` without what is undefined. */
export function present<T extends object>(value: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const entries = Object.entries(value).filter(([, item]) => item !== undefined);
  return Object.fromEntries(entries) as { [K in keyof T]?: Exclude<T[K], undefined> };
}
