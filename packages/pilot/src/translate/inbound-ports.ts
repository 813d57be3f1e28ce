import type { ServiceTarget } from '../model/proxy.js';
import { type Protocol, spokenBy } from '../model/protocol.js';

/** A port of the pod that some service leads to. */
export interface InboundPort {
  readonly port: number;
  readonly protocol: Protocol;
  /** The service, for telemetry. */
  readonly host: string;
  readonly name: string;
  readonly namespace: string;
}

/** The pod's served ports, lowest first. Where several services share a port, the oldest says what is spoken on it. */
export function inboundPorts(targets: readonly ServiceTarget[], http2: boolean): InboundPort[] {
  const byAge = [...targets].sort((a, b) => a.service.createdAt - b.service.createdAt);
  const ports = new Map<number, InboundPort>();
  for (const { service, servicePort, port } of byAge) {
    if (ports.has(port)) continue;
    const protocol = service.ports.find((candidate) => candidate.port === servicePort)?.protocol ?? 'TCP';
    ports.set(port, {
      port,
      protocol: spokenBy(protocol, http2),
      host: service.hostname,
      name: service.name,
      namespace: service.namespace,
    });
  }
  return [...ports.values()].sort((a, b) => a.port - b.port);
}
