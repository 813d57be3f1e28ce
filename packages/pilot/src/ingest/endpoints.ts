import type { discovery } from '@flotilla/api';
import type { Endpoint, Locality, Workload } from '../model/snapshot.js';

/** The label of a slice that names its service. */
export const serviceNameLabel = 'kubernetes.io/service-name';

/** What of an EndpointSlice matters here. */
export interface Slice {
  readonly addressType: discovery.AddressType;
  readonly ports: readonly { readonly name: string; readonly port: number }[];
  readonly endpoints: readonly SliceEndpoint[];
}

export interface SliceEndpoint {
  readonly addresses: readonly string[];
  readonly ready: boolean;
  readonly serving: boolean;
  readonly terminating: boolean;
  /** `namespace/name`, when a pod stands behind it. */
  readonly pod: string | undefined;
  readonly node: string | undefined;
}

export function sliceOf(object: discovery.EndpointSlice): Slice {
  return {
    addressType: object.addressType,
    ports: (object.ports ?? [])
      .filter(({ port, protocol }) => port !== undefined && protocol !== 'UDP')
      .map(({ name = '', port }) => ({ name, port: port! })),
    endpoints: (object.endpoints ?? []).map((endpoint) => {
      const { ready = true, serving = ready, terminating = false } = endpoint.conditions ?? {};
      const { kind, namespace = object.metadata.namespace ?? '', name = '' } = endpoint.targetRef ?? {};
      return {
        addresses: endpoint.addresses,
        // "nil should be interpreted as true": an unknown state counts as ready.
        ready,
        serving,
        terminating,
        pod: kind === 'Pod' ? `${namespace}/${name}` : undefined,
        node: endpoint.nodeName,
      };
    }),
  };
}

/** All addresses of a service, from its slices and what is known of the pods behind them, in order of address and port. */
export function endpointsOf(
  namespace: string,
  slices: Iterable<Slice>,
  pods: ReadonlyMap<string, Workload>,
  localities: ReadonlyMap<string, Locality>,
): Endpoint[] {
  const found = new Map<string, Endpoint>();
  for (const slice of slices) {
    if (slice.addressType === 'FQDN') continue;
    for (const endpoint of slice.endpoints) {
      const pod = endpoint.pod === undefined ? undefined : pods.get(endpoint.pod);
      for (const address of endpoint.addresses) {
        for (const { name, port } of slice.ports) {
          found.set(`${name} ${address} ${String(port).padStart(5)}`, {
            address,
            port,
            portName: name,
            ready: endpoint.ready,
            serving: endpoint.serving,
            terminating: endpoint.terminating,
            labels: pod?.labels ?? {},
            workload: pod?.workloadName ?? '',
            namespace,
            locality: endpoint.node === undefined ? undefined : localities.get(endpoint.node),
          });
        }
      }
    }
  }
  return [...found].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, endpoint]) => endpoint);
}
