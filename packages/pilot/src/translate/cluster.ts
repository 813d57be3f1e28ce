import type { istio } from '@flotilla/api';
import type { Cluster, ConfigSource, JsonObject } from '@flotilla/xds';
import { isHttp2, isHttpOrAuto, spokenBy } from '../model/protocol.js';
import type { Service, ServicePort } from '../model/snapshot.js';
import { applySettings, circuitBreakers, httpOptions } from './cluster-policy.js';
import { defaults } from './durations.js';
import { authorityCluster, blackHoleCluster, configPath, outboundCluster, passthroughCluster } from './names.js';
import { type HostRule, policyFor } from './rules.js';
import type { Scope } from './scope.js';

/** "Over this very stream." */
export const overAds: ConfigSource = { ads: {}, resource_api_version: 'V3' };

/** Clusters towards every port and subset of a service. They depend on nothing but what is in `clusterKey`. */
export function serviceClusters(scope: Scope, service: Service): Cluster[] {
  const clusters: Cluster[] = [];
  const rule = scope.rule(service);
  for (const port of service.ports) {
    if (port.protocol === 'UDP') continue;
    for (const subset of [undefined, ...(rule?.subsets ?? [])]) {
      const cluster = outbound(scope, service, port, rule, subset);
      if (cluster) clusters.push(cluster);
    }
  }
  return clusters;
}

/** What of a scope, beside the rules for the service, decides about its clusters. */
export function clusterKey({ type, http2 }: Scope): string {
  return `${type} ${http2}`;
}

/** Clusters for what is in no registry. */
export function commonClusters(scope: Scope): Cluster[] {
  if (scope.type === 'router') return [blackHole()];
  const clusters = [blackHole(), passthrough(passthroughCluster)];
  if (scope.headerDst) {
    const original_dst_lb_config = { use_http_header: true, http_header_name: ':authority' };
    clusters.push({ ...passthrough(authorityCluster), original_dst_lb_config });
  }
  return clusters;
}

function outbound(
  scope: Scope,
  service: Service,
  port: ServicePort,
  rule: HostRule | undefined,
  subset: istio.Subset | undefined,
): Cluster | undefined {
  const settings = policyFor(rule, subset, port.port);
  const mode = settings.tls?.mode;
  if (mode && mode !== 'DISABLE') {
    // Sending in the clear what a rule wants encrypted would be worse than not sending it.
    const message = `tls mode ${mode} is not supported yet; ${service.hostname}:${port.port} answers 503`;
    for (const from of rule?.from ?? []) scope.problems.add('DestinationRule', from, message);
    return undefined;
  }
  const name = outboundCluster(port.port, subset?.name ?? '', service.hostname);
  const cluster: Cluster = { name, connect_timeout: defaults.connectTimeout, ...discovery(scope, service, port, name) };
  applySettings(cluster, settings);
  const spoken = spokenBy(port.protocol, scope.http2);
  const protocol = isHttp2(spoken) ? 'http2' : spoken === 'auto' ? 'downstream' : 'http1';
  const options = isHttpOrAuto(port.protocol) ? httpOptions(protocol, settings.connectionPool?.http) : undefined;
  if (options) cluster.typed_extension_protocol_options = options;
  cluster.metadata = { filter_metadata: { istio: metadata(service, port, rule, subset) } };
  return cluster;
}

/** How a cluster finds its addresses. */
function discovery(scope: Scope, service: Service, port: ServicePort, name: string): Partial<Cluster> {
  if (service.externalName !== undefined) {
    const address = { socket_address: { address: service.externalName, port_value: port.port } };
    return {
      type: 'STRICT_DNS',
      dns_lookup_family: 'V4_ONLY',
      dns_refresh_rate: defaults.dnsRefresh,
      respect_dns_ttl: true,
      load_assignment: { cluster_name: name, endpoints: [{ lb_endpoints: [{ endpoint: { address } }] }] },
    };
  }
  // A client of a headless service has picked a pod itself; a gateway has not.
  if (service.headless && scope.type === 'sidecar') return { type: 'ORIGINAL_DST', lb_policy: 'CLUSTER_PROVIDED' };
  // 0 means: wait for the assignment as long as it takes.
  const eds_config: ConfigSource = { ...overAds, initial_fetch_timeout: defaults.noTimeout };
  return { type: 'EDS', eds_cluster_config: { eds_config, service_name: name } };
}

function metadata(
  service: Service,
  port: ServicePort,
  rule: HostRule | undefined,
  subset: istio.Subset | undefined,
): JsonObject {
  const { hostname: host, name, namespace } = service;
  const out: JsonObject = { services: [{ host, name, namespace }], default_original_port: port.port };
  const from = rule?.from[0];
  if (from) out.config = configPath('destination-rule', from);
  if (subset) out.subset = subset.name;
  return out;
}

/** To wherever the client was going. */
export function passthrough(name: string): Cluster {
  const cluster: Cluster = {
    name,
    type: 'ORIGINAL_DST',
    connect_timeout: defaults.connectTimeout,
    lb_policy: 'CLUSTER_PROVIDED',
    circuit_breakers: circuitBreakers(undefined),
  };
  const options = httpOptions('downstream', undefined);
  if (options) cluster.typed_extension_protocol_options = options;
  return cluster;
}

/** To nowhere. */
export function blackHole(): Cluster {
  return { name: blackHoleCluster, type: 'STATIC', connect_timeout: defaults.connectTimeout };
}
