/** One address behind a service, from its EndpointSlices. */
export interface ServiceEndpoint {
  ip: string;
  /** The pod's own name within a headless service (`hostname` of the slice's endpoint). */
  hostname?: string;
  ready: boolean;
  /** Ready apart from being about to end. */
  serving: boolean;
  terminating: boolean;
  /** Port numbers by the service port's name ('' for the only one). */
  ports: Readonly<Record<string, number>>;
}

export interface ServicePort {
  name: string;
  /** TCP, UDP or SCTP. */
  protocol: string;
  port: number;
  nodePort?: number;
  /** A port of the machine, by annotation `flotilla.dev/host-ports` on a LoadBalancer service. */
  hostPort?: number;
}

/** What DNS and the service listeners know of a service. */
export interface ServiceView {
  namespace: string;
  name: string;
  /** Absent for headless and ExternalName services. */
  clusterIP?: string;
  externalName?: string;
  publishNotReadyAddresses: boolean;
  ports: readonly ServicePort[];
  /** Seconds that a client stays with its endpoint (sessionAffinity: ClientIP). */
  affinitySeconds?: number;
  endpoints: readonly ServiceEndpoint[];
}

/** Which endpoints get traffic: the ready ones, or, were there none, those that still serve while they end (KEP-1669). */
export function usableEndpoints(endpoints: readonly ServiceEndpoint[]): ServiceEndpoint[] {
  const ready = endpoints.filter((endpoint) => endpoint.ready && !endpoint.terminating);
  return ready.length > 0 ? ready : endpoints.filter((endpoint) => endpoint.serving && endpoint.terminating);
}
