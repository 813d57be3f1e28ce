import { isHealthy } from '@flotilla/traffic';
import type { ConfigState } from '../config/config-state.js';
import type { UpstreamCluster } from '../upstream/cluster.js';

/** Envoy's `/clusters` lines: `<cluster>::<host>::<stat>::<value>`. */
export function clustersText(config: ConfigState): string {
  return [...config.clusters.values()].map(clusterText).join('');
}

function clusterText(cluster: UpstreamCluster): string {
  const { name } = cluster.spec;
  let out = `${name}::observability_name::${name}\n`;
  for (const [priority, limits] of Object.entries(cluster.breakers)) {
    const at = `${name}::${priority.toLowerCase()}_priority`;
    out += `${at}::max_connections::${limits.connections.max}\n${at}::max_pending_requests::${limits.pending.max}\n`;
    out += `${at}::max_requests::${limits.requests.max}\n${at}::max_retries::${limits.retries.allowed(0)}\n`;
  }
  for (const host of cluster.hosts) {
    const stats = cluster.statsOf(host);
    const values = {
      cx_active: stats.cxActive,
      cx_connect_fail: stats.cxConnectFail,
      cx_total: stats.cxTotal,
      rq_active: host.active,
      rq_error: stats.rqError,
      rq_success: stats.rqSuccess,
      rq_timeout: stats.rqTimeout,
      rq_total: stats.rqTotal,
      hostname: host.hostname,
      health_flags: healthFlags(host),
      weight: host.weight,
      region: host.locality.split('/')[0] ?? '',
      zone: host.locality.split('/')[1] ?? '',
      sub_zone: host.locality.split('/')[2] ?? '',
      canary: false,
      priority: host.priority,
      success_rate: -1,
    };
    for (const [stat, value] of Object.entries(values)) out += `${name}::${host.key}::${stat}::${value}\n`;
  }
  return out;
}

function healthFlags(host: Parameters<typeof isHealthy>[0]): string {
  if (isHealthy(host)) return 'healthy';
  return [host.ejected ? '/failed_outlier_check' : '', host.health === 'unhealthy' ? '/failed_eds_health' : ''].join(
    '',
  );
}

/** envoy.admin.v3.Clusters as JSON. */
export function clustersJson(config: ConfigState): object {
  return { cluster_statuses: [...config.clusters.values()].map(clusterJson) };
}

function clusterJson(cluster: UpstreamCluster): object {
  return {
    name: cluster.spec.name,
    added_via_api: true,
    host_statuses: cluster.hosts.map((host) => {
      const stats = cluster.statsOf(host);
      const counter = (name: string, value: number): object => ({ name, value: String(value) });
      return {
        address: { socket_address: { address: host.address, port_value: host.port } },
        stats: [
          counter('cx_connect_fail', stats.cxConnectFail),
          counter('cx_total', stats.cxTotal),
          counter('rq_error', stats.rqError),
          counter('rq_success', stats.rqSuccess),
          counter('rq_timeout', stats.rqTimeout),
          counter('rq_total', stats.rqTotal),
          { type: 'GAUGE', ...counter('cx_active', stats.cxActive) },
          { type: 'GAUGE', ...counter('rq_active', host.active) },
        ],
        health_status: {
          eds_health_status: host.health === 'unhealthy' ? 'UNHEALTHY' : 'HEALTHY',
          ...(host.ejected ? { failed_outlier_check: true } : {}),
        },
        weight: host.weight,
        ...(host.priority ? { priority: host.priority } : {}),
        ...(host.hostname ? { hostname: host.hostname } : {}),
        locality: localityJson(host.locality),
      };
    }),
    observability_name: cluster.spec.name,
  };
}

function localityJson(locality: string): object {
  const [region, zone, sub_zone] = locality.replace(/#\d+$/, '').split('/');
  return { ...(region ? { region } : {}), ...(zone ? { zone } : {}), ...(sub_zone ? { sub_zone } : {}) };
}
