import type { ClusterLoadAssignment, LbEndpoint, Locality } from '@flotilla/xds';
import type { Endpoint, EndpointSnapshot } from '../model/snapshot.js';
import { selects } from '../model/snapshot.js';
import { parseOutboundCluster } from './names.js';
import type { Scope } from './scope.js';

/** What the addresses of a cluster are taken from; undefined for a cluster that no service of the scope stands behind. */
export interface Assignment {
  /** `namespace/name` of the service. */
  readonly service: string;
  readonly portName: string;
  /** Labels of the subset; empty for all. */
  readonly labels: Readonly<Record<string, string>>;
}

export function assignmentOf(scope: Scope, clusterName: string): Assignment | undefined {
  const name = parseOutboundCluster(clusterName);
  const service = name && scope.service(name.hostname);
  const port = service?.ports.find((candidate) => candidate.port === name?.port);
  if (!name || !service || !port) return undefined;
  const subset = scope.rule(service)?.subsets.find((candidate) => candidate.name === name.subset);
  if (name.subset !== '' && !subset) return undefined;
  return {
    service: `${service.namespace}/${service.name}`,
    portName: port.name,
    labels: subset?.labels ?? {},
  };
}

/**
 * The addresses of one cluster, by locality. Ready ones; when none is ready, those that terminate but still serve (KEP-1669,
 * as kube-proxy does), so that the last pods of a rollout answer to the end.
 */
export function loadAssignment(
  clusterName: string,
  assignment: Assignment | undefined,
  endpoints: EndpointSnapshot,
): ClusterLoadAssignment {
  const all = assignment ? (endpoints.get(assignment.service) ?? []) : [];
  const candidates = all.filter(
    ({ portName, labels }) => portName === assignment?.portName && selects(assignment.labels, labels),
  );
  const ready = candidates.filter((endpoint) => endpoint.ready);
  const chosen = ready.length > 0 ? ready : candidates.filter(({ serving, terminating }) => serving && terminating);
  const byLocality = new Map<string, Endpoint[]>();
  for (const endpoint of chosen) {
    const key = localityKey(endpoint.locality);
    const group = byLocality.get(key);
    if (group) group.push(endpoint);
    else byLocality.set(key, [endpoint]);
  }
  const groups = [...byLocality].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, group]) => group);
  return {
    cluster_name: clusterName,
    endpoints: groups.map((group) => ({
      locality: localityOf(group[0]!),
      lb_endpoints: group.map(lbEndpoint),
      load_balancing_weight: group.length,
    })),
  };
}

function localityKey(locality: Endpoint['locality']): string {
  return locality ? `${locality.region}/${locality.zone}/${locality.subZone}` : '';
}

function localityOf({ locality }: Endpoint): Locality {
  if (!locality) return {};
  return { region: locality.region, zone: locality.zone, sub_zone: locality.subZone };
}

function lbEndpoint(endpoint: Endpoint): LbEndpoint {
  return {
    endpoint: { address: { socket_address: { address: endpoint.address, port_value: endpoint.port } } },
    health_status: 'HEALTHY',
    load_balancing_weight: 1,
    metadata: { filter_metadata: { istio: { workload: workloadText(endpoint) } } },
  };
}

/** `workload;namespace;canonical service;canonical revision;cluster`: what Istio's telemetry reads. */
function workloadText({ workload, namespace, labels }: Endpoint): string {
  const service =
    labels['service.istio.io/canonical-name'] ?? labels['app.kubernetes.io/name'] ?? labels.app ?? workload;
  const revision =
    labels['service.istio.io/canonical-revision'] ?? labels['app.kubernetes.io/version'] ?? labels.version ?? 'latest';
  return [workload, namespace, service, revision, 'Kubernetes'].join(';');
}
