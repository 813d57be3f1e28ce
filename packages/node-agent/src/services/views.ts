import type { core, discovery } from '@flotilla/api';
import type { ServiceEndpoint, ServicePort, ServiceView } from '@flotilla/sandbox';

/** On a LoadBalancer service: which host ports stand for its ports, e.g. `80=8080,443=8443`. */
export const hostPortsAnnotation = 'flotilla.dev/host-ports';
/** Names the service that a slice belongs to. */
export const serviceNameLabel = 'kubernetes.io/service-name';

/** A service with its endpoints, as DNS and the service listeners need it. */
export function serviceView(service: core.Service, slices: readonly discovery.EndpointSlice[]): ServiceView {
  const { metadata, spec } = service;
  const hostPorts =
    spec.type === 'LoadBalancer' ? parseHostPorts(metadata.annotations?.[hostPortsAnnotation]) : new Map();
  const hasIP = spec.clusterIP !== undefined && spec.clusterIP !== '' && spec.clusterIP !== 'None';
  const affinity = spec.sessionAffinity === 'ClientIP';
  return {
    namespace: metadata.namespace ?? '',
    name: metadata.name ?? '',
    ...(hasIP && spec.type !== 'ExternalName' ? { clusterIP: spec.clusterIP! } : {}),
    ...(spec.type === 'ExternalName' ? { externalName: spec.externalName ?? '' } : {}),
    publishNotReadyAddresses: spec.publishNotReadyAddresses === true,
    ports: (spec.ports ?? []).map((port): ServicePort => {
      const hostPort = hostPorts.get(port.port) as number | undefined;
      return {
        name: port.name ?? '',
        protocol: port.protocol ?? 'TCP',
        port: port.port,
        ...(port.nodePort ? { nodePort: port.nodePort } : {}),
        ...(hostPort === undefined ? {} : { hostPort }),
      };
    }),
    ...(affinity ? { affinitySeconds: spec.sessionAffinityConfig?.clientIP?.timeoutSeconds ?? 10_800 } : {}),
    endpoints: slices.filter((slice) => slice.addressType === 'IPv4').flatMap(endpointsOf),
  };
}

function endpointsOf(slice: discovery.EndpointSlice): ServiceEndpoint[] {
  const ports: Record<string, number> = {};
  for (const port of slice.ports ?? []) if (port.port !== undefined) ports[port.name ?? ''] = port.port;
  return (slice.endpoints ?? []).flatMap((endpoint): ServiceEndpoint[] => {
    const [ip] = endpoint.addresses;
    if (ip === undefined) return [];
    const { ready, serving, terminating } = endpoint.conditions ?? {};
    return [
      {
        ip,
        ...(endpoint.hostname ? { hostname: endpoint.hostname } : {}),
        // Absent means unknown, which counts as ready (discovery/v1).
        ready: ready !== false,
        serving: serving ?? ready !== false,
        terminating: terminating === true,
        ports,
      },
    ];
  });
}

/** Ports of the machine by service port; what cannot be read is left out. */
export function parseHostPorts(text: string | undefined): Map<number, number> {
  const ports = new Map<number, number>();
  for (const [, port, hostPort] of (text ?? '').matchAll(/(?:^|,)\s*(\d{1,5})=(\d{1,5})\s*(?=,|$)/g)) {
    ports.set(Number(port), Number(hostPort));
  }
  return ports;
}
