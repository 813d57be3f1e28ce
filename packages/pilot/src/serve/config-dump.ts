import { decodeResource, type JsonObject, type JsonValue, toEnvoyJson } from '@flotilla/xds';
import type { Connection } from './connection.js';

/** What a proxy has been sent, in the form of Envoy's own `/config_dump`. */
export function configDump(connection: Connection): JsonObject {
  const dump = (
    kind: 'cluster' | 'listener' | 'route' | 'endpoint',
  ): { version: string; any: { type_url: string; value: Uint8Array } }[] =>
    [...connection.held(kind).values()].map(({ version, body }) => ({
      version,
      any: { type_url: body.type_url ?? '', value: body.value ?? new Uint8Array() },
    }));
  const configs: JsonValue[] = [
    typed('envoy.admin.v3.ClustersConfigDump', {
      dynamic_active_clusters: dump('cluster').map(({ version, any }) => ({ version_info: version, cluster: any })),
    }),
    typed('envoy.admin.v3.ListenersConfigDump', {
      dynamic_listeners: dump('listener').map(({ version, any }) => ({
        name: decodeResource('listener', any).name ?? '',
        active_state: { version_info: version, listener: any },
      })),
    }),
    typed('envoy.admin.v3.RoutesConfigDump', {
      dynamic_route_configs: dump('route').map(({ version, any }) => ({ version_info: version, route_config: any })),
    }),
    typed('envoy.admin.v3.EndpointsConfigDump', {
      dynamic_endpoint_configs: dump('endpoint').map(({ version, any }) => ({
        version_info: version,
        endpoint_config: any,
      })),
    }),
  ];
  return { configs };
}

function typed(...[name, value]: Parameters<typeof toEnvoyJson>): JsonValue {
  return { '@type': `type.googleapis.com/${name}`, ...(toEnvoyJson(name, value) as JsonObject) };
}

/** One line a proxy: the nonce last sent and last accepted by type, as istiod's `/debug/syncz`. */
export function syncStatus(connections: Iterable<Connection>): JsonValue[] {
  const lines: JsonValue[] = [];
  for (const connection of connections) {
    const { proxy } = connection;
    if (!proxy) continue;
    const line: JsonObject = {
      cluster_id: 'Kubernetes',
      proxy: `${proxy.pod}.${proxy.namespace}`,
      proxy_type: proxy.type,
      connected_at: new Date(connection.connectedAt).toISOString(),
    };
    for (const { kind, sent, accepted, rejected, synced } of connection.status()) {
      line[`${kind}_sent`] = sent?.nonce ?? '';
      line[`${kind}_acked`] = accepted?.nonce ?? '';
      line[`${kind}_synced`] = synced;
      if (rejected) line[`${kind}_rejected`] = `${rejected.nonce}: ${rejected.message}`;
    }
    lines.push(line);
  }
  return lines;
}
